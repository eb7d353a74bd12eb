/* parallel.h - a pool of threads: a fixed number of jobs, any number of threads.
 *
 * Own code instead of OpenMP for two measured reasons (docs/speed.md): OpenMP's waiting threads
 * keep their processor busy, which on a machine with other work made a training up to five times
 * slower, and a caller cannot turn that off; and its barriers wait for every thread, where here
 * only the jobs are waited for, so a thread that gets no processor holds nobody up. */
#ifndef SWWAE_BASE_PARALLEL_H
#define SWWAE_BASE_PARALLEL_H

/* Processors this process may use, 1..256. */
int parallel_processors(void);

struct pool;

/* Starts threads - 1 threads, or fewer where the system gives no more. NULL: one thread, which
 * every function here takes as the caller's alone. Not usable in a child after fork. */
struct pool *pool_create(int threads);
void pool_free(struct pool *pool);

/* Runs job(context, j, worker) for j = 0..jobs-1 and returns when all are done. worker is
 * 0..threads-1, constant for a thread: use it to pick scratch memory. Which worker runs which job
 * varies; results must not depend on it. One call at a time. */
void pool_run(struct pool *pool, int jobs, void (*job)(void *context, int j, int worker),
              void *context);

/* Seconds of this thread's own processor time: other programs do not lengthen it. */
double parallel_clock(void);

#endif
