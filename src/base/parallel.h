/* parallel.h - threads: a fixed number of jobs, any number of threads. */
#ifndef SWWAE_BASE_PARALLEL_H
#define SWWAE_BASE_PARALLEL_H

/* Processors this process may use, 1..256. */
int parallel_processors(void);

/* Runs job(context, j, worker) for j = 0..jobs-1 on `threads` threads (at least 1; no more than
 * jobs are started). worker is 0..threads-1, constant for a thread during the call: use it to pick
 * scratch memory. Which worker runs which job varies; results must not depend on it. */
void parallel_run(int threads, int jobs, void (*job)(void *context, int j, int worker),
                  void *context);

/* Seconds of this thread's own processor time: other programs do not lengthen it. */
double parallel_clock(void);

#endif
