/* test_gradients.c - the whole loss against finite differences, in double precision.
 *
 * The engine and the reference kernels are compiled with real = double here. With steps of 1e-6 a
 * central difference of a smooth function has an error of about step^2 times its third derivative
 * plus 1e-16 |L| / step = 1e-10 |L|; the bound below is 1e-7 of the largest entry. Parameters and
 * images are random, so that no ReLU or switch sits within a step of its tie; a case that did
 * would fail, always. */
#include "base/cpu.h"
#include "base/rng.h"
#include "engine/engine.h"
#include "shrink.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Of each view, about so many entries are tried, from a random first on; of large networks', fewer.
 */
#define ENTRIES 20
#define ENTRIES_LARGE 2

struct example {
    const char *name, *arch;
    int channels, height, width, batch;
    int labelled; /* the first so many images have a label */
    struct objective objective;
    struct variant variant;
    double pseudo, consistency; /* weights of what the others agree with */
};

#define ALL(r) \
    { .nll = 0.7, .rec = 0.9, .m = {0.5, 0.3}, .reduction = r }

/* Architecture, channels, height, width, batch, labelled. */
#define SOFT "(3)3c-2p-(4)3c-3p-(3)3c-2p-4fc-3fc", 1, 9, 7, 4, 2
#define CLASSES "(3)3c-2p-(4)3c-2p-5fc-3fc", 1, 7, 6, 3, 2
#define TIED(channels) "(3)3c-2p-(5)3c-(4)3c-2p-(3)3c-2p-3fc", channels, 8, 8, 3, 2

#define WINOGRAD "(16)3c-(17)3c-3p-(18)3c-(16)3c-2p-3fc", 1, 7, 9, 2, 1

/* With a term where the decoder starts from the classes. */
#define TOP                                       \
    {                                             \
        .nll = 0.7, .rec = 0.9, .m = { 0.5, 0.3 } \
    }

static const struct example examples[] = {
    {"all terms, mean", "(3)3c-2p-(4)3c-2p-(5)3c-2p-4fc", 1, 8, 8, 3, 2,
     .objective = ALL(REDUCTION_MEAN)},
    {"all terms, sum", "(3)3c-2p-(4)3c-2p-(5)3c-2p-4fc", 1, 8, 8, 3, 2,
     .objective = ALL(REDUCTION_SUM)},
    {"all terms, norm", "(3)3c-2p-(4)3c-2p-(5)3c-2p-4fc", 1, 8, 8, 3, 2,
     .objective = ALL(REDUCTION_NORM)},
    {"sigmoid",
     "(3)3c-2p-(4)3c-2p-4fc",
     2,
     6,
     6,
     2,
     1,
     .objective = ALL(REDUCTION_MEAN),
     {.output = OUTPUT_SIGMOID}},
    {"supervised", "(3)3c-2p-(4)3c-2p-6fc-4fc", 1, 8, 8, 3, 3, .objective = {.nll = 1}},
    {"unsupervised", "(3)5c-(4)3c-3p", 1, 9, 9, 2, 0, .objective = {.rec = 1}},
    {"unsupervised with inner term", "(3)3c-2p-(4)3c-2p", 1, 8, 8, 2, 0,
     .objective = {.rec = 1, .m = {0.2}}},
    {"inner term alone", "(3)3c-2p-(4)3c-2p-(3)1c-2p", 1, 8, 8, 2, 0, .objective = {.m = {0, 0.6}}},
    {"inner terms without rec", "(3)3c-2p-(4)3c-2p-(3)1c-2p-3fc", 1, 8, 8, 2, 2,
     .objective = {.nll = 0.1, .m = {0.4, 0.6}}},
    {"partial windows, odd sizes", "(3)3c-(4)3c-3p-(5)3c-2p-3fc", 1, 7, 11, 2, 1,
     .objective = ALL(REDUCTION_SUM)},
    {"window larger than the map", "(3)3c-4p-(4)3c-4p-3fc", 1, 6, 5, 2, 1,
     .objective = ALL(REDUCTION_SUM)},
    {"one pixel", "(3)1c-2p-(4)3c-2p-3fc", 1, 1, 1, 1, 1, .objective = ALL(REDUCTION_MEAN)},
    {"batch of one", "(3)3c-2p-(4)3c-2p-3fc", 1, 5, 5, 1, 1, .objective = ALL(REDUCTION_MEAN)},
    {"kernels 11 and 7", "(2)11c-2p-(3)7c-2p-3fc", 1, 8, 8, 2, 2, .objective = ALL(REDUCTION_SUM)},
    {"blocks of channels", "(17)3c-2p-(18)3c-2p-17fc-3fc", 1, 4, 4, 2, 1,
     .objective = ALL(REDUCTION_SUM)},
    {"three colours", "(4)3c-2p-(3)3c-2p-3fc", 3, 6, 6, 2, 1, .objective = ALL(REDUCTION_MEAN)},
    {"blocked image",
     "(4)3c-2p-(3)3c-2p-3fc",
     7,
     5,
     5,
     2,
     1,
     .objective = ALL(REDUCTION_MEAN),
     {.output = OUTPUT_SIGMOID}},
    {"more images than shares", "(2)3c-2p-(3)3c-2p-3fc", 1, 4, 4, 19, 7,
     .objective = ALL(REDUCTION_MEAN)},
    {"upsample",
     "(3)3c-2p-(4)3c-3p-(3)3c-2p-3fc",
     1,
     9,
     7,
     2,
     1,
     .objective = {.nll = 0.7, .rec = 0.9, .m = {0.5, 0.3}},
     {.unpooling = UNPOOL_UPSAMPLE}},
    {"fixed",
     "(3)3c-2p-(4)3c-3p-(3)3c-2p-3fc",
     1,
     9,
     7,
     2,
     1,
     .objective = {.nll = 0.7, .rec = 0.9, .m = {0.5, 0.3}},
     {.unpooling = UNPOOL_FIXED}},
    {"average", "(3)3c-2p-(4)3c-3p-(3)3c-2p-3fc", 1, 9, 7, 2, 1, .objective = ALL(REDUCTION_MEAN),
     .variant = {.unpooling = UNPOOL_AVERAGE}},
    {"soft, beta 5", SOFT, .objective = ALL(REDUCTION_SUM), .variant = {.beta = {5, 5, 5}}},
    {"soft, beta 0.1", SOFT, .objective = ALL(REDUCTION_SUM), .variant = {.beta = {0.1, 0.1, 0.1}}},
    {"soft, beta 100", SOFT, .objective = ALL(REDUCTION_SUM), .variant = {.beta = {100, 100, 100}}},
    {"soft, beta 1000", SOFT, .objective = ALL(REDUCTION_SUM),
     .variant = {.beta = {1000, 1000, 1000}}},
    {"soft, one stage hard", SOFT, .objective = ALL(REDUCTION_MEAN),
     .variant = {.beta = {3, 0, 20}}},
    {"soft, upsample", SOFT, .objective = ALL(REDUCTION_MEAN),
     .variant = {.beta = {3, 3, 3}, .unpooling = UNPOOL_UPSAMPLE}},
    {"soft, fixed", SOFT, .objective = ALL(REDUCTION_MEAN),
     .variant = {.beta = {3, 3, 3}, .unpooling = UNPOOL_FIXED}},
    {"soft, average", SOFT, .objective = ALL(REDUCTION_MEAN),
     .variant = {.beta = {3, 3, 3}, .unpooling = UNPOOL_AVERAGE}},
    {"soft, window of one cell", "(3)3c-2p-(4)3c-3p-3fc", 1, 3, 1, 2, 1,
     .objective = ALL(REDUCTION_SUM), .variant = {.beta = {3, 3}}},
    {"soft, supervised", SOFT, .objective = {.nll = 1}, .variant = {.beta = {3, 3, 3}}},
    {"classes", CLASSES, .objective = TOP, .variant = {.classes_top = true}},
    {"classes, no label", "(3)3c-2p-(4)3c-2p-5fc-3fc", 1, 7, 6, 3, 0, .objective = TOP,
     .variant = {.classes_top = true}},
    {"classes, unsupervised", "(3)3c-2p-(4)3c-2p-5fc-3fc", 1, 7, 6, 3, 0, .objective = {.rec = 1},
     .variant = {.classes_top = true}},
    {"classes, one stage", "(3)3c-2p-3fc", 1, 7, 6, 3, 2, .objective = {.nll = 1, .m = {1}},
     .variant = {.classes_top = true}},
    {"classes, tied", CLASSES, .objective = TOP, .variant = {.classes_top = true, .tied = true}},
    {"classes, layerwise", CLASSES,
     .objective = {.nll = 0.7, .rec = 0.9, .m = {0.5, 0.3}, .layers = LAYERS_LAYERWISE},
     .variant = {.classes_top = true}},
    {"tied", TIED(1), .objective = ALL(REDUCTION_SUM), .variant = {.tied = true}},
    {"tied, three colours", TIED(3), .objective = ALL(REDUCTION_SUM), .variant = {.tied = true}},
    {"tied, blocked image", TIED(6), .objective = ALL(REDUCTION_SUM), .variant = {.tied = true}},
    {"tied, inner term alone", TIED(1), .objective = {.m = {0, 1}}, .variant = {.tied = true}},
    {"tied, supervised", TIED(1), .objective = {.nll = 1}, .variant = {.tied = true}},
    {"norm", TIED(1), .objective = ALL(REDUCTION_SUM), .variant = {.norm = NORM_BATCH}},
    {"norm, three colours", TIED(3), .objective = ALL(REDUCTION_MEAN),
     .variant = {.norm = NORM_BATCH}},
    {"norm, blocked image, sigmoid", TIED(6), .objective = ALL(REDUCTION_MEAN),
     .variant = {.norm = NORM_BATCH, .output = OUTPUT_SIGMOID}},
    {"norm, supervised", TIED(1), .objective = {.nll = 1}, .variant = {.norm = NORM_BATCH}},
    {"norm, more images than shares", "(2)3c-2p-(3)3c-2p-3fc", 1, 4, 4, 37, 7,
     .objective = ALL(REDUCTION_MEAN), .variant = {.norm = NORM_BATCH}},
    {"norm, one image", "(2)3c-2p-(3)3c-2p-3fc", 1, 6, 6, 1, 1, .objective = ALL(REDUCTION_MEAN),
     .variant = {.norm = NORM_BATCH}},
    {"norm pooled", TIED(1), .objective = ALL(REDUCTION_SUM), .variant = {.norm = NORM_POOLED}},
    {"norm pooled, three colours, tied", TIED(3), .objective = ALL(REDUCTION_MEAN),
     .variant = {.norm = NORM_POOLED, .tied = true}},
    {"norm pooled, blocked image", TIED(6), .objective = ALL(REDUCTION_MEAN),
     .variant = {.norm = NORM_POOLED, .unpooling = UNPOOL_UPSAMPLE}},
    {"norm pooled, supervised", TIED(1), .objective = {.nll = 1}, .variant = {.norm = NORM_POOLED}},
    {"norm pooled, one image", "(2)3c-2p-(3)3c-2p-3fc", 1, 6, 6, 1, 1,
     .objective = ALL(REDUCTION_MEAN), .variant = {.norm = NORM_POOLED}},
    {"layerwise", TIED(1),
     .objective = {.nll = 0.7, .rec = 0.9, .m = {0.5, 0.3}, .layers = LAYERS_LAYERWISE}},
    {"layerwise, image only", TIED(1), .objective = {.rec = 1, .layers = LAYERS_LAYERWISE}},
    {"layerwise, one inner term", TIED(1), .objective = {.m = {0.5}, .layers = LAYERS_LAYERWISE}},
    {"l1", TIED(1), .objective = {.nll = 0.7, .rec = 0.9, .m = {0.5, 0.3}, .l1 = 0.2}},
    {"l1, sum", TIED(1), .objective = {.rec = 0.9, .l1 = 0.02, .reduction = REDUCTION_SUM}},
    {"dropout", CLASSES,
     .objective = {.nll = 0.7, .rec = 0.9, .m = {0.5}, .dropout = 0.3, .dropout_conv = 0.2}},
    {"noise", TIED(3),
     .objective = {.nll = 0.7, .rec = 0.9, .m = {0.5, 0.3}, .noise = 0.1, .where_noise = 0.4}},
    {"everything", SOFT,
     .objective = {.nll = 0.7,
                   .rec = 0.9,
                   .m = {0.5, 0.3, 0.2},
                   .l1 = 0.1,
                   .dropout = 0.2,
                   .dropout_conv = 0.1,
                   .noise = 0.1,
                   .where_noise = 0.3},
     .variant = {.beta = {3, 0, 10}, .classes_top = true, .tied = true, .norm = NORM_BATCH}},
    {"everything, layerwise", SOFT,
     .objective = {.nll = 0.7,
                   .rec = 0.9,
                   .m = {0.5, 0.3, 0.2},
                   .l1 = 0.1,
                   .dropout = 0.2,
                   .dropout_conv = 0.1,
                   .noise = 0.1,
                   .where_noise = 0.3,
                   .layers = LAYERS_LAYERWISE,
                   .reduction = REDUCTION_NORM},
     .variant = {.beta = {3, 0, 10}, .classes_top = true, .tied = true, .norm = NORM_BATCH}},
    {"pseudo-labels", TIED(1), .objective = {.nll = 0.7}, .pseudo = 0.6},
    {"consistency", TIED(1), .objective = {.nll = 0.7}, .consistency = 1.7},
    {"agreement without a label", "(3)3c-2p-(4)3c-2p-3fc", 1, 5, 5, 21, 0,
     .objective = ALL(REDUCTION_MEAN), .pseudo = 0.6, .consistency = 1.7},
    {"agreement, everything", CLASSES,
     .objective = {.nll = 0.7, .rec = 0.9, .m = {0.5}, .dropout = 0.3},
     .variant = {.classes_top = true, .norm = NORM_BATCH}, .pseudo = 0.6, .consistency = 1.7},
    {"agreement, all labelled", "(3)3c-2p-(4)3c-2p-3fc", 1, 5, 5, 3, 3, .objective = {.nll = 0.7},
     .pseudo = 0.6, .consistency = 1.7},
    {"winograd", WINOGRAD, .objective = ALL(REDUCTION_SUM)},
    {"winograd, tied, norm", WINOGRAD, .objective = ALL(REDUCTION_MEAN),
     .variant = {.norm = NORM_BATCH, .tied = true}},
    {"winograd, norm pooled", WINOGRAD, .objective = ALL(REDUCTION_MEAN),
     .variant = {.norm = NORM_POOLED}},
    {"no label in the batch", "(3)3c-2p-(4)3c-2p-3fc", 1, 5, 5, 2, 0,
     .objective = ALL(REDUCTION_MEAN)},
};

static double uniform(struct rng *rng, double low, double high) {
    return low + (high - low) * rng_uniform(rng);
}

/* The loss's central difference by one parameter; `unused` takes the gradients. */
static double slope_of(struct engine *engine, double *parameters, size_t k,
                       const struct batch *batch, double *unused) {
    const double kept = parameters[k], step = 1e-6;
    double total[2];
    for (int side = 0; side < 2; side++) {
        struct losses losses;
        parameters[k] = kept + (side ? step : -step);
        assert_int_equal(engine_step(engine, &losses, unused, parameters, batch), SWWAE_OK);
        total[side] = losses.total;
    }
    parameters[k] = kept;
    return (total[1] - total[0]) / (2 * step);
}

/* By switch-sparse passes where there are any, or by dense ones. */
static void check(const struct example *x, bool dense) {
    struct network network;
    assert_int_equal(
        network_build(&network, x->arch, x->channels, x->height, x->width, &x->variant), SWWAE_OK);
    const size_t count = network.parameters;
    const size_t pixels = (size_t)(x->channels * x->height * x->width);
    double *parameters = calloc(count, sizeof *parameters),
           *gradient = calloc(count, sizeof *gradient), *unused = calloc(count, sizeof *unused),
           *images = calloc(pixels * (size_t)x->batch, sizeof *images);
    float *initial = calloc(count, sizeof *initial);
    int32_t *labels = calloc((size_t)x->batch, sizeof *labels);
    struct rng rng = rng_stream(7, RNG_WEIGHTS, 1000);
    network_initialise(initial, &network, 3);
    /* biases a little off zero, so that dead windows and live ones both occur */
    for (size_t v = 0; v < network.view_count; v++)
        for (size_t i = 0; i < network.view[v].size; i++) {
            const size_t k = network.view[v].offset + i;
            parameters[k] = initial[k];
            if (network.view[v].role == ROLE_BIAS) parameters[k] = uniform(&rng, -0.05, 0.2);
            if (network.view[v].role == ROLE_SCALE)
                parameters[k] = uniform(&rng, 0.7, 1.3) * (k % 3 ? 1 : -1);
        }
    for (size_t i = 0; i < pixels * (size_t)x->batch; i++) images[i] = uniform(&rng, 0, 1);
    for (int i = 0; i < x->batch; i++)
        labels[i] = i < x->labelled ? (int32_t)rng_below(&rng, (uint64_t)network.classes) : -1;
    /* two of three others have a guess; targets are probabilities */
    const size_t classes = (size_t)network.classes;
    double *targets = calloc((size_t)x->batch * classes + 1, sizeof *targets);
    int32_t *guesses = calloc((size_t)x->batch, sizeof *guesses);
    struct rng other = rng_stream(8, RNG_WEIGHTS, 1000);
    for (int i = 0; i < x->batch && classes; i++) {
        double sum = 0, *target = targets + (size_t)i * classes;
        for (size_t k = 0; k < classes; k++) sum += target[k] = uniform(&other, 0, 1);
        for (size_t k = 0; k < classes; k++) target[k] /= sum;
        guesses[i] = i % 3 ? (int32_t)rng_below(&other, classes) : -1;
    }

    struct engine *engine = NULL;
    const struct engine_options options = {.objective = &x->objective,
                                           .batch = x->batch,
                                           .threads = 1,
                                           .isa = CPU_REFERENCE,
                                           .dense = dense};
    assert_int_equal(engine_create(&engine, &network, &options), SWWAE_OK);
    struct losses losses;
    const struct batch batch = {.images = images,
                                .labels = labels,
                                .n = x->batch,
                                .seed = 5,
                                .step = 2,
                                .agreement = {.guesses = guesses,
                                              .targets = targets,
                                              .pseudo = x->pseudo,
                                              .consistency = x->consistency}};
    assert_int_equal(engine_step(engine, &losses, gradient, parameters, &batch), SWWAE_OK);
    double largest = 0, worst = 0;
    for (size_t v = 0; v < network.view_count; v++)
        for (size_t i = 0; i < network.view[v].size; i++) {
            const size_t k = network.view[v].offset + i;
            if (network.view[v].role != ROLE_RUNNING) largest = fmax(largest, fabs(gradient[k]));
        }
    assert_true(largest > 1e-4); /* the case reaches something */
    const size_t entries = count > 5000 ? ENTRIES_LARGE : ENTRIES;
    for (size_t v = 0; v < network.view_count; v++) {
        const struct view *view = &network.view[v];
        if (view->role == ROLE_RUNNING) continue; /* a statistic */
        const size_t stride = (view->size / entries + 1) * (size_t)shrink();
        for (size_t i = rng_below(&other, stride); i < view->size; i += stride) {
            const size_t k = view->offset + i;
            const double slope = slope_of(engine, parameters, k, &batch, unused);
            const double error = fabs(slope - gradient[k]) / largest;
            if (error > worst) worst = error;
            if (error > 1e-7)
                print_error("%s: %s, entry %zu: gradient %.12g, finite difference %.12g\n", x->name,
                            view->name, i, gradient[k], slope);
        }
    }
    print_message("%-30s %s worst difference %.1e of the largest entry\n", x->name,
                  dense ? "dense " : "sparse", worst);
    assert_true(worst <= 1e-7);
    engine_free(engine);
    network_clear(&network);
    free(parameters);
    free(gradient);
    free(unused);
    free(images);
    free(targets);
    free(guesses);
    free(initial);
    free(labels);
}

/* The cases that Winograd's filtering is for do use it: without, the bits differ, and little else.
 */
static void check_winograd(void **state) {
    const struct example *x = *state;
    struct network network;
    assert_int_equal(
        network_build(&network, x->arch, x->channels, x->height, x->width, &x->variant), SWWAE_OK);
    double *parameters = calloc(network.parameters, sizeof *parameters), *gradient[2];
    float *initial = calloc(network.parameters, sizeof *initial);
    double images[2 * 7 * 9];
    const int32_t labels[2] = {1, -1};
    struct rng rng = rng_stream(7, RNG_WEIGHTS, 1000);
    for (size_t i = 0; i < sizeof images / sizeof *images; i++) images[i] = uniform(&rng, 0, 1);
    network_initialise(initial, &network, 3);
    for (size_t i = 0; i < network.parameters; i++) parameters[i] = initial[i];
    struct losses losses[2];
    for (int direct = 0; direct < 2; direct++) {
        struct engine *engine = NULL;
        const struct engine_options options = {.objective = &x->objective,
                                               .batch = x->batch,
                                               .threads = 1,
                                               .isa = CPU_REFERENCE,
                                               .direct = direct};
        gradient[direct] = calloc(network.parameters, sizeof **gradient);
        assert_int_equal(engine_create(&engine, &network, &options), SWWAE_OK);
        const struct batch batch = {.images = images, .labels = labels, .n = 2};
        assert_int_equal(engine_step(engine, &losses[direct], gradient[direct], parameters, &batch),
                         SWWAE_OK);
        engine_free(engine);
    }
    double largest = 0;
    for (size_t i = 0; i < network.parameters; i++) largest = fmax(largest, fabs(gradient[0][i]));
    assert_memory_not_equal(gradient[0], gradient[1], network.parameters * sizeof **gradient);
    for (size_t i = 0; i < network.parameters; i++)
        assert_true(fabs(gradient[0][i] - gradient[1][i]) <= 1e-11 * largest);
    network_clear(&network);
    free(parameters);
    free(initial);
    for (int k = 0; k < 2; k++) free(gradient[k]);
}

static void check_sparse(void **state) { check(*state, false); }
static void check_dense(void **state) { check(*state, true); }

int main(void) {
    const size_t count = sizeof examples / sizeof *examples;
    struct CMUnitTest tests[2 * sizeof examples / sizeof *examples + 3];
    size_t more = 2 * count;
    for (size_t i = 0; i < count; i++)
        for (size_t dense = 0; dense < 2; dense++)
            tests[2 * i + dense] =
                (struct CMUnitTest){.name = examples[i].name,
                                    .test_func = dense ? check_dense : check_sparse,
                                    .initial_state = (void *)&examples[i]};
    for (size_t i = 0; i < count; i++)
        if (!strncmp(examples[i].name, "winograd", 8))
            tests[more++] = (struct CMUnitTest){.name = "winograd is used",
                                                .test_func = check_winograd,
                                                .initial_state = (void *)&examples[i]};
    assert_int_equal(more, 2 * count + 3);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
