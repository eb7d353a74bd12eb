/* parallel.c - the pool of threads; see parallel.h.
 *
 * The next job is a ticket: the number of the call in its upper half, of the job in its lower. A
 * thread takes a job by raising the ticket it has read; if the call is over by then, that fails,
 * so a thread that wakes late takes nothing. Threads without work spin for some microseconds, about
 * as long as a step's serial parts take, then sleep. */
#define _GNU_SOURCE /* sched_getaffinity */
#include "base/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#define SPINS 2000

int parallel_processors(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set)) return 1;
    const int n = CPU_COUNT(&set);
    return n < 1 ? 1 : n > 256 ? 256 : n;
}

double parallel_clock(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

typedef void job_fn(void *context, int j, int worker);

struct helper {
    struct pool *pool;
    pthread_t thread;
    int worker;
};

struct pool {
    atomic_uint_fast64_t ticket; /* call << 32 | next job */
    atomic_int jobs, done;       /* of the call */
    _Atomic(job_fn *) job;
    _Atomic(void *) context;
    atomic_bool stop;
    pthread_mutex_t mutex; /* of the two conditions */
    pthread_cond_t work, finished;
    int helpers;
    struct helper helper[];
};

static void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static bool has_job(struct pool *pool) {
    return (int)(atomic_load(&pool->ticket) & UINT32_MAX) < atomic_load(&pool->jobs);
}

/* Takes and runs jobs until none is left. */
static void work(struct pool *pool, int worker) {
    for (;;) {
        uint_fast64_t ticket = atomic_load(&pool->ticket);
        job_fn *job = atomic_load(&pool->job);
        void *context = atomic_load(&pool->context);
        const int j = (int)(ticket & UINT32_MAX), jobs = atomic_load(&pool->jobs);
        if (j >= jobs) return;
        if (!atomic_compare_exchange_weak(&pool->ticket, &ticket, ticket + 1)) continue;
        job(context, j, worker);
        if (atomic_fetch_add(&pool->done, 1) + 1 < jobs) continue;
        pthread_mutex_lock(&pool->mutex);
        pthread_cond_signal(&pool->finished);
        pthread_mutex_unlock(&pool->mutex);
    }
}

static void *help(void *context) {
    const struct helper *helper = context;
    struct pool *pool = helper->pool;
    while (!atomic_load(&pool->stop)) {
        work(pool, helper->worker);
        for (int i = 0; i < SPINS && !has_job(pool); i++) relax();
        if (has_job(pool)) continue;
        pthread_mutex_lock(&pool->mutex);
        while (!has_job(pool) && !atomic_load(&pool->stop))
            pthread_cond_wait(&pool->work, &pool->mutex);
        pthread_mutex_unlock(&pool->mutex);
    }
    return NULL;
}

struct pool *pool_create(int threads) {
    if (threads <= 1) return NULL;
    struct pool *pool = calloc(1, sizeof *pool + (size_t)(threads - 1) * sizeof(struct helper));
    if (!pool) return NULL;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->finished, NULL);
    for (int k = 0; k < threads - 1; k++) {
        struct helper *helper = &pool->helper[k];
        helper->pool = pool;
        helper->worker = k + 1;
        if (pthread_create(&helper->thread, NULL, help, helper)) break;
        pool->helpers++;
    }
    return pool;
}

void pool_free(struct pool *pool) {
    if (!pool) return;
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->stop, true);
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->mutex);
    for (int k = 0; k < pool->helpers; k++) pthread_join(pool->helper[k].thread, NULL);
    pthread_cond_destroy(&pool->work);
    pthread_cond_destroy(&pool->finished);
    pthread_mutex_destroy(&pool->mutex);
    free(pool);
}

void pool_run(struct pool *pool, int jobs, job_fn *job, void *context) {
    if (!pool || !pool->helpers || jobs <= 1) {
        for (int j = 0; j < jobs; j++) job(context, j, 0);
        return;
    }
    const uint_fast64_t call = (atomic_load(&pool->ticket) >> 32) + 1;
    /* No job is open: the ticket stands at the end of the last call's jobs. First the ticket, past
     * any job, then what the call is, then the ticket that opens it. */
    atomic_store(&pool->ticket, call << 32 | UINT32_MAX >> 1);
    atomic_store(&pool->job, job);
    atomic_store(&pool->context, context);
    atomic_store(&pool->done, 0);
    atomic_store(&pool->jobs, jobs);
    atomic_store(&pool->ticket, (call + 1) << 32);
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->mutex);
    work(pool, 0);
    for (int i = 0; i < SPINS && atomic_load(&pool->done) < jobs; i++) relax();
    if (atomic_load(&pool->done) == jobs) return;
    pthread_mutex_lock(&pool->mutex);
    while (atomic_load(&pool->done) < jobs) pthread_cond_wait(&pool->finished, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
}
