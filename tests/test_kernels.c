/* test_kernels.c - every kernel of every instruction set against the reference, on odd shapes; see
 * kernel_tensors.h for the bounds. */
#include "kernel_tensors.h"

/* ---- convolution ---- */

struct shape {
    int in, out, kernel, height, width, images;
};

static const struct shape shapes[] = {
    {1, 16, 5, 28, 28, 1}, {16, 32, 3, 9, 14, 2}, {1, 1, 1, 1, 1, 1},    {3, 17, 3, 5, 7, 2},
    {17, 33, 3, 4, 4, 3},  {64, 64, 3, 8, 8, 2},  {5, 3, 11, 6, 13, 1},  {20, 48, 7, 3, 2, 2},
    {33, 20, 3, 2, 3, 4},  {16, 16, 9, 1, 15, 1}, {4, 40, 5, 23, 11, 1}, {32, 64, 1, 5, 6, 3},
    {18, 2, 5, 7, 32, 1},  {16, 16, 3, 15, 1, 2}, {2, 50, 3, 6, 5, 1},   {48, 3, 3, 16, 30, 1},
};

static void conv_case(const struct shape *s, int lanes, bool transposed, bool relu, bool gated) {
    const int in = transposed ? s->out : s->in, out = transposed ? s->in : s->out;
    const size_t weights = (size_t)(s->in * s->out * s->kernel * s->kernel);
    const size_t packed = pack_conv_size(out, in, s->kernel);
    const size_t biases = (size_t)pack_blocks(out) * LANES;
    float *weight = buffer(weights), *bias = buffer(biases);
    float *wide = buffer(packed), *narrow = buffer(packed);
    struct tensor x = tensor(in, s->height, s->width, s->kernel / 2, lanes, s->images);
    struct tensor gate = tensor(out, s->height, s->width, 1, LANES, s->images);
    struct tensor y[3];
    for (int k = 0; k < 3; k++) y[k] = tensor(out, s->height, s->width, 2, LANES, s->images);
    fill(&x, s->images);
    fill(&gate, s->images);
    for (size_t i = 0; i < weights; i++) weight[i] = (float)(rng_uniform(&rng) * 2 - 1);
    for (int i = 0; i < out; i++) bias[i] = (float)(rng_uniform(&rng) * 2 - 1);

    struct conv conv = {.x = x.map,
                        .bias = bias,
                        .relu = relu,
                        .gate = gated ? &gate.map : NULL,
                        .kernel = s->kernel,
                        .images = s->images};
    pack_conv(wide, weight, s->out, s->in, s->kernel, lanes, tested.group, transposed);
    pack_conv(narrow, weight, s->out, s->in, s->kernel, lanes, reference.group, transposed);
    conv.y = y[0].map;
    conv.weight = wide;
    tested.conv(&conv);
    conv.y = y[1].map;
    conv.weight = narrow;
    reference.conv(&conv);
    absolute(narrow, packed);
    absolute(x.memory, x.size);
    absolute(bias, biases);
    conv.y = y[2].map;
    reference.conv(&conv);
    compare("conv", y[0].memory, y[1].memory, y[2].memory, (double)in * s->kernel * s->kernel,
            y[0].size);

    for (int k = 0; k < 3; k++) tensor_free(&y[k], s->images);
    tensor_free(&x, s->images);
    tensor_free(&gate, s->images);
    buffer_free(weight, weights);
    buffer_free(bias, biases);
    buffer_free(wide, packed);
    buffer_free(narrow, packed);
}

static void test_conv(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int form = 0; form < 8; form++)
            for (int lanes = 1; lanes <= LANES; lanes += LANES - 1)
                conv_case(&shapes[i], lanes, form & 1, form & 2, form & 4);
}

static void test_conv_few(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const struct shape *s = &shapes[i];
        const int out = i % 4 + 1;
        const size_t weights = (size_t)(s->in * out * s->kernel * s->kernel);
        const size_t packed = pack_conv_few_size(out, s->in, s->kernel);
        float *weight = buffer(weights), *order = buffer(packed), *bias = buffer((size_t)out);
        struct tensor x = tensor(s->in, s->height, s->width, s->kernel / 2, LANES, s->images);
        struct tensor y[3];
        for (int k = 0; k < 3; k++) y[k] = tensor(out, s->height, s->width, 1, 1, s->images);
        fill(&x, s->images);
        for (size_t k = 0; k < weights; k++) weight[k] = (float)(rng_uniform(&rng) * 2 - 1);
        for (int k = 0; k < out; k++) bias[k] = (float)(rng_uniform(&rng) * 2 - 1);
        pack_conv_few(order, weight, out, s->in, s->kernel);
        struct conv conv = {
            .x = x.map, .weight = order, .bias = bias, .kernel = s->kernel, .images = s->images};
        conv.y = y[0].map;
        tested.conv_few(&conv);
        conv.y = y[1].map;
        reference.conv_few(&conv);
        absolute(order, packed);
        absolute(x.memory, x.size);
        absolute(bias, (size_t)out);
        conv.y = y[2].map;
        reference.conv_few(&conv);
        compare("conv_few", y[0].memory, y[1].memory, y[2].memory,
                (double)s->in * s->kernel * s->kernel, y[0].size);
        for (int k = 0; k < 3; k++) tensor_free(&y[k], s->images);
        tensor_free(&x, s->images);
        buffer_free(weight, weights);
        buffer_free(order, packed);
        buffer_free(bias, (size_t)out);
    }
}

static void test_conv_outer(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int lanes = 1; lanes <= LANES; lanes += LANES - 1) {
            const struct shape *s = &shapes[i];
            const size_t size = pack_outer_size(s->out, s->in, s->kernel);
            const size_t biases = (size_t)pack_blocks(s->out) * LANES;
            struct tensor v = tensor(s->out, s->height, s->width, 1, LANES, s->images);
            struct tensor x = tensor(s->in, s->height, s->width, s->kernel / 2, lanes, s->images);
            float *sum[3], *bias[3];
            for (int k = 0; k < 3; k++) {
                sum[k] = buffer(size);
                bias[k] = buffer(biases);
                for (size_t j = 0; j < size; j++) sum[k][j] = j % 16 < 3 ? 0.5f : 0;
            }
            fill(&v, s->images);
            fill(&x, s->images);
            tested.conv_outer(sum[0], &v.map, &x.map, s->kernel, s->images);
            reference.conv_outer(sum[1], &v.map, &x.map, s->kernel, s->images);
            tested.sum_pixels(bias[0], &v.map, s->images);
            reference.sum_pixels(bias[1], &v.map, s->images);
            absolute(v.memory, v.size);
            absolute(x.memory, x.size);
            reference.conv_outer(sum[2], &v.map, &x.map, s->kernel, s->images);
            reference.sum_pixels(bias[2], &v.map, s->images);
            const double terms = (double)s->images * s->height * s->width;
            compare("conv_outer", sum[0], sum[1], sum[2], terms + 1, size);
            compare("sum_pixels", bias[0], bias[1], bias[2], terms + 1, biases);
            tensor_free(&v, s->images);
            tensor_free(&x, s->images);
            for (int k = 0; k < 3; k++) {
                buffer_free(sum[k], size);
                buffer_free(bias[k], biases);
            }
        }
}

/* <conv(x), y> = <x, conv^T(y)>: the gradient to the input is the adjoint. */
static void test_adjoint(void **state) {
    (void)state;
    const struct shape s = {18, 20, 3, 7, 9, 2};
    const size_t weights = (size_t)(s.in * s.out * 9);
    float *weight = buffer(weights), *forward = buffer(pack_conv_size(s.out, s.in, 3)),
          *back = buffer(pack_conv_size(s.in, s.out, 3));
    for (size_t i = 0; i < weights; i++) weight[i] = (float)(rng_uniform(&rng) * 2 - 1);
    pack_conv(forward, weight, s.out, s.in, 3, LANES, tested.group, false);
    pack_conv(back, weight, s.out, s.in, 3, LANES, tested.group, true);
    struct tensor x = tensor(s.in, s.height, s.width, 1, LANES, s.images);
    struct tensor y = tensor(s.out, s.height, s.width, 1, LANES, s.images);
    struct tensor ax = tensor(s.out, s.height, s.width, 1, LANES, s.images);
    struct tensor ay = tensor(s.in, s.height, s.width, 1, LANES, s.images);
    fill(&x, s.images);
    fill(&y, s.images);
    tested.conv(&(struct conv){
        .y = ax.map, .x = x.map, .weight = forward, .kernel = 3, .images = s.images});
    tested.conv(
        &(struct conv){.y = ay.map, .x = y.map, .weight = back, .kernel = 3, .images = s.images});
    double left = 0, right = 0, size = 0;
    for (size_t i = 0; i < y.size; i++) {
        left += (double)ax.memory[i] * y.memory[i];
        size += fabs((double)ax.memory[i] * y.memory[i]);
    }
    for (size_t i = 0; i < x.size; i++) right += (double)ay.memory[i] * x.memory[i];
    assert_true(fabs(left - right) <= 20 * 9 * 0x1p-24 * size);
    tensor_free(&x, s.images);
    tensor_free(&y, s.images);
    tensor_free(&ax, s.images);
    tensor_free(&ay, s.images);
    buffer_free(weight, weights);
    buffer_free(forward, pack_conv_size(s.out, s.in, 3));
    buffer_free(back, pack_conv_size(s.in, s.out, 3));
}

/* ---- pooling ---- */

static void test_pool(void **state) {
    (void)state;
    static const int sizes[][5] = {/* channels, height, width, pool, images */
                                   {16, 4, 4, 2, 1},    {17, 5, 7, 2, 2}, {3, 28, 28, 7, 1},
                                   {33, 45, 45, 2, 1},  {5, 1, 1, 2, 3},  {20, 6, 5, 16, 2},
                                   {16, 33, 17, 16, 1}, {8, 10, 9, 3, 2}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const int c = sizes[i][0], h = sizes[i][1], w = sizes[i][2], k = sizes[i][3],
                  n = sizes[i][4];
        const int ph = (h + k - 1) / k, pw = (w + k - 1) / k;
        const size_t switches = (size_t)(pack_blocks(c) * LANES * ph * pw * n);
        struct tensor x = tensor(c, h, w, 1, LANES, n), what[2], up[2], open, y;
        uint8_t *where[2];
        for (int t = 0; t < 2; t++) {
            what[t] = tensor(c, ph, pw, 2, LANES, n);
            up[t] = tensor(c, h, w, 3, LANES, n);
            where[t] = malloc(switches);
            memset(where[t], 255, switches);
        }
        open = tensor(c, ph, pw, 0, LANES, n);
        y = tensor(c, h, w, 2, LANES, n);
        fill(&x, n);
        fill(&open, n);
        fill(&y, n);
        /* after ReLU, with ties and a few NaN and infinities */
        for (size_t j = 0; j < x.size; j++)
            if (x.memory[j] < 0) x.memory[j] = 0;
        *map_at(&x.map, 0, c / 2, h / 2, w / 2) = NAN;
        *map_at(&x.map, n - 1, c - 1, h - 1, w - 1) = INFINITY;
        tested.pool(&what[0].map, where[0], &x.map, k, n);
        reference.pool(&what[1].map, where[1], &x.map, k, n);
        assert_memory_equal(where[0], where[1], switches);
        assert_memory_equal(what[0].memory, what[1].memory, what[0].size * sizeof(float));
        for (int gated = 0; gated < 2; gated++) {
            const struct map *gate = gated ? &open.map : NULL;
            tested.unpool(&up[0].map, &what[0].map, where[0], gate, k, n);
            reference.unpool(&up[1].map, &what[1].map, where[1], gate, k, n);
            assert_memory_equal(up[0].memory, up[1].memory, up[0].size * sizeof(float));
        }
        tested.upsample(&up[0].map, &what[0].map, k, false, n);
        reference.upsample(&up[1].map, &what[0].map, k, false, n);
        assert_memory_equal(up[0].memory, up[1].memory, up[0].size * sizeof(float));
        tested.upsample(&up[0].map, &what[0].map, k, true, n);
        reference.upsample(&up[1].map, &what[0].map, k, true, n);
        for (size_t j = 0; j < up[0].size; j++) /* a rounded 1 / cells, and a product */
            assert_true(up[0].memory[j] == up[1].memory[j] || /* infinities */
                        isnan(up[1].memory[j]) ||
                        fabsf(up[0].memory[j] - up[1].memory[j]) <=
                            fabsf(up[1].memory[j]) * 0x1p-22f);
        tested.sum_windows(&what[0].map, &y.map, k, true, n);
        reference.sum_windows(&what[1].map, &y.map, k, true, n);
        for (size_t j = 0; j < what[0].size; j++)
            assert_true(fabs((double)what[0].memory[j] - (double)what[1].memory[j]) <=
                        (double)k * k * 0x1p-24);
        tested.sum_windows(&what[0].map, &y.map, k, false, n);
        reference.sum_windows(&what[1].map, &y.map, k, false, n);
        const double terms = (double)k * k; /* of at most 1 each */
        for (size_t j = 0; j < what[0].size; j++)
            assert_true(fabs((double)what[0].memory[j] - (double)what[1].memory[j]) <=
                        terms * terms * 0x1p-24);
        /* <unpool(p, s), y> = <p, gather(y, s)> */
        fill(&what[0], n);
        tested.unpool(&up[0].map, &what[0].map, where[0], NULL, k, n);
        tested.gather(&what[1].map, &y.map, where[0], k, n);
        reference.gather(&open.map, &y.map, where[0], k, n);
        double left = 0, right = 0, expected = 0;
        for (int a = 0; a < n; a++)
            for (int b = 0; b < c; b++) {
                for (int p = 0; p < h; p++)
                    for (int q = 0; q < w; q++)
                        left +=
                            (double)*map_at(&up[0].map, a, b, p, q) * *map_at(&y.map, a, b, p, q);
                for (int p = 0; p < ph; p++)
                    for (int q = 0; q < pw; q++) {
                        right += (double)*map_at(&what[0].map, a, b, p, q) *
                                 *map_at(&what[1].map, a, b, p, q);
                        expected += (double)*map_at(&what[0].map, a, b, p, q) *
                                    *map_at(&open.map, a, b, p, q);
                    }
            }
        assert_true(fabs(left - right) < 1e-9); /* sums of exact products, in double */
        assert_true(fabs(right - expected) < 1e-9);
        tensor_free(&x, n);
        tensor_free(&open, n);
        tensor_free(&y, n);
        for (int t = 0; t < 2; t++) {
            tensor_free(&what[t], n);
            tensor_free(&up[t], n);
            free(where[t]);
        }
    }
}

/* The switch is local to its window, the first maximum wins, an all-zero window has switch 0, the
 * first NaN wins over everything. */
static void test_switches(void **state) {
    (void)state;
    struct tensor x = tensor(1, 2, 8, 0, LANES, 1), what = tensor(1, 1, 4, 0, LANES, 1);
    uint8_t where[4 * LANES];
    const float rows[2][8] = {{0, 0, 3, 5, 1, 2, 1, NAN}, {0, 0, 5, 3, 2, 0, NAN, INFINITY}};
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 8; j++) *map_at(&x.map, 0, 0, i, j) = rows[i][j];
    tested.pool(&what.map, where, &x.map, 2, 1);
    assert_int_equal(where[0 * LANES], 0);
    assert_int_equal(where[1 * LANES], 1);
    assert_int_equal(where[2 * LANES], 1);
    assert_int_equal(where[3 * LANES], 1);
    assert_true(isnan(*map_at(&what.map, 0, 0, 0, 3)));
    tensor_free(&x, 1);
    tensor_free(&what, 1);
}

/* ---- fully connected ---- */

static void test_linear(void **state) {
    (void)state;
    static const int sizes[][3] = {{1, 1, 1}, {7, 10, 3}, {16, 16, 2}, {33, 17, 4}, {256, 10, 2}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const int in = sizes[i][0], out = sizes[i][1], n = sizes[i][2];
        const size_t rows = (size_t)pack_side_size((struct pack_side){in, 1}),
                     width = (size_t)pack_blocks(out) * LANES;
        const size_t size[7] = {rows * (size_t)n, rows * width, width, width * (size_t)n,
                                rows * (size_t)n, rows * width, width};
        float *set[3][7]; /* x, weight, bias, y, dx, weight sum, bias sum */
        for (int k = 0; k < 3; k++)
            for (int a = 0; a < 7; a++) set[k][a] = buffer(size[a]);
        float *weight = buffer((size_t)(in * out));
        for (int j = 0; j < in * out; j++) weight[j] = (float)(rng_uniform(&rng) * 2 - 1);
        for (int k = 0; k < n; k++)
            for (int j = 0; j < in; j++)
                set[0][0][(size_t)k * rows + (size_t)j] = (float)(rng_uniform(&rng) * 2 - 1);
        for (int j = 0; j < out; j++) set[0][2][j] = (float)(rng_uniform(&rng) * 2 - 1);
        pack_linear(set[0][1], weight, (struct pack_side){out, 1}, (struct pack_side){in, 1});
        for (int k = 1; k < 3; k++)
            for (int a = 0; a < 3; a++) {
                memcpy(set[k][a], set[0][a], size[a] * sizeof(float));
                if (k == 2) absolute(set[k][a], size[a]);
            }
        for (int k = 0; k < 3; k++) {
            const struct kernels *t = k ? &reference : &tested;
            float **s = set[k];
            t->linear(s[3], s[0], s[1], s[2], (int)rows, out, n, false);
            /* the outputs serve as gradients, the same for both sides */
            const float *dy = set[k == 2 ? 2 : 1][3];
            if (k == 0)
                reference.linear(set[1][3], set[1][0], set[1][1], set[1][2], (int)rows, out, n,
                                 false);
            t->linear_back(s[4], dy, s[1], (int)rows, out, n);
            t->linear_outer(s[5], s[6], s[0], dy, (int)rows, out, n);
        }
        compare("linear", set[0][3], set[1][3], set[2][3], in + 1, size[3]);
        compare("linear_back", set[0][4], set[1][4], set[2][4], out, size[4]);
        compare("linear_outer", set[0][5], set[1][5], set[2][5], n, size[5]);
        compare("linear_outer bias", set[0][6], set[1][6], set[2][6], n, size[6]);
        tested.linear(set[0][3], set[0][0], set[0][1], set[0][2], (int)rows, out, n, true);
        for (size_t j = 0; j < size[3]; j++) assert_true(set[0][3][j] >= 0);
        for (int k = 0; k < 3; k++)
            for (int a = 0; a < 7; a++) buffer_free(set[k][a], size[a]);
        buffer_free(weight, (size_t)(in * out));
    }
}

/* Packing and reading back returns the weights: what goes in as a gradient comes out in place. */
static void test_pack(void **state) {
    (void)state;
    const int out = 19, in = 6, pixels = 3;
    const struct pack_side plain = {out, 1}, map = {in * pixels, pixels};
    float *weight = buffer((size_t)(out * in * pixels)),
          *back = buffer((size_t)(out * in * pixels));
    for (int i = 0; i < out * in * pixels; i++) weight[i] = (float)i;
    for (int mirrored = 0; mirrored < 2; mirrored++) {
        const struct pack_side from = mirrored ? plain : map, to = mirrored ? map : plain;
        float *packed = buffer(pack_linear_size(to, from));
        pack_linear(packed, weight, to, from);
        pack_linear_read(back, packed, to, from);
        assert_memory_equal(weight, back, sizeof *weight * (size_t)(out * in * pixels));
        pack_bias(packed, weight, to);
        memset(back, 0, sizeof *back * (size_t)to.units);
        pack_bias_read(back, packed, to);
        assert_memory_equal(weight, back, sizeof *weight * (size_t)to.units);
        buffer_free(packed, pack_linear_size(to, from));
    }
    buffer_free(weight, (size_t)(out * in * pixels));
    buffer_free(back, (size_t)(out * in * pixels));
}

/* ---- elementwise ---- */

static void test_elementwise(void **state) {
    (void)state;
    for (int lanes = 1; lanes <= LANES; lanes += LANES - 1)
        for (int width = 1; width < 40; width += 6) {
            const int c = lanes == 1 ? 3 : 21, h = 5, n = 2;
            struct tensor a = tensor(c, h, width, 1, lanes, n),
                          b = tensor(c, h, width, 2, lanes, n);
            struct tensor d[2], e[2];
            for (int k = 0; k < 2; k++) {
                d[k] = tensor(c, h, width, 0, lanes, n);
                e[k] = tensor(c, h, width, 1, lanes, n);
            }
            fill(&a, n);
            fill(&b, n);
            const double exact = reference.squared_distance(&a.map, &b.map, 1);
            assert_true(fabs(tested.squared_distance(&a.map, &b.map, 1) - exact) <=
                        exact * 0x1p-24 * (3 + width));
            tested.difference(&d[0].map, &a.map, &b.map, 0.5f, 1);
            reference.difference(&d[1].map, &a.map, &b.map, 0.5f, 1);
            assert_memory_equal(d[0].memory, d[1].memory, d[0].size * sizeof(float));
            if (lanes == LANES)
                for (int gated = 0; gated < 2; gated++) {
                    const struct map *gate = gated ? &b.map : NULL;
                    tested.add(&e[0].map, &a.map, gate, n);
                    reference.add(&e[1].map, &a.map, gate, n);
                    assert_memory_equal(e[0].memory, e[1].memory, e[0].size * sizeof(float));
                    tested.subtract(&e[0].map, &d[0].map, n);
                    reference.subtract(&e[1].map, &d[0].map, n);
                    assert_memory_equal(e[0].memory, e[1].memory, e[0].size * sizeof(float));
                    tested.gate(&e[0].map, &a.map, n);
                    reference.gate(&e[1].map, &a.map, n);
                    for (size_t i = 0; i < e[0].size; i++)
                        assert_true(e[0].memory[i] == e[1].memory[i]);
                }
            for (int k = 0; k < 2; k++) {
                tensor_free(&d[k], n);
                tensor_free(&e[k], n);
            }
            tensor_free(&a, n);
            tensor_free(&b, n);
        }
}

static int run(const char *name) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv),       cmocka_unit_test(test_conv_few),
        cmocka_unit_test(test_conv_outer), cmocka_unit_test(test_adjoint),
        cmocka_unit_test(test_pool),       cmocka_unit_test(test_switches),
        cmocka_unit_test(test_linear),     cmocka_unit_test(test_pack),
        cmocka_unit_test(test_elementwise)};
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(void) { return on_every_isa(run); }
