/* test_schedule.c - learning rates by hand-worked values. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "train/schedule.h"

static struct settings settings = {
    .lr = 0.5, .lr_step_every = 2, .lr_step_factor = 0.1, .schedule = SCHEDULE_CONSTANT};

static void near(double value, double expected, double tolerance) {
    if (!(fabs(value - expected) <= tolerance)) fail_msg("%.17g, expected %.17g", value, expected);
}

static void test_constant(void **state) {
    (void)state;
    settings.schedule = SCHEDULE_CONSTANT;
    near(schedule_lr(&settings, 0, 100, 10), 0.5, 0);
    near(schedule_lr(&settings, 99, 100, 10), 0.5, 0);
}

static void test_step(void **state) {
    (void)state;
    settings.schedule = SCHEDULE_STEP;
    settings.lr_step_every = 2;
    near(schedule_lr(&settings, 19, 100, 10), 0.5, 0);
    near(schedule_lr(&settings, 20, 100, 10), 0.05, 1e-17);
    near(schedule_lr(&settings, 40, 100, 10), 0.005, 1e-17);
    settings.lr_step_every = 0.5; /* fractions of an epoch */
    near(schedule_lr(&settings, 4, 100, 10), 0.5, 0);
    near(schedule_lr(&settings, 5, 100, 10), 0.05, 1e-17);
}

static void test_cosine(void **state) {
    (void)state;
    settings.schedule = SCHEDULE_COSINE;
    near(schedule_lr(&settings, 0, 100, 10), 0.5, 0);
    near(schedule_lr(&settings, 50, 100, 10), 0.25, 1e-15);
    near(schedule_lr(&settings, 25, 100, 10), 0.4267766952966369, 1e-15);
    near(schedule_lr(&settings, 100, 100, 10), 0, 0);
    near(schedule_lr(&settings, 0, 1, 1), 0.5, 0); /* one step still moves */
    double before = 1;
    for (uint64_t step = 0; step < 100; step++) {
        double lr = schedule_lr(&settings, step, 100, 10);
        assert_true(lr > 0 && lr < before);
        before = lr;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constant),
        cmocka_unit_test(test_step),
        cmocka_unit_test(test_cosine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
