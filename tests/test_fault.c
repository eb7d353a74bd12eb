/* test_fault.c - the first value of a step that is not finite is found where it was made, whatever
 * the kernels and the number of threads; and a sound step has none. */
#include "base/cpu.h"
#include "base/rng.h"
#include "engine/fault.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BATCH 13
#define SIDE 12
#define ARCH "(5)3c-2p-(7)3c-2p-6fc-4fc"

struct fixture {
    struct network network;
    struct objective objective;
    float *parameters, *gradient, *images;
    int32_t labels[BATCH];
};

static void build(struct fixture *f, const struct variant *variant) {
    assert_int_equal(network_build(&f->network, ARCH, 1, SIDE, SIDE, variant), SWWAE_OK);
    f->objective = (struct objective){.nll = 1, .rec = 1, .m = {0.5}};
    f->parameters = calloc(f->network.parameters, sizeof(float));
    f->gradient = calloc(f->network.parameters, sizeof(float));
    f->images = calloc((size_t)BATCH * SIDE * SIDE, sizeof(float));
    network_initialise(f->parameters, &f->network, 5);
    struct rng rng = rng_stream(3, RNG_SHAPES, 0);
    for (int i = 0; i < BATCH * SIDE * SIDE; i++) f->images[i] = (float)rng_uniform(&rng);
    for (int i = 0; i < BATCH; i++) f->labels[i] = i % 2 ? -1 : i % 4;
}

static void clear(struct fixture *f) {
    network_clear(&f->network);
    free(f->parameters);
    free(f->gradient);
    free(f->images);
}

static float *view(const struct fixture *f, const char *name, size_t *size) {
    for (size_t i = 0; i < f->network.view_count; i++)
        if (!strcmp(f->network.view[i].name, name)) {
            if (size) *size = f->network.view[i].size;
            return f->parameters + f->network.view[i].offset;
        }
    fail_msg("no parameter %s", name);
    return NULL;
}

static void fill(const struct fixture *f, const char *name, float value) {
    size_t size = 0;
    float *values = view(f, name, &size);
    for (size_t i = 0; i < size; i++) values[i] = value;
}

/* The place holds `part`, by every instruction set, and is one with any number of threads; "":
 * there is none. */
static void finds(const struct fixture *f, const char *part) {
    for (int isa = 0; isa < CPU_ISA_COUNT; isa++) {
        if (!cpu_has((enum cpu_isa)isa)) continue;
        char first[160] = "";
        for (int threads = 1; threads <= 3; threads++) {
            struct engine *engine;
            struct fault fault;
            struct losses losses;
            const struct batch batch = {.images = f->images, .labels = f->labels, .n = BATCH};
            const struct engine_options options = {
                .objective = &f->objective, .batch = BATCH, .threads = threads, .isa = isa};
            assert_int_equal(engine_create(&engine, &f->network, &options), SWWAE_OK);
            assert_int_equal(engine_step(engine, &losses, f->gradient, f->parameters, &batch),
                             SWWAE_OK);
            assert_int_equal(engine_find_fault(engine, &fault, f->gradient, f->parameters, &batch),
                             SWWAE_OK);
            engine_free(engine);
            if (fault.found != (*part != 0) || (*part && !strstr(fault.place, part)))
                fail_msg("%s: \"%s\" lacks \"%s\"", cpu_isa_name((enum cpu_isa)isa), fault.place,
                         part);
            if (threads == 1) snprintf(first, sizeof first, "%s", fault.place);
            assert_string_equal(first, fault.place);
        }
    }
}

static void test_sound(void **state) {
    (void)state;
    struct fixture f;
    build(&f, NULL);
    finds(&f, "");
    clear(&f);
}

static void test_parameter(void **state) {
    (void)state;
    struct fixture f;
    build(&f, NULL);
    view(&f, "decoder.1.0.bias", NULL)[3] = NAN;
    finds(&f, "the parameter decoder.1.0.bias");
    clear(&f);
}

/* Weights so large that a layer's sums overflow: from there on everything is infinite. */
static void test_forward(void **state) {
    (void)state;
    static const struct {
        const char *weight, *place;
    } cases[] = {{"encoder.0.0.weight", "the output of encoder.0.0 (conv"},
                 {"encoder.1.0.weight", "the output of encoder.1.0 (conv"},
                 {"classifier.0.weight", "the output of classifier.0 (linear), image 0 of"},
                 {"decoder.1.0.weight", "the output of decoder.1.0 (unpool-conv), image 0 of"},
                 {"decoder.0.0.weight", "the output of decoder.0.0 ("}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        build(&f, NULL);
        fill(&f, cases[i].weight, 3e38f);
        finds(&f, cases[i].place);
        clear(&f);
    }
}

/* One image only. */
static void test_image(void **state) {
    (void)state;
    struct fixture f;
    build(&f, NULL);
    memset(f.images, 0, (size_t)BATCH * SIDE * SIDE * sizeof(float));
    for (int i = 0; i < SIDE * SIDE; i++) f.images[9 * SIDE * SIDE + i] = 1;
    fill(&f, "encoder.0.0.weight", 3e38f);
    finds(&f, "image 9 of the batch");
    clear(&f);
}

/* The terms: an image whose distance, or its slope, is infinite though both sides are finite. */
static void test_term(void **state) {
    (void)state;
    struct fixture f;
    build(&f, NULL);
    fill(&f, "decoder.0.0.weight", 0);
    fill(&f, "decoder.0.0.bias", 3e38f);
    for (int i = 0; i < BATCH * SIDE * SIDE; i++)
        f.images[i] = i / (SIDE * SIDE) == 5 ? -3e38f : 3e38f;
    fill(&f, "encoder.0.0.weight", 0); /* so that the images spoil nothing else */
    finds(&f, "the reconstruction term, image 5 of the batch");
    clear(&f);
}

/* Forward all is well; gradients grow on the way back. */
static void test_back(void **state) {
    (void)state;
    struct fixture f;
    build(&f, NULL);
    size_t size = 0;
    float *weight = view(&f, "classifier.1.weight", &size); /* (4, 6): the slopes' sum is 0 */
    for (size_t i = 0; i < size; i++) weight[i] = (i / 6 & 1 ? 1 : -1) * 3e37f;
    fill(&f, "classifier.0.weight", 0); /* hidden units: their bias, tiny */
    fill(&f, "classifier.0.bias", 1e-37f);
    f.objective.nll = 1e6;
    finds(&f, "the gradient that classifier.1 (linear) passes back, image");
    clear(&f);
}

/* Sums over the batch that overflow: the term's own slope is still finite. */
static void test_weights(void **state) {
    (void)state;
    struct fixture f;
    build(&f, NULL);
    fill(&f, "decoder.0.0.weight", 0);
    fill(&f, "decoder.0.0.bias", 1e15f);
    f.objective = (struct objective){.rec = 1e24, .reduction = REDUCTION_SUM};
    finds(&f, "the gradient of the weights of decoder.0.0 (");
    clear(&f);
}

static void test_norm(void **state) {
    (void)state;
    const struct variant variant = {.norm = NORM_BATCH};
    struct fixture f;
    build(&f, &variant);
    finds(&f, "");
    fill(&f, "encoder.1.0.scale", 3e38f);
    finds(&f, "the output of encoder.1.0 (norm)");
    clear(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound),   cmocka_unit_test(test_parameter),
        cmocka_unit_test(test_forward), cmocka_unit_test(test_image),
        cmocka_unit_test(test_term),    cmocka_unit_test(test_back),
        cmocka_unit_test(test_weights), cmocka_unit_test(test_norm)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
