/* test_optimizer.c - Adam, AdamW and SGD against torch.optim (golden/optimizer.py). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "train/optimizer.h"

#define STEPS 5
#define PICKED 13

static const int picked[PICKED] = {0, 7, 17, 18, 19, 20, 23, 24, 25, 26, 40, 43, 44};

/* PyTorch 1.13, double and single precision */
static const double adam[PICKED] = {-0.75410223079681704, 0.10405824925731186, -0.41244808474988925,
                                    0.14962232431707675,  0.72865952261420031, -0.28383440907050955,
                                    -0.13183668288734546, 0.50089869182814095, -0.56339008459282902,
                                    0.068728351713108871, 0.24073690475630916, 0.40308327266410721,
                                    -0.57023818625145062};
static const double adam_float[PICKED] = {
    -0.75410223007202148, 0.10405825078487396,  -0.41244810819625854, 0.14962232112884521,
    0.72865957021713257,  -0.28383442759513855, -0.13183668255805969, 0.50089865922927856,
    -0.56339007616043091, 0.068728350102901459, 0.24073690176010132,  0.40308326482772827,
    -0.57023823261260986};
static const double adamw[PICKED] = {
    -0.75028199595335054, 0.10354660803389681,  -0.41038365354624989, 0.14962232431707675,
    0.72865952261420031,  -0.28245578213886141, -0.13122335043171879, 0.50089869182814095,
    -0.56339008459282902, 0.068434609987053641, 0.2395293902659501,   0.40107246018630244,
    -0.57023818625145062};
static const double adamw_float[PICKED] = {
    -0.75028204917907715, 0.1035466194152832,   -0.4103836715221405,  0.14962232112884521,
    0.72865957021713257,  -0.28245580196380615, -0.13122335076332092, 0.50089865922927856,
    -0.56339007616043091, 0.068434610962867737, 0.23952940106391907,  0.40107247233390808,
    -0.57023823261260986};
static const double sgd[PICKED] = {-0.71698209458923934, 0.11366974118701911, -0.4172628266370233,
                                   0.15712084375000002,  0.69927315624999997, -0.29989553134138569,
                                   -0.13549747339731671, 0.54044396875,       -0.59510831250000007,
                                   0.081231665472650733, 0.24106357055892275, 0.40546162850299178,
                                   -0.55089706249999992};
static const double sgd_float[PICKED] = {
    -0.71698206663131714, 0.1136697456240654,   -0.41726285219192505, 0.15712083876132965,
    0.69927316904067993,  -0.2998955249786377,  -0.13549745082855225, 0.54044395685195923,
    -0.59510833024978638, 0.081231661140918732, 0.24106356501579285,  0.40546160936355591,
    -0.55089706182479858};
static const double plain_sgd[PICKED] = {-0.76656250000000004,
                                         0.12031249999999999,
                                         -0.42062500000000003,
                                         0.16562499999999997,
                                         0.72156250000000011,
                                         -0.27031250000000001,
                                         -0.12,
                                         0.49656249999999996,
                                         -0.55593749999999997,
                                         0.060625000000000005,
                                         0.25624999999999998,
                                         0.40656250000000005,
                                         -0.58531250000000001};
static const double plain_sgd_float[PICKED] = {
    -0.76656246185302734, 0.12031249701976776,  -0.4206250011920929,  0.16562499105930328,
    0.72156250476837158,  -0.27031248807907104, -0.11999999731779099, 0.49656251072883606,
    -0.55593752861022949, 0.060625001788139343, 0.25625002384185791,  0.40656253695487976,
    -0.58531248569488525};

static float parameter(size_t i) { return ((float)(i * 37 % 101) - 50) / 64; }
static float gradient(size_t i, size_t t) { return (float)((i * 53 + t * 29) % 97) / 32 - 1.5f; }

static struct settings settings_of(enum optimizer_kind kind, double momentum, double decay) {
    return (struct settings){.optimizer = kind, .momentum = momentum, .weight_decay = decay};
}

/* Values after STEPS steps; the caller frees them. */
static float *train(const struct network *network, const struct settings *settings, int threads,
                    size_t stop) {
    struct optimizer optimizer;
    assert_int_equal(optimizer_create(&optimizer, network, settings), SWWAE_OK);
    size_t n = network->parameters;
    float *p = malloc(n * sizeof *p), *g = malloc(n * sizeof *g);
    struct pool *pool = pool_create(threads);
    for (size_t i = 0; i < n; i++) p[i] = parameter(i);
    for (size_t t = 0; t < STEPS; t++) {
        if (t == stop) { /* a resumed run: another optimizer that takes over the state */
            struct optimizer next;
            assert_int_equal(optimizer_create(&next, network, settings), SWWAE_OK);
            memcpy(next.m, optimizer.m, n * sizeof *p);
            if (next.v) memcpy(next.v, optimizer.v, n * sizeof *p);
            next.step = optimizer.step;
            optimizer_free(&optimizer);
            optimizer = next;
        }
        for (size_t i = 0; i < n; i++) g[i] = gradient(i, t);
        optimizer_step(&optimizer, p, g, 0.01, pool);
    }
    assert_int_equal(optimizer.step, STEPS);
    pool_free(pool);
    optimizer_free(&optimizer);
    free(g);
    return p;
}

/* Every step rounds a value of at most 1 twice (decay, update), and the update, at most about
 * 3 lr = 0.03, a dozen times: below 4 units of 2^-24 a step. PyTorch's own single precision gets
 * the same allowance. */
static void check(const char *what, const struct settings *settings, const double *expected,
                  const double *expected_float) {
    struct network network;
    assert_int_equal(network_build(&network, "(2)3c-2p-2fc", 1, 2, 2, NULL), SWWAE_OK);
    assert_int_equal(network.parameters, 45);
    float *p = train(&network, settings, 1, STEPS);
    const double tolerance = STEPS * 4 * 0x1p-24;
    for (int i = 0; i < PICKED; i++) {
        double value = (double)p[picked[i]];
        if (fabs(value - expected[i]) > tolerance ||
            fabs(value - expected_float[i]) > 2 * tolerance)
            fail_msg("%s: value %d is %.9g, expected %.9g", what, picked[i], value, expected[i]);
    }
    free(p);
    network_clear(&network);
}

static void test_torch(void **state) {
    (void)state;
    struct settings s = settings_of(OPTIMIZER_ADAM, 0.9, 0);
    check("Adam", &s, adam, adam_float);
    s = settings_of(OPTIMIZER_ADAM, 0.9, 0.1);
    check("AdamW", &s, adamw, adamw_float);
    s = settings_of(OPTIMIZER_SGD, 0.9, 0.05);
    check("SGD with momentum and decay", &s, sgd, sgd_float);
    s = settings_of(OPTIMIZER_SGD, 0, 0);
    check("plain SGD", &s, plain_sgd, plain_sgd_float);
}

static void test_threads_and_resume(void **state) {
    (void)state;
    struct network network; /* 44,000 values in a tensor: several chunks */
    assert_int_equal(network_build(&network, "(20)3c-2p-(50)7c-2p-10fc", 1, 8, 8, NULL), SWWAE_OK);
    for (int kind = OPTIMIZER_ADAM; kind <= OPTIMIZER_SGD; kind++) {
        struct settings s = settings_of((enum optimizer_kind)kind, 0.9, 0.01);
        float *one = train(&network, &s, 1, STEPS);
        for (int threads = 2; threads <= 4; threads++) {
            float *many = train(&network, &s, threads, STEPS);
            assert_memory_equal(one, many, network.parameters * sizeof *one);
            free(many);
        }
        float *resumed = train(&network, &s, 1, 3);
        assert_memory_equal(one, resumed, network.parameters * sizeof *one);
        free(resumed);
        free(one);
    }
    network_clear(&network);
}

/* A zero gradient leaves biases alone and shrinks weights. */
static void test_decay_spares_biases(void **state) {
    (void)state;
    struct network network;
    assert_int_equal(network_build(&network, "(2)3c-2p-2fc", 1, 4, 4, NULL), SWWAE_OK);
    struct settings s = settings_of(OPTIMIZER_ADAM, 0.9, 0.5);
    struct optimizer optimizer;
    assert_int_equal(optimizer_create(&optimizer, &network, &s), SWWAE_OK);
    float *p = malloc(network.parameters * sizeof *p);
    float *g = calloc(network.parameters, sizeof *g);
    for (size_t i = 0; i < network.parameters; i++) p[i] = 1;
    optimizer_step(&optimizer, p, g, 0.5, NULL);
    for (size_t i = 0; i < network.view_count; i++)
        for (size_t k = 0; k < network.view[i].size; k++)
            assert_true(p[network.view[i].offset + k] == (network.view[i].fan_in ? 0.75f : 1.0f));
    free(p);
    free(g);
    optimizer_free(&optimizer);
    network_clear(&network);
}

/* Running statistics follow the batches, whatever the optimizer and however large its decay and
 * rate: p += 0.1 (g - p). */
static void test_running(void **state) {
    (void)state;
    struct network network;
    const struct variant variant = {.norm = NORM_BATCH};
    assert_int_equal(network_build(&network, "(2)3c-2p-2fc", 1, 4, 4, &variant), SWWAE_OK);
    const size_t n = network.parameters;
    float *p = malloc(n * sizeof *p), *g = malloc(n * sizeof *g);
    for (int kind = OPTIMIZER_ADAM; kind <= OPTIMIZER_SGD; kind++) {
        struct settings s = settings_of((enum optimizer_kind)kind, 0.9, 0.5);
        struct optimizer optimizer;
        assert_int_equal(optimizer_create(&optimizer, &network, &s), SWWAE_OK);
        network_initialise(p, &network, 1);
        for (size_t i = 0; i < n; i++) g[i] = 3;
        for (int t = 0; t < 2; t++) optimizer_step(&optimizer, p, g, 0.7, NULL);
        size_t running = 0;
        for (size_t i = 0; i < network.view_count; i++) {
            const struct view *view = &network.view[i];
            for (size_t k = view->offset; k < view->offset + view->size; k++) {
                if (view->role != ROLE_RUNNING) {
                    assert_true(optimizer.m[k] > 0);
                    continue;
                }
                /* start 0: 3 (1 - 0.9^2); start 1: 3 - 2 * 0.9^2; a rounding or two of a value
                 * below 2 each step */
                const double expected = view->start == 1 ? 1.38 : 0.57;
                assert_true(fabs((double)p[k] - expected) < 8 * 0x1p-24);
                assert_true(optimizer.m[k] == 0 && (!optimizer.v || optimizer.v[k] == 0));
                running++;
            }
        }
        assert_int_equal(running, 2 * (2 + 1)); /* mean and variance of 2 maps and of the image */
        optimizer_free(&optimizer);
    }
    free(p);
    free(g);
    network_clear(&network);
}

/* Scales are no weights: they do not decay. */
static void test_decay_spares_scales(void **state) {
    (void)state;
    struct network network;
    const struct variant variant = {.norm = NORM_BATCH};
    assert_int_equal(network_build(&network, "(2)3c-2p-2fc", 1, 4, 4, &variant), SWWAE_OK);
    struct settings s = settings_of(OPTIMIZER_SGD, 0.9, 0.5);
    struct optimizer optimizer;
    assert_int_equal(optimizer_create(&optimizer, &network, &s), SWWAE_OK);
    float *p = malloc(network.parameters * sizeof *p);
    float *g = calloc(network.parameters, sizeof *g);
    network_initialise(p, &network, 1);
    optimizer_step(&optimizer, p, g, 0.5, NULL);
    for (size_t i = 0; i < network.view_count; i++)
        if (network.view[i].role == ROLE_SCALE) assert_true(p[network.view[i].offset] == 1);
    free(p);
    free(g);
    optimizer_free(&optimizer);
    network_clear(&network);
}

/* The average is d a + (1 - d) p in double, d = min(keep, t / (t + 9)); each of the STEPS steps
 * rounds values below 2 three times to 2^-24 of them. Values it is the average of do not change. */
static void test_average(void **state) {
    (void)state;
    struct network network;
    const struct variant variant = {.norm = NORM_BATCH};
    assert_int_equal(network_build(&network, "(2)3c-2p-2fc", 1, 4, 4, &variant), SWWAE_OK);
    const size_t n = network.parameters;
    struct settings s = settings_of(OPTIMIZER_ADAM, 0, 0);
    float *without = train(&network, &s, 1, STEPS);
    s.average = 0.6;
    struct optimizer optimizer;
    assert_int_equal(optimizer_create(&optimizer, &network, &s), SWWAE_OK);
    float *p = malloc(n * sizeof *p), *g = malloc(n * sizeof *g);
    double *expected = malloc(n * sizeof *expected);
    for (size_t i = 0; i < n; i++) optimizer.average[i] = p[i] = parameter(i);
    for (size_t i = 0; i < n; i++) expected[i] = (double)p[i];
    for (size_t t = 0; t < STEPS; t++) {
        for (size_t i = 0; i < n; i++) g[i] = gradient(i, t);
        optimizer_step(&optimizer, p, g, 0.01, NULL);
        const double d = fmin(0.6, (double)t / ((double)t + 9));
        for (size_t i = 0; i < n; i++) expected[i] = d * expected[i] + (1 - d) * (double)p[i];
    }
    for (size_t i = 0; i < n; i++) {
        assert_true(p[i] == without[i]);
        if (!(fabs((double)optimizer.average[i] - expected[i]) <= STEPS * 6 * 0x1p-24))
            fail_msg("average %zu is %.9g, expected %.9g", i, (double)optimizer.average[i],
                     expected[i]);
    }
    free(without);
    free(p);
    free(g);
    free(expected);
    optimizer_free(&optimizer);
    network_clear(&network);
}

/* The norm is that of the gradient without the running statistics, in one order whatever the
 * threads; a value that is not finite anywhere shows. */
static void test_norm(void **state) {
    (void)state;
    struct network network; /* several chunks */
    const struct variant variant = {.norm = NORM_BATCH};
    assert_int_equal(network_build(&network, "(20)3c-2p-(50)7c-2p-10fc", 1, 8, 8, &variant),
                     SWWAE_OK);
    struct settings s = settings_of(OPTIMIZER_ADAM, 0, 0);
    struct optimizer optimizer;
    assert_int_equal(optimizer_create(&optimizer, &network, &s), SWWAE_OK);
    float *g = malloc(network.parameters * sizeof *g);
    double expected = 0;
    size_t running = 0;
    for (size_t i = 0; i < network.view_count; i++) {
        const struct view *view = &network.view[i];
        for (size_t k = view->offset; k < view->offset + view->size; k++) {
            g[k] = gradient(k, 1);
            if (view->role == ROLE_RUNNING)
                running = k;
            else
                expected += (double)g[k] * (double)g[k];
        }
    }
    const double norm = optimizer_norm(&optimizer, g, NULL);
    /* both are sums of n doubles */
    assert_true(fabs(norm - sqrt(expected)) <=
                sqrt(expected) * (double)network.parameters * 0x1p-52);
    for (int threads = 2; threads <= 4; threads++) {
        struct pool *pool = pool_create(threads);
        const double again = optimizer_norm(&optimizer, g, pool);
        assert_memory_equal(&norm, &again, sizeof norm);
        pool_free(pool);
    }
    const float before = g[running];
    optimizer_scale(&optimizer, g, 2.5 / norm);
    assert_true(g[running] == before);
    /* each value is rounded once, to a float */
    assert_true(fabs(optimizer_norm(&optimizer, g, NULL) - 2.5) <= 2.5 * 0x1p-23);
    const float odd[] = {NAN, INFINITY, -INFINITY};
    const size_t places[] = {0, running, network.parameters - 1};
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++) {
            const float kept = g[places[i]];
            g[places[i]] = odd[k];
            assert_false(isfinite(optimizer_norm(&optimizer, g, NULL)));
            g[places[i]] = kept;
        }
    for (size_t i = 0; i < network.parameters; i++) g[i] = 3e38f; /* squares of no float */
    assert_true(isfinite(optimizer_norm(&optimizer, g, NULL)));
    free(g);
    optimizer_free(&optimizer);
    network_clear(&network);
}

/* A frozen encoder keeps its values; its running statistics and all others move as they did. */
static void test_freeze(void **state) {
    (void)state;
    struct network network;
    const struct variant variant = {.norm = NORM_BATCH};
    assert_int_equal(network_build(&network, "(2)3c-2p-2fc", 1, 4, 4, &variant), SWWAE_OK);
    struct settings s = settings_of(OPTIMIZER_ADAM, 0, 0.1);
    float *moved = train(&network, &s, 1, STEPS);
    s.freeze = FROZEN_ENCODER;
    float *frozen = train(&network, &s, 1, STEPS);
    for (size_t v = 0; v < network.view_count; v++) {
        const struct view *view = &network.view[v];
        const bool frozen_view = !strncmp(view->name, "encoder.", 8) && view->role != ROLE_RUNNING;
        for (size_t i = view->offset; i < view->offset + view->size; i++) {
            assert_true(frozen[i] == (frozen_view ? parameter(i) : moved[i]));
            assert_true(moved[i] != parameter(i));
        }
    }
    free(moved);
    free(frozen);
    network_clear(&network);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_torch),
        cmocka_unit_test(test_threads_and_resume),
        cmocka_unit_test(test_decay_spares_biases),
        cmocka_unit_test(test_running),
        cmocka_unit_test(test_decay_spares_scales),
        cmocka_unit_test(test_average),
        cmocka_unit_test(test_freeze),
        cmocka_unit_test(test_norm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
