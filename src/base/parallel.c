/* parallel.c - jobs on OpenMP threads; see parallel.h. */
#include "base/parallel.h"

#include <omp.h>
#include <time.h>

int parallel_processors(void) {
    int n = omp_get_num_procs();
    return n < 1 ? 1 : n > 256 ? 256 : n;
}

void parallel_run(int threads, int jobs, void (*job)(void *context, int j, int worker),
                  void *context) {
    if (threads > jobs) threads = jobs;
    if (threads <= 1) {
        for (int j = 0; j < jobs; j++) job(context, j, 0);
        return;
    }
    /* dynamic: a core slowed by other work takes fewer jobs */
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
    for (int j = 0; j < jobs; j++) job(context, j, omp_get_thread_num());
}

double parallel_clock(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
