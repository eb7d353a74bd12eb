/* test_parallel.c - the pool of threads: every job once, whatever the threads and the timing. */
#include "base/parallel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MOST 100

struct counts {
    atomic_int run[MOST];
    atomic_int busy[8]; /* jobs a worker is in */
    atomic_int wrong;
};

static void job(void *context, int j, int worker) {
    struct counts *counts = context;
    if (worker < 0 || worker >= 8 || atomic_fetch_add(&counts->busy[worker], 1))
        atomic_fetch_add(&counts->wrong, 1);
    atomic_fetch_add(&counts->run[j], 1);
    for (volatile int i = 0; i < j * 10; i++) {
    }
    atomic_fetch_sub(&counts->busy[worker], 1);
}

/* Many short calls one after another, where late threads of one meet the next. */
static void test_every_job_once(void **state) {
    (void)state;
    for (int threads = 1; threads <= 8; threads++) {
        struct pool *pool = pool_create(threads);
        for (int call = 0; call < 2000; call++) {
            struct counts counts = {0};
            const int jobs = call % 17 == 0 ? MOST : call % 9;
            pool_run(pool, jobs, job, &counts);
            for (int j = 0; j < MOST; j++) assert_int_equal(counts.run[j], j < jobs);
            assert_int_equal(counts.wrong, 0);
        }
        pool_free(pool);
    }
}

static void test_unused(void **state) {
    (void)state;
    assert_null(pool_create(1));
    assert_null(pool_create(0));
    pool_free(NULL);
    pool_free(pool_create(5));
    assert_true(parallel_processors() >= 1);
    assert_true(parallel_clock() >= 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_job_once),
                                       cmocka_unit_test(test_unused)};
    return cmocka_run_group_tests_name("parallel", tests, NULL, NULL);
}
