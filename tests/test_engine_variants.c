/* test_engine_variants.c - soft pooling, batch normalisation, a decoder from the classes, dropout
 * and noise: what each is by its definition. Their gradients are in test_gradients.c, their numbers
 * against PyTorch's in test_golden.c. */
#include "base/cpu.h"
#include "base/rng.h"
#include "engine/engine.h"
#include "kernels/kernels.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BATCH 19
#define SIDE 13
#define PIXELS (SIDE * SIDE)
#define CLASSES 5
#define ARCH "(18)3c-2p-(7)3c-(20)3c-3p-9fc-5fc"

struct net {
    struct network network;
    struct objective objective;
    float *parameters, *gradient, *images;
    int32_t labels[BATCH];
};

static struct net make(const struct variant *variant, struct objective objective) {
    struct net n = {.objective = objective};
    assert_int_equal(network_build(&n.network, ARCH, 1, SIDE, SIDE, variant), SWWAE_OK);
    n.parameters = calloc(n.network.parameters, sizeof(float));
    n.gradient = calloc(n.network.parameters, sizeof(float));
    n.images = calloc((size_t)BATCH * PIXELS, sizeof(float));
    network_initialise(n.parameters, &n.network, 5);
    struct rng rng = rng_stream(3, RNG_SHAPES, 0);
    for (int i = 0; i < BATCH * PIXELS; i++) n.images[i] = (float)rng_uniform(&rng);
    for (int i = 0; i < BATCH; i++) n.labels[i] = i % 3 ? -1 : i % CLASSES;
    return n;
}

static void drop(struct net *n) {
    network_clear(&n->network);
    free(n->parameters);
    free(n->gradient);
    free(n->images);
}

static int best_isa(void) {
    int best = CPU_REFERENCE;
    for (int isa = 0; isa < CPU_ISA_COUNT; isa++)
        if (cpu_has((enum cpu_isa)isa)) best = isa;
    return best;
}

static struct engine *engine_of(const struct net *n, int threads, int isa, bool training) {
    struct engine *engine = NULL;
    const struct engine_options options = {.objective = training ? &n->objective : NULL,
                                           .batch = BATCH,
                                           .threads = threads,
                                           .isa = isa};
    assert_int_equal(engine_create(&engine, &n->network, &options), SWWAE_OK);
    size_t needed = 0;
    assert_int_equal(engine_memory_needed(&needed, &n->network, &options), SWWAE_OK);
    assert_int_equal(needed, engine_memory(engine));
    return engine;
}

static struct losses step(struct net *n, struct engine *engine, uint64_t seed, uint64_t number) {
    struct losses losses;
    const struct batch batch = {
        .images = n->images, .labels = n->labels, .n = BATCH, .seed = seed, .step = number};
    assert_int_equal(engine_step(engine, &losses, n->gradient, n->parameters, &batch), SWWAE_OK);
    return losses;
}

/* The losses of one step of a fresh engine. */
static struct losses losses_of(struct net *n, uint64_t seed, uint64_t number) {
    struct engine *engine = engine_of(n, 2, best_isa(), true);
    const struct losses losses = step(n, engine, seed, number);
    engine_free(engine);
    return losses;
}

/* Mean squared error of forward reconstructions of images first .. first + count - 1. */
static double forward_rec(const struct net *n, const struct forward *asked, int first, int count) {
    struct engine *engine = engine_of(n, 2, best_isa(), false);
    float *rebuilt = calloc((size_t)count * PIXELS, sizeof *rebuilt);
    struct forward forward = *asked;
    forward.reconstruction = rebuilt;
    const float *images = n->images + (ptrdiff_t)first * PIXELS;
    assert_int_equal(engine_forward(engine, &forward, n->parameters, images, count), SWWAE_OK);
    double sum = 0;
    for (int i = 0; i < count * PIXELS; i++) sum += pow((double)rebuilt[i] - (double)images[i], 2);
    free(rebuilt);
    engine_free(engine);
    return sum / (count * PIXELS);
}

#define ALL                                     \
    {                                           \
        .nll = 1, .rec = 0.5, .m = { 0.2, 0.1 } \
    }

/* ---- bits ---- */

/* The same bits with any number of threads, with everything on that draws or joins. */
static void test_bits(void **state) {
    (void)state;
    const struct variant variant = {
        .beta = {5, 0}, .classes_top = true, .tied = true, .norm = NORM_BATCH};
    struct objective objective = ALL;
    objective.dropout = 0.3;
    objective.dropout_conv = 0.2;
    objective.noise = 0.1;
    objective.where_noise = 0.2;
    objective.l1 = 0.1;
    struct net n = make(&variant, objective);
    const size_t size = n.network.parameters * sizeof(float);
    float *first = malloc(size);
    for (int isa = 0; isa < CPU_ISA_COUNT; isa++) {
        if (!cpu_has((enum cpu_isa)isa)) continue;
        double total = 0;
        for (int threads = 1; threads <= 8; threads = threads < 3 ? threads + 1 : threads + 5) {
            struct engine *engine = engine_of(&n, threads, isa, true);
            for (int repeat = 0; repeat < 2; repeat++) {
                const struct losses losses = step(&n, engine, 4, 9);
                assert_true(isfinite(losses.total));
                if (threads == 1 && !repeat) {
                    memcpy(first, n.gradient, size);
                    total = losses.total;
                }
                assert_memory_equal(first, n.gradient, size);
                assert_memory_equal(&total, &losses.total, sizeof total);
            }
            engine_free(engine);
        }
    }
    free(first);
    drop(&n);
}

/* ---- soft pooling ---- */

/* As beta grows, soft pooling becomes max pooling, and its unpooling puts values at the switch. The
 * exception are windows of ties, dead ones above all: there the soft position is the tied cells'
 * middle, and the switch the first of them. A bias keeps windows alive here. */
static void test_soft_is_hard_in_the_limit(void **state) {
    (void)state;
    const struct objective objective = ALL;
    const struct variant soft = {.beta = {1e6, 1e6}};
    struct net a = make(&soft, objective), b = make(NULL, objective);
    for (size_t v = 0; v < a.network.view_count; v++)
        if (a.network.view[v].role == ROLE_BIAS)
            for (size_t i = 0; i < a.network.view[v].size; i++)
                a.parameters[a.network.view[v].offset + i] =
                    b.parameters[a.network.view[v].offset + i] = 2;
    const double left = forward_rec(&a, &(struct forward){0}, 0, BATCH);
    const double right = forward_rec(&b, &(struct forward){0}, 0, BATCH);
    print_message("reconstruction error: beta 1e6 %.9g, max pooling %.9g\n", left, right);
    assert_true(fabs(left - right) < 1e-5 * right);
    const double nll_soft = losses_of(&a, 1, 0).nll, nll_hard = losses_of(&b, 1, 0).nll;
    assert_true(fabs(nll_soft - nll_hard) < 1e-5 * nll_hard);
    drop(&a);
    drop(&b);
}

/* One window of 3 x 2 cells in a 3 x 3 pool, by hand. */
static void test_soft_window(void **state) {
    (void)state;
    for (int isa = 0; isa < CPU_ISA_COUNT; isa++) {
        struct kernels kernels;
        if (!kernels_get(&kernels, (enum cpu_isa)isa)) continue;
        float memory[3 * 2 * LANES] = {0}, code[3][LANES] = {{0}};
        struct map x = map_place(map_shape(1, 3, 2, 0, LANES), memory), m[3];
        for (int k = 0; k < 3; k++) m[k] = map_place(map_shape(1, 1, 1, 0, LANES), code[k]);
        const float z[6] = {0, 1, 0.5f, 0.25f, 0, 2};
        for (int i = 0; i < 6; i++) memory[i * LANES] = z[i];
        for (double beta = 1e-7; beta < 2000; beta *= 10) {
            kernels.soft_pool(&m[0], &m[1], &m[2], &x, 3, (float)beta, 1);
            double total = 0, what = 0, px = 0, py = 0;
            for (int i = 0; i < 6; i++) {
                const double w = exp(beta * ((double)z[i] - 2));
                total += w;
                what += w * (double)z[i];
                px += w * (i % 2 - 1); /* columns at -1 and 0: the full window has three */
                py += w * (i / 2 - 1);
            }
            assert_true(fabs((double)code[0][0] - what / total) < 1e-6);
            assert_true(fabs((double)code[1][0] - px / total) < 1e-6);
            assert_true(fabs((double)code[2][0] - py / total) < 1e-6);
            if (beta < 1e-6) /* mean pooling */
                assert_true(fabs((double)code[0][0] - 3.75 / 6) < 1e-6);
        }
    }
}

static void fill(float *values, size_t count, struct rng *rng, bool positive) {
    for (size_t i = 0; i < count; i++) {
        values[i] = (float)(rng_uniform(rng) * 2 - 1);
        if (positive && values[i] < 0) values[i] = 0;
    }
}

/* A map in memory of its own, every value of it (ring and padding too) drawn or zero. */
struct owned {
    struct map map;
    float *memory;
    size_t size;
};

static struct owned own(int channels, int height, int width, int images, struct rng *rng,
                        bool positive) {
    struct owned o;
    o.map = map_shape(channels, height, width, 0, LANES);
    o.size = map_size(&o.map, images);
    o.memory = malloc(o.size * sizeof(float));
    o.map = map_place(o.map, o.memory);
    if (rng)
        fill(o.memory, o.size, rng, positive);
    else
        memset(o.memory, 0, o.size * sizeof(float));
    return o;
}

/* Forward and back of every instruction set against the reference table, which is the same source
 * compiled without vectors: they differ by the rounding of a few operations. beta times the
 * rounding of z enters the exponent, hence the bound. */
static void test_soft_sets_agree(void **state) {
    (void)state;
    static const int shapes[][4] = {{1, 2, 2, 2}, {17, 7, 5, 3}, {40, 8, 9, 2}, {3, 5, 21, 16}};
    struct kernels reference;
    struct rng rng = rng_stream(11, RNG_SHAPES, 0);
    assert_true(kernels_get(&reference, CPU_REFERENCE));
    for (int isa = CPU_PLAIN; isa < CPU_ISA_COUNT; isa++) {
        struct kernels tested;
        if (!kernels_get(&tested, (enum cpu_isa)isa)) continue;
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
            for (float beta = 0.1f; beta < 2000; beta *= 10) {
                const int c = shapes[s][0], h = shapes[s][1], w = shapes[s][2], k = shapes[s][3];
                const int ph = (h + k - 1) / k, pw = (w + k - 1) / k;
                struct owned x = own(c, h, w, 2, &rng, true), dx[2], up[2], code[2][3], d[2][3],
                             g[3];
                for (int i = 0; i < 3; i++) g[i] = own(c, ph, pw, 2, &rng, false);
                for (int t = 0; t < 2; t++) {
                    const struct kernels *kernels = t ? &reference : &tested;
                    dx[t] = own(c, h, w, 2, NULL, false);
                    up[t] = own(c, h, w, 2, NULL, false);
                    for (int i = 0; i < 3; i++) {
                        code[t][i] = own(c, ph, pw, 2, NULL, false);
                        d[t][i] = own(c, ph, pw, 2, NULL, false);
                    }
                    /* the reference's codes for both, so that each kernel is compared alone */
                    kernels->soft_pool(&code[t][0].map, &code[t][1].map, &code[t][2].map, &x.map, k,
                                       beta, 2);
                }
                const double bound = 1e-6 * (1 + (double)beta);
                for (int t = 0; t < 2; t++) {
                    const struct kernels *kernels = t ? &reference : &tested;
                    struct owned *own_code = code[1];
                    kernels->soft_pool_back(&dx[t].map, &x.map, &own_code[0].map, &own_code[1].map,
                                            &own_code[2].map, &g[0].map, &g[1].map, &g[2].map, k,
                                            beta, 2);
                    kernels->soft_unpool(&up[t].map, &own_code[0].map, &own_code[1].map,
                                         &own_code[2].map, k, 2);
                    kernels->soft_unpool_back(&d[t][0].map, &d[t][1].map, &d[t][2].map, &x.map,
                                              &own_code[0].map, &own_code[1].map, &own_code[2].map,
                                              k, 2);
                }
                for (int i = 0; i < 3; i++)
                    for (size_t j = 0; j < code[0][i].size; j++) {
                        assert_true(fabsf(code[0][i].memory[j] - code[1][i].memory[j]) < bound);
                        assert_true(fabsf(d[0][i].memory[j] - d[1][i].memory[j]) < 1e-5 * k);
                    }
                for (size_t j = 0; j < x.size; j++) {
                    assert_true(isfinite(dx[0].memory[j]));
                    assert_true(fabsf(dx[0].memory[j] - dx[1].memory[j]) <
                                bound * 4 * (1 + (double)beta));
                    assert_true(fabsf(up[0].memory[j] - up[1].memory[j]) < 1e-5 * k);
                }
                for (int t = 0; t < 2; t++) {
                    free(dx[t].memory);
                    free(up[t].memory);
                    for (int i = 0; i < 3; i++) {
                        free(code[t][i].memory);
                        free(d[t][i].memory);
                    }
                }
                for (int i = 0; i < 3; i++) free(g[i].memory);
                free(x.memory);
            }
    }
}

/* No beta and no brightness gives anything but finite numbers. */
static void test_soft_is_finite(void **state) {
    (void)state;
    for (double beta = 0.1; beta <= 1000; beta *= 10)
        for (float scale = 1e-20f; scale < 1e7f; scale *= 1e5f) {
            const struct variant variant = {.beta = {beta, beta}};
            struct net n = make(&variant, (struct objective){.rec = 1, .m = {1}});
            for (int i = 0; i < BATCH * PIXELS; i++) n.images[i] *= scale;
            assert_true(isfinite(losses_of(&n, 1, 0).total));
            for (size_t i = 0; i < n.network.parameters; i++) assert_true(isfinite(n.gradient[i]));
            drop(&n);
        }
}

/* ---- batch normalisation ---- */

/* With the batch's own statistics as running ones, a forward pass is what training computed. */
static void norm_folds(enum batch_norm norm) {
    const struct variant variant = {.norm = norm};
    struct net n = make(&variant, (struct objective)ALL);
    for (size_t v = 0; v < n.network.view_count; v++)
        if (n.network.view[v].role == ROLE_SCALE)
            for (size_t i = 0; i < n.network.view[v].size; i++)
                n.parameters[n.network.view[v].offset + i] =
                    (0.5f + 0.1f * (float)(i % 7)) * (i % 3 ? 1 : -1);
    const struct losses losses = losses_of(&n, 1, 0);
    for (int side = 0; side < 2; side++)
        for (int s = 0; s < n.network.stages; s++)
            for (int c = 0; c < n.network.stage[s].convs; c++) {
                const struct conv_layer *conv =
                    side ? &n.network.stage[s].decoder[c] : &n.network.stage[s].encoder[c];
                const struct stage *stage = &n.network.stage[s];
                if (!conv->normed) continue;
                const bool pooled = norm == NORM_POOLED && !side && c + 1 == stage->convs;
                const double count =
                    (double)BATCH * (pooled ? stage->pooled_height * stage->pooled_width
                                            : conv->height * conv->width);
                for (size_t k = 0; k < (size_t)conv->out; k++) {
                    n.parameters[conv->mean + k] = n.gradient[conv->mean + k];
                    n.parameters[conv->variance + k] =
                        (float)((double)n.gradient[conv->variance + k] * (count - 1) / count);
                }
            }
    const double rec = forward_rec(&n, &(struct forward){0}, 0, BATCH);
    print_message("reconstruction error: training %.9g, folded %.9g\n", losses.rec, rec);
    assert_true(fabs(losses.rec - rec) < 1e-4 * rec);
    drop(&n);
}

static void test_norm_folds(void **state) {
    (void)state;
    norm_folds(NORM_BATCH);
    norm_folds(NORM_POOLED);
}

/* Layers that no term reaches keep their running statistics. */
static void test_norm_unused(void **state) {
    (void)state;
    const struct variant variant = {.norm = NORM_BATCH};
    struct net n = make(&variant, (struct objective){.nll = 1});
    losses_of(&n, 1, 0);
    const struct conv_layer *conv = &n.network.stage[0].decoder[0];
    assert_true(n.gradient[conv->mean] == 0 && n.gradient[conv->variance] == 1);
    assert_true(n.gradient[conv->scale] == 0 && n.gradient[conv->weight] == 0);
    drop(&n);
}

/* ---- classes at the top ---- */

/* A labelled image is rebuilt from its label, an unlabelled one from what the classifier says. */
static void test_classes(void **state) {
    (void)state;
    const struct variant variant = {.classes_top = true};
    struct net n = make(&variant, (struct objective){.rec = 1});
    double sum = 0;
    for (int i = 0; i < BATCH; i++) {
        const int k = n.labels[i];
        sum += forward_rec(&n, &(struct forward){.as_class = k < 0 ? NULL : &k}, i, 1);
    }
    const double rec = losses_of(&n, 1, 0).rec;
    assert_true(fabs(rec - sum / BATCH) < 1e-5 * rec);
    const int zero = 0, one = 1;
    assert_true(forward_rec(&n, &(struct forward){.as_class = &zero}, 0, 1) !=
                forward_rec(&n, &(struct forward){.as_class = &one}, 0, 1));
    drop(&n);
}

/* ---- what is drawn ---- */

static void test_draws(void **state) {
    (void)state;
    const struct objective plain = {.nll = 1, .rec = 1},
                           noisy[] = {
                               {.nll = 1, .rec = 1, .dropout = 0.5},
                               {.nll = 1, .rec = 1, .dropout_conv = 0.5},
                               {.nll = 1, .rec = 1, .noise = 0.5},
                               {.nll = 1, .rec = 1, .where_noise = 0.5},
                           };
    struct net n = make(NULL, plain);
    const struct losses quiet = losses_of(&n, 1, 0);
    assert_true(losses_of(&n, 2, 7).total == quiet.total); /* nothing to draw */
    for (size_t i = 0; i < sizeof noisy / sizeof *noisy; i++) {
        n.objective = noisy[i];
        assert_true(objective_draws(&n.objective));
        const struct losses first = losses_of(&n, 1, 0), again = losses_of(&n, 1, 0),
                            later = losses_of(&n, 1, 1), other = losses_of(&n, 2, 0);
        assert_true(first.total == again.total);
        assert_true(first.total != later.total && first.total != other.total);
        assert_true(first.total != quiet.total);
        /* the first acts on the classifier only, the last on the decoder only */
        if (i == 0) assert_true(first.rec == quiet.rec && first.nll != quiet.nll);
        if (i == 3) assert_true(first.nll == quiet.nll && first.rec != quiet.rec);
    }
    assert_false(objective_draws(&plain));
    drop(&n);
}

static void test_refusals(void **state) {
    (void)state;
    const struct variant upsample = {.unpooling = UNPOOL_UPSAMPLE}, classes = {.classes_top = true};
    struct net n = make(&upsample, (struct objective){.rec = 1, .where_noise = 0.5});
    assert_int_equal(objective_check(&n.objective, &n.network), SWWAE_E_ARGUMENT);
    n.objective = (struct objective){.rec = 1, .dropout = 1};
    assert_int_equal(objective_check(&n.objective, &n.network), SWWAE_E_ARGUMENT);
    n.objective = (struct objective){.rec = 1, .noise = NAN};
    assert_int_equal(objective_check(&n.objective, &n.network), SWWAE_E_ARGUMENT);
    n.objective = (struct objective){.rec = 1, .l1 = -1};
    assert_int_equal(objective_check(&n.objective, &n.network), SWWAE_E_ARGUMENT);
    drop(&n);
    n = make(&classes, (struct objective){.rec = 1, .layers = LAYERS_LAYERWISE});
    assert_int_equal(objective_check(&n.objective, &n.network), SWWAE_E_ARGUMENT);
    n.objective.m[1] = 1;
    assert_int_equal(objective_check(&n.objective, &n.network), SWWAE_OK);
    drop(&n);
    struct network none;
    assert_int_equal(network_build(&none, "(4)3c-2p", 1, 8, 8, &classes), SWWAE_E_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bits),           cmocka_unit_test(test_soft_is_hard_in_the_limit),
        cmocka_unit_test(test_soft_window),    cmocka_unit_test(test_soft_sets_agree),
        cmocka_unit_test(test_soft_is_finite), cmocka_unit_test(test_norm_folds),
        cmocka_unit_test(test_norm_unused),    cmocka_unit_test(test_classes),
        cmocka_unit_test(test_draws),          cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests_name("engine variants", tests, NULL, NULL);
}
