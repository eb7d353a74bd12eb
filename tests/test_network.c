/* test_network.c - layers, views, initial weights and FLOPs of a network, against numbers worked
 * out by hand. */
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/network.h"

#define N1 "(16)5c-(32)3c-7p"                    /* at 1 x 28 x 28 */
#define N2 "(64)5c-2p-(64)3c-2p-(128)3c-2p-10fc" /* at 1 x 32 x 32 */

static struct network build(const char *arch, int channels, int height, int width) {
    struct network network = {0};
    if (network_build(&network, arch, channels, height, width, NULL))
        fail_msg("%s", swwae_last_error());
    return network;
}

static void check_conv(const struct conv_layer *conv, int in, int out, int kernel, int height,
                       int width) {
    assert_int_equal(conv->in, in);
    assert_int_equal(conv->out, out);
    assert_int_equal(conv->kernel, kernel);
    assert_int_equal(conv->height, height);
    assert_int_equal(conv->width, width);
}

static void check_stage(const struct stage *stage, int maps, int height, int width,
                        int pooled_height, int pooled_width) {
    assert_int_equal(stage->maps, maps);
    assert_int_equal(stage->height, height);
    assert_int_equal(stage->width, width);
    assert_int_equal(stage->pooled_height, pooled_height);
    assert_int_equal(stage->pooled_width, pooled_width);
}

static void mirrors_the_encoder(void **state) {
    (void)state;
    struct network n = build(N1, 1, 28, 28);
    assert_int_equal(n.stages, 1);
    assert_int_equal(n.stage[0].convs, 2);
    assert_int_equal(n.stage[0].pool, 7);
    assert_int_equal(n.classes, 0);
    check_stage(&n.stage[0], 32, 28, 28, 4, 4);
    check_conv(&n.stage[0].encoder[0], 1, 16, 5, 28, 28);
    check_conv(&n.stage[0].encoder[1], 16, 32, 3, 28, 28);
    check_conv(&n.stage[0].decoder[0], 16, 1, 5, 28, 28);
    check_conv(&n.stage[0].decoder[1], 32, 16, 3, 28, 28);
    network_clear(&n);

    n = build(N2, 1, 32, 32);
    check_stage(&n.stage[0], 64, 32, 32, 16, 16);
    check_stage(&n.stage[1], 64, 16, 16, 8, 8);
    check_stage(&n.stage[2], 128, 8, 8, 4, 4);
    check_conv(&n.stage[2].encoder[0], 64, 128, 3, 8, 8);
    check_conv(&n.stage[2].decoder[0], 128, 64, 3, 8, 8);
    assert_int_equal(n.fcs, 1);
    assert_int_equal(n.fc[0].in, 128 * 4 * 4);
    assert_int_equal(n.fc[0].out, 10);
    assert_int_equal(n.classes, 10);
    network_clear(&n);
    assert_null(n.view);
}

static void rounds_pooled_sizes_up(void **state) {
    (void)state;
    struct network n = build("(4)3c-2p-(4)3c-2p-(4)3c-16p-7fc-3fc", 3, 45, 28);
    check_stage(&n.stage[0], 4, 45, 28, 23, 14);
    check_stage(&n.stage[1], 4, 23, 14, 12, 7);
    check_stage(&n.stage[2], 4, 12, 7, 1, 1); /* a map smaller than its window */
    check_conv(&n.stage[0].decoder[0], 4, 3, 3, 45, 28);
    assert_int_equal(n.fc[0].in, 4);
    assert_int_equal(n.fc[1].in, 7);
    assert_int_equal(n.classes, 3);
    network_clear(&n);

    /* the paper's STL-10 net: 96 -> 24 -> 8 -> 4 -> 2 */
    n = build("(64)3c-4p-(64)3c-3p-(128)3c-(128)3c-2p-(256)3c-(256)3c-(256)3c-(512)3c-(512)3c-"
              "(512)3c-2p-10fc",
              3, 96, 96);
    check_stage(&n.stage[3], 512, 4, 4, 2, 2);
    check_conv(&n.stage[3].encoder[3], 256, 512, 3, 4, 4);
    check_conv(&n.stage[3].decoder[3], 512, 256, 3, 4, 4);
    check_conv(&n.stage[3].decoder[0], 256, 128, 3, 4, 4);
    assert_int_equal(n.fc[0].in, 2048);
    network_clear(&n);
}

struct expected_view {
    const char *name;
    int rank;
    size_t shape[4];
    int fan_in;
};

static void check_views(const struct network *n, const struct expected_view *expected,
                        size_t count) {
    size_t offset = 0;
    assert_int_equal(n->view_count, count);
    for (size_t i = 0; i < count; i++) {
        const struct view *view = &n->view[i];
        size_t size = 1;
        assert_string_equal(view->name, expected[i].name);
        assert_int_equal(view->rank, expected[i].rank);
        assert_int_equal(view->fan_in, expected[i].fan_in);
        for (int d = 0; d < 4; d++) assert_int_equal(view->shape[d], expected[i].shape[d]);
        for (int d = 0; d < view->rank; d++) size *= view->shape[d];
        assert_int_equal(view->size, size);
        assert_int_equal(view->offset, offset); /* contiguous */
        offset += size;
    }
    assert_int_equal(offset, n->parameters); /* complete */
}

static const struct view *find(const struct network *n, const char *name) {
    for (size_t i = 0; i < n->view_count; i++)
        if (strcmp(n->view[i].name, name) == 0) return &n->view[i];
    fail_msg("no view %s", name);
    return NULL;
}

static void names_every_parameter(void **state) {
    (void)state;
    struct network n = build(N1, 1, 28, 28);
    static const struct expected_view n1[] = {
        {"encoder.0.0.weight", 4, {16, 1, 5, 5}, 25},   {"encoder.0.0.bias", 1, {16}, 0},
        {"encoder.0.1.weight", 4, {32, 16, 3, 3}, 144}, {"encoder.0.1.bias", 1, {32}, 0},
        {"decoder.0.0.weight", 4, {1, 16, 5, 5}, 400},  {"decoder.0.0.bias", 1, {1}, 0},
        {"decoder.0.1.weight", 4, {16, 32, 3, 3}, 288}, {"decoder.0.1.bias", 1, {16}, 0},
    };
    check_views(&n, n1, sizeof n1 / sizeof *n1);
    /* 416 + 4640 and 401 + 4624 */
    assert_int_equal(n.parameters, 10081);
    network_clear(&n);

    n = build(N2, 1, 32, 32);
    static const struct expected_view n2[] = {
        {"encoder.0.0.weight", 4, {64, 1, 5, 5}, 25},     {"encoder.0.0.bias", 1, {64}, 0},
        {"encoder.1.0.weight", 4, {64, 64, 3, 3}, 576},   {"encoder.1.0.bias", 1, {64}, 0},
        {"encoder.2.0.weight", 4, {128, 64, 3, 3}, 576},  {"encoder.2.0.bias", 1, {128}, 0},
        {"classifier.0.weight", 2, {10, 2048}, 2048},     {"classifier.0.bias", 1, {10}, 0},
        {"decoder.0.0.weight", 4, {1, 64, 5, 5}, 1600},   {"decoder.0.0.bias", 1, {1}, 0},
        {"decoder.1.0.weight", 4, {64, 64, 3, 3}, 576},   {"decoder.1.0.bias", 1, {64}, 0},
        {"decoder.2.0.weight", 4, {64, 128, 3, 3}, 1152}, {"decoder.2.0.bias", 1, {64}, 0},
    };
    check_views(&n, n2, sizeof n2 / sizeof *n2);
    /* 1664 + 36928 + 73856, 20490, 1601 + 36928 + 73792 */
    assert_int_equal(n.parameters, 245259);
    /* the layers point at the same places */
    assert_int_equal(n.stage[2].encoder[0].weight, find(&n, "encoder.2.0.weight")->offset);
    assert_int_equal(n.stage[2].encoder[0].bias, find(&n, "encoder.2.0.bias")->offset);
    assert_int_equal(n.stage[1].decoder[0].weight, find(&n, "decoder.1.0.weight")->offset);
    assert_int_equal(n.stage[1].decoder[0].bias, find(&n, "decoder.1.0.bias")->offset);
    assert_int_equal(n.fc[0].weight, find(&n, "classifier.0.weight")->offset);
    assert_int_equal(n.fc[0].bias, find(&n, "classifier.0.bias")->offset);
    network_clear(&n);
}

/* For x uniform in +-b: E x = 0 with standard error b / sqrt(3 n); E x^2 = b^2 / 3 with standard
 * error b^2 sqrt(4 / (45 n)), since E x^4 = b^4 / 5. Six of them: past that lies a share of 2e-9
 * of a normal distribution. All n stay below b (1 - 20 / n) with probability exp(-20), as rare. */
static void draws_he_weights(void **state) {
    (void)state;
    struct network n = build(N2, 1, 32, 32);
    float *p = malloc(n.parameters * sizeof *p);
    assert_non_null(p);
    network_initialise(p, &n, 1);
    for (size_t i = 0; i < n.view_count; i++) {
        const struct view *view = &n.view[i];
        double sum = 0, squares = 0, largest = 0, count = (double)view->size;
        if (!view->fan_in) {
            for (size_t k = 0; k < view->size; k++) assert_true(p[view->offset + k] == 0);
            continue;
        }
        double bound = sqrt(6.0 / view->fan_in);
        for (size_t k = 0; k < view->size; k++) {
            double x = p[view->offset + k];
            assert_true(fabs(x) <= (float)bound);
            sum += x;
            squares += x * x;
            largest = fmax(largest, fabs(x));
        }
        assert_true(fabs(sum / count) <= 6 * bound / sqrt(3 * count));
        assert_true(fabs(squares / count - 2.0 / view->fan_in) <=
                    6 * bound * bound * sqrt(4 / (45 * count)));
        assert_true(largest >= bound * (1 - 20 / count));
    }
    free(p);
    network_clear(&n);
}

static void repeats_a_seed_and_only_a_seed(void **state) {
    (void)state;
    struct network n = build(N1, 1, 28, 28);
    size_t bytes = n.parameters * sizeof(float);
    float *a = malloc(bytes), *b = malloc(bytes), *c = malloc(bytes);
    assert_true(a && b && c);
    memset(b, 0xff, bytes); /* every value is written, biases too */
    network_initialise(a, &n, 42);
    network_initialise(b, &n, 42);
    network_initialise(c, &n, 43);
    assert_memory_equal(a, b, bytes);
    size_t equal = 0, weights = 0;
    for (size_t i = 0; i < n.view_count; i++)
        for (size_t k = 0; n.view[i].fan_in && k < n.view[i].size; k++, weights++)
            equal += a[n.view[i].offset + k] == c[n.view[i].offset + k];
    /* Two draws of 53 bits rounded to a float of 24 meet with probability about 2^-23; there are
     * 10016 pairs, so one meeting is unlikely and two are practically excluded. */
    assert_int_equal(weights, 10016);
    assert_true(equal < 2);
    /* tensors of one seed have streams of their own */
    const float *e1 = a + find(&n, "encoder.0.1.weight")->offset;
    const float *d1 = a + find(&n, "decoder.0.1.weight")->offset;
    double ratio = (double)e1[0] / d1[0], scale = sqrt(288.0 / 144.0);
    assert_true(fabs(ratio - scale) > 1e-3);
    free(a);
    free(b);
    free(c);
    network_clear(&n);
}

static void counts_flops(void **state) {
    (void)state;
    /* 2 x 28 x 28 x (16 1 25 + 32 16 9), the same back */
    struct network n = build(N1, 1, 28, 28);
    assert_true(network_flops_encoder(&n) == 7852544.0);
    assert_true(network_flops_decoder(&n) == 7852544.0);
    network_clear(&n);
    /* 2 x (1600 x 1024 + 36864 x 256 + 73728 x 64), and 2 x 20480 for the classifier */
    n = build(N2, 1, 32, 32);
    assert_true(network_flops_decoder(&n) == 31588352.0);
    assert_true(network_flops_encoder(&n) == 31588352.0 + 40960.0);
    network_clear(&n);
}

static void refuses(const char *arch, int channels, int height, int width, swwae_status status,
                    const char *message) {
    struct network n, before;
    memset(&n, 0x5a, sizeof n);
    memcpy(&before, &n, sizeof n);
    assert_int_equal(network_build(&n, arch, channels, height, width, NULL), status);
    assert_string_equal(swwae_last_error(), message);
    assert_memory_equal(&n, &before, sizeof n);
}

static void refuses_what_does_not_fit(void **state) {
    (void)state;
    refuses("(8)3c", 1, 8, 8, SWWAE_E_NOTATION,
            "architecture \"(8)3c\": at character 6, the end of the text found, expected '-' and a "
            "pool: a stage must end with a pool such as 2p");
    refuses(N1, 0, 28, 28, SWWAE_E_ARGUMENT, "images of 0 channels found, expected 1 to 1024");
    refuses(N1, 1025, 28, 28, SWWAE_E_ARGUMENT,
            "images of 1025 channels found, expected 1 to 1024");
    refuses(N1, 1, 0, 28, SWWAE_E_ARGUMENT,
            "images of height 0 and width 28 found, expected 1 to 4096 each");
    refuses(N1, 1, 28, 4097, SWWAE_E_ARGUMENT,
            "images of height 28 and width 4097 found, expected 1 to 4096 each");
    refuses(N1, INT_MIN, INT_MIN, INT_MAX, SWWAE_E_ARGUMENT,
            "images of -2147483648 channels found, expected 1 to 1024");
    /* 2^34 inputs: the low 32 bits of the product are 0 */
    refuses("(4096)1c-2p-10fc", 1, 4096, 4096, SWWAE_E_ARGUMENT,
            "the first fully connected layer would have 17179869184 inputs (4096 maps of 2048 x "
            "2048), expected at most 268435456; pool more or use smaller images");
    refuses("(512)1c-2p-1fc", 1, 4096, 4096, SWWAE_E_ARGUMENT, /* 2^31: one too many */
            "the first fully connected layer would have 2147483648 inputs (512 maps of 2048 x "
            "2048), expected at most 268435456; pool more or use smaller images");
}

/* The largest legal layers: no size wraps. */
static void holds_the_largest_sizes(void **state) {
    (void)state;
    struct network n = build("(4096)1c-2p", 1024, 4096, 4096); /* no fc layer, so no limit */
    network_clear(&n);
    n = build("(64)1c-2p-65536fc-65536fc", 1, 4096, 4096);
    assert_int_equal(n.fc[0].in, 64 * 2048 * 2048);
    /* 2 x 64 up, 2^28 x 65536 + 65536^2 + 2 x 65536, 64 + 1 down */
    assert_true(n.parameters == 128u + 17592186044416u + 4295098368u + 65u);
    network_clear(&n);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mirrors_the_encoder),
        cmocka_unit_test(rounds_pooled_sizes_up),
        cmocka_unit_test(names_every_parameter),
        cmocka_unit_test(draws_he_weights),
        cmocka_unit_test(repeats_a_seed_and_only_a_seed),
        cmocka_unit_test(counts_flops),
        cmocka_unit_test(refuses_what_does_not_fit),
        cmocka_unit_test(holds_the_largest_sizes),
    };
    return cmocka_run_group_tests_name("network", tests, NULL, NULL);
}
