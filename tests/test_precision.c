/* test_precision.c - training steps and runs with --precision bf16: equal bits, closeness to fp32,
 * refusals. */
#include "runs.h"
#include "shrink.h"

#include "base/cpu.h"
#include "base/rng.h"
#include "engine/engine.h"
#include "engine/profile.h"

#include <stdio.h>

#define BATCH 21
#define SIDE 14

struct fixture {
    struct network network;
    struct objective objective;
    float *parameters, *images;
    int32_t labels[BATCH];
};

static struct fixture fixture(const char *arch, const struct variant *variant) {
    struct fixture f = {.objective = {.nll = 1, .rec = 0.5, .m = {0.2}}};
    well(network_build(&f.network, arch, 1, SIDE, SIDE, variant));
    f.parameters = calloc(f.network.parameters, sizeof(float));
    network_initialise(f.parameters, &f.network, 5);
    f.images = calloc((size_t)BATCH * SIDE * SIDE, sizeof(float));
    struct rng rng = rng_stream(3, RNG_SHAPES, 0);
    for (int i = 0; i < BATCH * SIDE * SIDE; i++) f.images[i] = (float)rng_uniform(&rng);
    for (int i = 0; i < BATCH; i++) f.labels[i] = i % 3 ? -1 : i % 7;
    return f;
}

static void fixture_free(struct fixture *f) {
    network_clear(&f->network);
    free(f->parameters);
    free(f->images);
}

static struct engine_options options_for(const struct fixture *f, enum precision precision) {
    return (struct engine_options){.objective = &f->objective,
                                   .batch = BATCH,
                                   .threads = 1,
                                   .isa = CPU_AVX512,
                                   .precision = precision};
}

static void step(const struct fixture *f, const struct engine_options *options, float *gradient,
                 struct losses *losses) {
    struct engine *engine;
    well(engine_create(&engine, &f->network, options));
    size_t needed = 0;
    assert_int_equal(engine_memory_needed(&needed, &f->network, options), SWWAE_OK);
    assert_int_equal(needed, engine_memory(engine));
    for (int repeat = 0; repeat < 2; repeat++)
        well(engine_step(engine, losses, gradient, f->parameters,
                         &(struct batch){.images = f->images, .labels = f->labels, .n = BATCH}));
    engine_free(engine);
}

/* Dense convolutions of every kind: without a pool, before one, few maps, even and odd channels. */
static const char *const archs[] = {"(20)5c-(17)3c-(16)3c-2p-(33)3c-3p-12fc-7fc",
                                    "(32)3c-2p-(40)5c-(20)1c-2p-7fc"};
static const struct variant variants[] = {{.tied = false},
                                          {.tied = true},
                                          {.unpooling = UNPOOL_UPSAMPLE},
                                          {.norm = NORM_BATCH},
                                          {.norm = NORM_POOLED}};
#define PLAIN_VARIANTS 3 /* the first, without norm */

/* The same bits with any number of threads, and again. */
static void test_bits(void **state) {
    (void)state;
    if (!cpu_has_bf16()) skip();
    for (size_t v = 0; v < 2 * sizeof variants / sizeof *variants; v++) {
        struct fixture f = fixture(archs[v % 2], &variants[v / 2]);
        const size_t n = f.network.parameters;
        float *first = calloc(n, sizeof *first), *again = calloc(n, sizeof *again);
        struct losses a, b;
        struct engine_options options = options_for(&f, PRECISION_BF16);
        step(&f, &options, first, &a);
        for (options.threads = 2; options.threads <= 8; options.threads += 3) {
            step(&f, &options, again, &b);
            assert_memory_equal(first, again, n * sizeof *first);
            assert_memory_equal(&a.total, &b.total, sizeof a.total);
        }
        free(first);
        free(again);
        fixture_free(&f);
    }
}

/* Rounding to 8 significant bits changes a number by at most 2^-9 of it, a product of two by 2^-8.
 * A gradient's longest path has P products in bf16, here at most 12: their relative errors add up
 * to at most P 2^-8 = 5 %. Besides, a maximum or a ReLU whose two sides are as near as that may
 * choose the other: of values spread evenly, a share of at most P 2^-8, whose error may be as large
 * as the gradient there, in the norm sqrt(P 2^-8) = 22 %. A wrong weight or order makes it 100 %.
 * Of the gradients of weights, that is: those of biases are sums that may cancel, and batch
 * normalisation takes most of a gradient away. */
#define MOST (12 * 0x1p-8)

static void test_closeness(void **state) {
    (void)state;
    if (!cpu_has_bf16()) skip();
    for (size_t v = 0; v<8 * PLAIN_VARIANTS; v += shrink()> 1 ? 5 : 1) {
        struct fixture f = fixture(archs[v % 2], &variants[v / 4 % PLAIN_VARIANTS]);
        const size_t n = f.network.parameters;
        float *exact = calloc(n, sizeof *exact), *other = calloc(n, sizeof *other);
        struct losses a, b;
        struct engine_options options = options_for(&f, PRECISION_FP32);
        options.dense = v / 2 % 2;
        options.direct = v / (4 * PLAIN_VARIANTS);
        step(&f, &options, exact, &a);
        options.precision = PRECISION_BF16;
        step(&f, &options, other, &b);
        assert_true(fabs(a.total - b.total) < MOST * a.total);
        assert_memory_not_equal(exact, other, n * sizeof *exact);
        double worst = 0;
        for (size_t k = 0; k < f.network.view_count; k++) {
            const struct view *view = &f.network.view[k];
            if (!strstr(view->name, "weight")) continue;
            double difference = 0, size = 0;
            for (size_t i = view->offset; i < view->offset + view->size; i++) {
                difference += pow((double)exact[i] - (double)other[i], 2);
                size += pow((double)exact[i], 2);
            }
            worst = fmax(worst, size > 0 ? sqrt(difference / size) : 0);
        }
        print_message("%s: a gradient of weights differs by up to %.2g\n", archs[v % 2], worst);
        assert_true(worst < MOST + sqrt(MOST));
        free(exact);
        free(other);
        fixture_free(&f);
    }
}

static void test_names(void **state) {
    (void)state;
    if (!cpu_has_bf16()) skip();
    for (int direct = 0; direct < 2; direct++) {
        struct fixture f = fixture(archs[0], NULL);
        struct engine_options options = options_for(&f, PRECISION_BF16);
        options.direct = direct;
        struct engine *engine;
        well(engine_create(&engine, &f.network, &options));
        const char *const conv = direct ? "conv/bf16" : "conv/winograd-bf16",
                          *const pool = direct ? "conv-pool/bf16" : "conv-pool/winograd-bf16";
        int found = 0;
        for (int i = 0; i < engine_passes(engine); i++) {
            const struct engine_pass p = engine_pass_at(engine, i);
            const bool edge = strstr(p.layer, ".0.0") && strcmp(p.kernel, "conv"); /* an image's */
            if (edge) assert_string_equal(p.kernel, "conv/bf16");
            found += edge || !strcmp(p.kernel, conv) || (!p.back && !strcmp(p.kernel, pool));
        }
        /* encoder.0.0 both ways and decoder.0.0 back; encoder.0.1 both ways, 0.2 and 1.0 with their
         * pools; decoder.0.1 both ways */
        assert_int_equal(found, 9);
        engine_free(engine);
        fixture_free(&f);
    }
}

/* Training in bf16 ends where one in fp32 does, as near as another seed's. */
static void test_training(void **state) {
    (void)state;
    if (!cpu_has_bf16()) skip();
    double low = INFINITY, high = -INFINITY;
    for (int run = 0; run < 5; run++) {
        char name[16], seed[2] = {(char)('1' + run % 4), 0};
        snprintf(name, sizeof name, "run%d", run);
        struct seen seen = unseen(NULL);
        well(train(&seen, name, "arch", "(16)3c-(16)3c-(16)3c-4p-(24)3c-4p-10fc", "epochs", "8",
                   "seed", seed, "precision", run < 4 ? "fp32" : "bf16", NULL));
        const double loss = seen.last_loss;
        print_message("%s, seed %s: loss %g to %g\n", run < 4 ? "fp32" : "bf16", seed,
                      seen.first_loss, loss);
        if (run < 4) {
            low = fmin(low, loss);
            high = fmax(high, loss);
        } else
            assert_true(loss > low - (high - low) && loss < high + (high - low));
    }
    size_t size;
    char *config = file_of("run4", "config.json", &size);
    assert_non_null(strstr(config, "\"precision\": \"bf16\""));
    free(config);
}

static void test_refusals(void **state) {
    (void)state;
    struct fixture f = fixture(archs[0], NULL);
    struct engine_options options = options_for(&f, PRECISION_BF16);
    struct engine *engine = NULL;
    options.isa = CPU_PLAIN;
    says(engine_create(&engine, &f.network, &options), SWWAE_E_ARGUMENT,
         "precision bf16 was asked for, but only the avx512 kernels have it");
    assert_null(engine);
    fixture_free(&f);
    struct seen seen = unseen(NULL);
    assert_int_equal(setenv("SWWAE_ISA", "plain", 1), 0);
    says(train(&seen, "no", "precision", "bf16", NULL), SWWAE_E_ARGUMENT,
         "precision bf16 was asked for, but only the avx512 kernels have it");
    assert_int_equal(unsetenv("SWWAE_ISA"), 0);
    if (cpu_has_bf16()) return;
    says(train(&seen, "no", "precision", "bf16", NULL), SWWAE_E_ARGUMENT,
         "precision bf16 was asked for, but ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bits),     cmocka_unit_test(test_closeness),
        cmocka_unit_test(test_names),    cmocka_unit_test(test_training),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, temporary_make, temporary_remove);
}
