/* test_engine.c - the engine as a whole: equal bits, agreement of instruction sets, what each
 * `where` does to the decoder, and what it refuses. */
#include "base/cpu.h"
#include "base/rng.h"
#include "engine/engine.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BATCH 21
#define SIDE 14

struct fixture {
    struct network network;
    struct objective objective;
    float *parameters, *images;
    int32_t labels[BATCH];
};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_int_equal(
        network_build(&f->network, "(20)5c-(17)3c-2p-(33)3c-3p-12fc-7fc", 1, SIDE, SIDE, NULL),
        SWWAE_OK);
    f->objective = (struct objective){.nll = 1, .rec = 0.5, .m = {0.2}};
    f->parameters = calloc(f->network.parameters, sizeof(float));
    network_initialise(f->parameters, &f->network, 5);
    f->images = calloc((size_t)BATCH * SIDE * SIDE, sizeof(float));
    struct rng rng = rng_stream(3, RNG_SHAPES, 0);
    for (int i = 0; i < BATCH * SIDE * SIDE; i++) f->images[i] = (float)rng_uniform(&rng);
    for (int i = 0; i < BATCH; i++) f->labels[i] = i % 3 ? -1 : i % 7;
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    network_clear(&f->network);
    free(f->parameters);
    free(f->images);
    free(f);
    return 0;
}

static struct engine *engine_of(const struct fixture *f, int threads, int isa, bool training) {
    struct engine *engine = NULL;
    const struct engine_options options = {.objective = training ? &f->objective : NULL,
                                           .batch = BATCH,
                                           .threads = threads,
                                           .isa = isa};
    assert_int_equal(engine_create(&engine, &f->network, &options), SWWAE_OK);
    return engine;
}

/* The same bits with any number of threads, and again. */
static void test_bits(void **state) {
    struct fixture *f = *state;
    const size_t n = f->network.parameters;
    float *first = calloc(n, sizeof *first), *again = calloc(n, sizeof *again);
    for (int isa = 0; isa < CPU_ISA_COUNT; isa++) {
        if (!cpu_has((enum cpu_isa)isa)) continue;
        static const int threads[] = {1, 2, 3, 4, 8, 1};
        struct losses a, b;
        for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
            struct engine *engine = engine_of(f, threads[t], isa, true);
            for (int repeat = 0; repeat < 2; repeat++) {
                assert_int_equal(
                    engine_step(
                        engine, t + (size_t)repeat ? &b : &a, t + (size_t)repeat ? again : first,
                        f->parameters,
                        &(struct batch){.images = f->images, .labels = f->labels, .n = BATCH}),
                    SWWAE_OK);
                if (t + (size_t)repeat == 0) continue;
                assert_memory_equal(first, again, n * sizeof *first);
                assert_memory_equal(&a.total, &b.total, sizeof a.total);
            }
            engine_free(engine);
        }
    }
    free(first);
    free(again);
}

/* Also where gradient sums are so large that not all shares run at once. */
static void test_bits_of_large_sums(void **state) {
    struct fixture *f = *state;
    const char *complaint;
    for (int norm = NORM_NONE; norm <= NORM_POOLED; norm++) {
        const struct variant variant = {.norm = (enum batch_norm)norm};
        struct network network;
        assert_int_equal(network_build(&network, "(32)3c-2p-1400fc-7fc", 1, SIDE, SIDE, &variant),
                         SWWAE_OK);
        const size_t n = network.parameters;
        float *parameters = calloc(n, sizeof *parameters), *first = calloc(n, sizeof *first),
              *again = calloc(n, sizeof *again);
        network_initialise(parameters, &network, 5);
        size_t bytes = 0;
        for (int threads = 8; threads >= 1; threads = threads > 3 ? threads / 2 : threads - 1) {
            const struct engine_options options = {.objective = &f->objective,
                                                   .batch = BATCH,
                                                   .threads = threads,
                                                   .isa = cpu_choose(&complaint)};
            struct engine *engine;
            struct losses losses;
            assert_int_equal(engine_create(&engine, &network, &options), SWWAE_OK);
            assert_int_equal(
                engine_step(engine, &losses, threads == 8 ? first : again, parameters,
                            &(struct batch){.images = f->images, .labels = f->labels, .n = BATCH}),
                SWWAE_OK);
            if (threads == 8)
                bytes = engine_memory(engine);
            else
                assert_memory_equal(first, again, n * sizeof *first);
            if (threads == 1) assert_true(3 * engine_memory(engine) < bytes * 2);
            engine_free(engine);
        }
        network_clear(&network);
        free(parameters);
        free(first);
        free(again);
    }
}

/* Every instruction set gives the reference's gradient up to rounding: the relative error of a sum
 * of n terms in float32 is about sqrt(n) 2^-24; through eight layers of some 300 terms, 5e-6 is
 * twice that. The images are such that no ReLU or switch is so near its tie that rounding decides
 * it. */
static void test_sets_agree(void **state) {
    struct fixture *f = *state;
    const size_t n = f->network.parameters;
    float *exact = calloc(n, sizeof *exact), *other = calloc(n, sizeof *other);
    struct losses a, b;
    struct engine *engine = engine_of(f, 1, CPU_REFERENCE, true);
    engine_step(engine, &a, exact, f->parameters,
                &(struct batch){.images = f->images, .labels = f->labels, .n = BATCH});
    engine_free(engine);
    for (int isa = CPU_PLAIN; isa < CPU_ISA_COUNT; isa++) {
        if (!cpu_has((enum cpu_isa)isa)) {
            print_message("skipped: this machine has no %s\n", cpu_isa_name((enum cpu_isa)isa));
            continue;
        }
        engine = engine_of(f, 2, isa, true);
        engine_step(engine, &b, other, f->parameters,
                    &(struct batch){.images = f->images, .labels = f->labels, .n = BATCH});
        engine_free(engine);
        double difference = 0, size = 0;
        for (size_t i = 0; i < n; i++) {
            difference += pow((double)exact[i] - (double)other[i], 2);
            size += pow((double)exact[i], 2);
        }
        print_message("%s: gradient differs from the reference's by %.1e\n",
                      cpu_isa_name((enum cpu_isa)isa), sqrt(difference / size));
        assert_true(sqrt(difference / size) < 5e-6);
        assert_true(fabs(a.total - b.total) < 1e-5 * fabs(a.total));
        assert_int_equal(a.wrong, b.wrong);
    }
    free(exact);
    free(other);
}

/* A forward pass does not depend on the batch an image comes in. */
static void test_forward_alone(void **state) {
    struct fixture *f = *state;
    struct engine *engine = engine_of(f, 2, CPU_PLAIN, false);
    float together[BATCH * 7], alone[7], rebuilt[BATCH * SIDE * SIDE], one[SIDE * SIDE];
    const struct forward all = {.logits = together, .reconstruction = rebuilt};
    const struct forward single = {.logits = alone, .reconstruction = one};
    assert_int_equal(engine_forward(engine, &all, f->parameters, f->images, BATCH), SWWAE_OK);
    for (int i = 0; i < BATCH; i++) {
        const float *image = f->images + (ptrdiff_t)i * SIDE * SIDE;
        assert_int_equal(engine_forward(engine, &single, f->parameters, image, 1), SWWAE_OK);
        assert_memory_equal(alone, together + (ptrdiff_t)i * 7, sizeof alone);
        assert_memory_equal(one, rebuilt + (ptrdiff_t)i * SIDE * SIDE, sizeof one);
    }
    engine_free(engine);
}

/* Codes leave the engine in the order (image, map, row, column), the same from every instruction
 * set and batch; switches stay inside their window and are 0 where nothing was found. */
static void test_codes(void **state) {
    struct fixture *f = *state;
    enum { MAPS = 17, POOLED = SIDE / 2, SIZE = MAPS * POOLED * POOLED };
    float *what = calloc((size_t)BATCH * SIZE, sizeof *what), one[SIZE];
    uint8_t *where = calloc((size_t)BATCH * SIZE, 1), own[SIZE];
    struct engine *first = engine_of(f, 2, CPU_REFERENCE, false);
    const struct forward all = {.stage = 0, .what = what, .switches = where};
    assert_int_equal(engine_forward(first, &all, f->parameters, f->images, BATCH), SWWAE_OK);
    engine_free(first);
    size_t moved = 0;
    for (int i = 0; i < BATCH * SIZE; i++) {
        assert_true(where[i] < 4 && what[i] >= 0);
        assert_true(what[i] > 0 || where[i] == 0);
        moved += where[i] > 0;
    }
    assert_true(moved > BATCH * SIZE / 4);
    for (int isa = CPU_PLAIN; isa < CPU_ISA_COUNT; isa++) {
        if (!cpu_has((enum cpu_isa)isa)) continue;
        struct engine *engine = engine_of(f, 1, isa, false);
        const struct forward single = {.stage = 0, .what = one, .switches = own};
        for (int i = 0; i < BATCH; i += 5) {
            assert_int_equal(engine_forward(engine, &single, f->parameters,
                                            f->images + (ptrdiff_t)i * SIDE * SIDE, 1),
                             SWWAE_OK);
            for (int k = 0; k < SIZE; k++) assert_true(fabsf(one[k] - what[i * SIZE + k]) < 1e-5f);
            assert_memory_equal(own, where + (ptrdiff_t)i * SIZE, SIZE);
        }
        engine_free(engine);
    }
    free(what);
    free(where);
}

/* where = other: image i is rebuilt at the switches of image i + 1. With two equal images that is
 * its own; otherwise it differs, and none differs from both. */
static void test_where(void **state) {
    struct fixture *f = *state;
    const size_t size = (size_t)SIDE * SIDE;
    float *pair = calloc(2 * size, sizeof *pair), *out[3];
    memcpy(pair, f->images, size * sizeof *pair);
    memcpy(pair + size, f->images, size * sizeof *pair);
    struct engine *engine[3];
    for (int where = 0; where < 3; where++) {
        const struct engine_options options = {
            .where = (swwae_where)where, .threads = 1, .isa = CPU_PLAIN};
        assert_int_equal(engine_create(&engine[where], &f->network, &options), SWWAE_OK);
        out[where] = calloc(2 * size, sizeof *pair);
        const struct forward forward = {.reconstruction = out[where]};
        assert_int_equal(engine_forward(engine[where], &forward, f->parameters, pair, 2), SWWAE_OK);
    }
    assert_memory_equal(out[SWWAE_WHERE_OWN], out[SWWAE_WHERE_OTHER], 2 * size * sizeof *pair);
    assert_memory_not_equal(out[SWWAE_WHERE_OWN], out[SWWAE_WHERE_NONE], 2 * size * sizeof *pair);
    memcpy(pair + size, f->images + size, size * sizeof *pair);
    for (int where = 0; where < 3; where += 2) {
        const struct forward forward = {.reconstruction = out[where]};
        assert_int_equal(engine_forward(engine[where], &forward, f->parameters, pair, 2), SWWAE_OK);
    }
    assert_memory_not_equal(out[SWWAE_WHERE_OWN], out[SWWAE_WHERE_OTHER], size * sizeof *pair);
    for (int where = 0; where < 3; where++) {
        free(out[where]);
        engine_free(engine[where]);
    }
    free(pair);
}

/* Supervised mode books neither decoder maps nor gradients for them, and leaves the decoder's
 * gradient at zero. */
static void test_supervised_skips_decoder(void **state) {
    struct fixture *f = *state;
    struct engine *full = engine_of(f, 1, CPU_PLAIN, true);
    const struct objective kept = f->objective;
    f->objective = (struct objective){.nll = 1};
    struct engine *supervised = engine_of(f, 1, CPU_PLAIN, true);
    const struct engine_options options = {
        .objective = &f->objective, .batch = BATCH, .threads = 1, .isa = CPU_PLAIN};
    size_t needed = 0;
    assert_int_equal(engine_memory_needed(&needed, &f->network, &options), SWWAE_OK);
    assert_int_equal(needed, engine_memory(supervised));
    assert_true(engine_memory(supervised) < engine_memory(full));
    float *gradient = calloc(f->network.parameters, sizeof *gradient);
    struct losses losses;
    assert_int_equal(
        engine_step(supervised, &losses, gradient, f->parameters,
                    &(struct batch){.images = f->images, .labels = f->labels, .n = BATCH}),
        SWWAE_OK);
    assert_true(isnan(losses.rec) && isnan(losses.m[0]) && isfinite(losses.nll));
    assert_int_equal(losses.labelled, 7);
    for (size_t v = 0; v < f->network.view_count; v++) {
        const struct view *view = &f->network.view[v];
        bool zero = true;
        for (size_t i = 0; i < view->size; i++) zero = zero && gradient[view->offset + i] == 0;
        assert_int_equal(zero, strncmp(view->name, "decoder", 7) == 0);
    }
    f->objective = kept;
    free(gradient);
    engine_free(full);
    engine_free(supervised);
}

/* NaN in an image must show in the loss, not vanish in a ReLU or a maximum. */
static void test_nan_shows(void **state) {
    struct fixture *f = *state;
    float *gradient = calloc(f->network.parameters, sizeof *gradient);
    for (int isa = 0; isa < CPU_ISA_COUNT; isa++) {
        if (!cpu_has((enum cpu_isa)isa)) continue;
        struct engine *engine = engine_of(f, 1, isa, true);
        const float kept = f->images[40];
        f->images[40] = NAN;
        struct losses losses;
        assert_int_equal(
            engine_step(engine, &losses, gradient, f->parameters,
                        &(struct batch){.images = f->images, .labels = f->labels, .n = BATCH}),
            SWWAE_OK);
        f->images[40] = kept;
        assert_true(isnan(losses.total) && isnan(losses.nll) && isnan(losses.rec));
        engine_free(engine);
    }
    free(gradient);
}

static void test_refusals(void **state) {
    struct fixture *f = *state;
    struct losses losses;
    float *gradient = calloc(f->network.parameters, sizeof *gradient);
    struct engine *engine = engine_of(f, 1, CPU_PLAIN, true);
    f->labels[0] = 7;
    assert_int_equal(
        engine_step(engine, &losses, gradient, f->parameters,
                    &(struct batch){.images = f->images, .labels = f->labels, .n = BATCH}),
        SWWAE_E_DATA);
    assert_string_equal(swwae_last_error(), "label 7 found, but the architecture has 7 classes");
    f->labels[0] = 0;
    assert_int_equal(engine_step(engine, &losses, gradient, f->parameters,
                                 &(struct batch){.images = f->images, .labels = f->labels, .n = 0}),
                     SWWAE_E_ARGUMENT);
    engine_free(engine);
    free(gradient);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bits),
        cmocka_unit_test(test_bits_of_large_sums),
        cmocka_unit_test(test_sets_agree),
        cmocka_unit_test(test_forward_alone),
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_where),
        cmocka_unit_test(test_supervised_skips_decoder),
        cmocka_unit_test(test_nan_shows),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests_name("engine", tests, setup, teardown);
}
