/* test_kernels_sparse.c - the switch-sparse kernels of every instruction set against the
 * reference, and the reference against unpooling followed by the dense reference; see
 * kernel_tensors.h for the bounds. */
#include "kernel_tensors.h"
#include "kernels/sparse.h"

/* channels of the sparse map and of the dense one */
struct shape {
    int sparse, dense, kernel, pool, height, width, images;
};

static const struct shape shapes[] = {
    {1, 1, 1, 2, 1, 1, 1},     {16, 16, 3, 2, 4, 4, 1},    {17, 33, 3, 2, 5, 7, 2},
    {64, 48, 3, 2, 4, 8, 5},   {70, 20, 3, 2, 8, 16, 2},   {33, 16, 3, 2, 32, 14, 1},
    {32, 16, 3, 7, 28, 21, 1}, {5, 3, 3, 3, 10, 8, 2},     {40, 17, 3, 3, 9, 12, 3},
    {19, 21, 5, 2, 9, 14, 2},  {64, 5, 5, 2, 15, 13, 2},   {20, 18, 5, 3, 7, 7, 2},
    {31, 3, 7, 2, 9, 6, 2},    {3, 35, 7, 4, 13, 11, 2},   {18, 9, 9, 2, 10, 5, 1},
    {6, 20, 11, 2, 6, 13, 2},  {7, 17, 11, 5, 12, 9, 1},   {34, 6, 1, 2, 6, 5, 3},
    {23, 18, 1, 3, 6, 7, 2},   {21, 16, 3, 16, 33, 17, 2}, {16, 16, 3, 4, 20, 16, 3},
    {16, 70, 3, 5, 11, 3, 2},  {8, 16, 3, 2, 40, 44, 1},   {16, 5, 5, 16, 5, 40, 1},
    {64, 1, 5, 2, 20, 14, 2},  {17, 3, 5, 3, 8, 7, 2},     {20, 2, 5, 4, 9, 13, 1},
    {33, 4, 3, 4, 12, 7, 2},   {16, 1, 1, 2, 3, 5, 1},
};
#define SHAPES (sizeof shapes / sizeof *shapes)

/* ---- a sparse map and what it stands for ---- */

enum filling { SOME, NOTHING, EVERYTHING };

struct input {
    struct sparse sparse;
    struct tensor what, gate, unpooled;
    uint8_t *where;
    size_t switches;
    int images;
};

/* Switches at random cells inside the map. The caller sets sparse.gate, whose address is its
 * own. */
static struct input input(const struct shape *s, enum filling filling, bool gated) {
    struct input in = {.images = s->images};
    const int height = (s->height + s->pool - 1) / s->pool;
    const int width = (s->width + s->pool - 1) / s->pool;
    in.what = tensor(s->sparse, height, width, 1, LANES, s->images);
    in.gate = tensor(s->sparse, height, width, 0, LANES, s->images);
    in.unpooled = tensor(s->sparse, s->height, s->width, s->kernel / 2, LANES, s->images);
    if (filling != NOTHING) fill(&in.what, s->images);
    fill(&in.gate, s->images);
    in.switches = (size_t)(s->images * pack_blocks(s->sparse) * height * width) * LANES;
    in.where = calloc(in.switches, 1);
    uint8_t *at = in.where;
    for (int n = 0; n < s->images; n++)
        for (int b = 0; b < pack_blocks(s->sparse); b++)
            for (int i = 0; i < height; i++)
                for (int j = 0; j < width; j++)
                    for (int lane = 0; lane < LANES; lane++, at++) {
                        const int c = b * LANES + lane;
                        if (c >= s->sparse) continue;
                        float *value = map_at(&in.what.map, n, c, i, j);
                        if (filling == EVERYTHING && *value == 0) *value = 0.5f;
                        const int rows = s->height - i * s->pool, columns = s->width - j * s->pool;
                        const int y = (int)(rng_uniform(&rng) * (rows < s->pool ? rows : s->pool));
                        const int x =
                            (int)(rng_uniform(&rng) * (columns < s->pool ? columns : s->pool));
                        *at = (uint8_t)(y * s->pool + x);
                    }
    in.sparse = (struct sparse){.what = in.what.map,
                                .where = in.where,
                                .pool = s->pool,
                                .height = s->height,
                                .width = s->width};
    reference.unpool(&in.unpooled.map, &in.what.map, in.where, gated ? &in.gate.map : NULL, s->pool,
                     s->images);
    return in;
}

static void input_free(struct input *in) {
    tensor_free(&in->what, in->images);
    tensor_free(&in->gate, in->images);
    tensor_free(&in->unpooled, in->images);
    free(in->where);
}

static float *random_values(size_t size, size_t used) {
    float *values = buffer(size);
    for (size_t i = 0; i < used; i++) values[i] = (float)(rng_uniform(&rng) * 2 - 1);
    return values;
}

/* The sparse map of images first.. alone. */
static struct sparse from_image(const struct input *in, const struct map *gate, struct map *moved,
                                int first) {
    struct sparse s = in->sparse;
    s.what.data += first * s.what.image;
    s.where += in->switches / (size_t)in->images * (size_t)first;
    if (gate) {
        *moved = *gate;
        moved->data += first * gate->image;
        s.gate = moved;
    }
    return s;
}

static struct map map_from(struct map map, int first) {
    map.data += first * map.image;
    return map;
}

/* ---- scatter ---- */

static void scatter_case(const struct shape *s, bool transposed, bool relu, bool gated,
                         enum filling filling) {
    struct input in = input(s, filling, gated);
    if (gated) in.sparse.gate = &in.gate.map;
    /* transposed: a gradient of s->sparse output channels goes back to s->dense inputs */
    const int out = transposed ? s->sparse : s->dense, inputs = transposed ? s->dense : s->sparse;
    const int taps = s->kernel * s->kernel, blocks = pack_blocks(s->dense);
    const size_t weights = (size_t)(out * inputs * taps);
    const size_t packed = pack_sparse_size(s->dense, s->sparse, s->kernel, LANES);
    const size_t flat = pack_conv_size(s->dense, s->sparse, s->kernel);
    float *weight = random_values(weights, weights), *order = buffer(packed), *dense = buffer(flat);
    float *bias = random_values((size_t)blocks * LANES, (size_t)s->dense);
    struct tensor gate = tensor(s->dense, s->height, s->width, 1, LANES, s->images), y[4];
    for (int k = 0; k < 4; k++) y[k] = tensor(s->dense, s->height, s->width, 2, LANES, s->images);
    fill(&gate, s->images);
    pack_sparse(order, weight, out, inputs, s->kernel, LANES, transposed);
    pack_conv(dense, weight, out, inputs, s->kernel, LANES, reference.group, transposed);
    const size_t bytes = scatter_scratch(&in.sparse, s->dense, s->kernel);
    assert_int_equal(bytes % sizeof(float), 0);
    float *scratch = buffer(bytes / sizeof(float));
    struct scatter scatter = {.x = in.sparse,
                              .weight = order,
                              .bias = bias,
                              .relu = relu,
                              .gate = gated ? &gate.map : NULL,
                              .kernel = s->kernel,
                              .images = s->images,
                              .scratch = scratch};
    struct conv conv = {.x = in.unpooled.map,
                        .weight = dense,
                        .bias = bias,
                        .relu = relu,
                        .gate = scatter.gate,
                        .kernel = s->kernel,
                        .images = s->images};
    scatter.y = y[0].map;
    tested.scatter(&scatter);
    scatter.y = y[1].map;
    reference.scatter(&scatter);
    conv.y = y[2].map;
    reference.conv(&conv);
    /* image by image: the same bits */
    scatter.y = y[3].map;
    for (int n = 0; n < s->images; n++) {
        struct map moved, open = map_from(gate.map, n);
        struct scatter one = scatter;
        one.x = from_image(&in, in.sparse.gate, &moved, n);
        one.y = map_from(y[3].map, n);
        if (gated) one.gate = &open;
        one.images = 1;
        tested.scatter(&one);
    }
    assert_memory_equal(y[0].memory, y[3].memory, y[0].size * sizeof(float));
    absolute(in.what.memory, in.what.size);
    absolute(order, packed);
    absolute(bias, (size_t)blocks * LANES);
    scatter.y = y[3].map;
    reference.scatter(&scatter);
    const double terms = (double)s->sparse * taps;
    compare("scatter", y[0].memory, y[1].memory, y[3].memory, terms, y[0].size);
    /* both in double: one rounding apart */
    compare("unpool and conv", y[1].memory, y[2].memory, y[3].memory, 1, y[0].size);
    for (int k = 0; k < 4; k++) tensor_free(&y[k], s->images);
    tensor_free(&gate, s->images);
    buffer_free(scratch, bytes / sizeof(float));
    buffer_free(weight, weights);
    buffer_free(order, packed);
    buffer_free(dense, flat);
    buffer_free(bias, (size_t)blocks * LANES);
    input_free(&in);
}

static void test_scatter(void **state) {
    (void)state;
    for (size_t i = 0; i < SHAPES; i += next_shape()) {
        for (int form = 0; form < 8; form++)
            scatter_case(&shapes[i], form & 1, form & 2, form & 4, SOME);
        scatter_case(&shapes[i], false, true, false, NOTHING);
        scatter_case(&shapes[i], false, false, false, EVERYTHING);
    }
}

/* ---- outer, dot ---- */

/* The sums in flat order against those of the dense reference with the unpooled map. */
static void compare_outer(const struct shape *s, const struct input *in, const struct tensor *dense,
                          const float *sum, const float *bound, bool transposed) {
    const int out = transposed ? s->sparse : s->dense, inputs = transposed ? s->dense : s->sparse;
    const size_t weights = (size_t)(s->sparse * s->dense * s->kernel * s->kernel);
    const size_t size =
        pack_outer_size(out, inputs, s->kernel) + pack_outer_size(inputs, out, s->kernel);
    float *whole = buffer(size), *expected = buffer(weights), *found = buffer(weights),
          *limit = buffer(weights);
    const struct map *v = transposed ? &in->unpooled.map : &dense->map;
    const struct map *x = transposed ? &dense->map : &in->unpooled.map;
    /* the decoder's sums to a planar map have the operands the other way round, as in the engine */
    const bool mirrored = !transposed && dense->map.lanes == 1;
    reference.conv_outer(whole, mirrored ? x : v, mirrored ? v : x, s->kernel, s->images);
    pack_outer_read(expected, whole, out, inputs, s->kernel, mirrored);
    pack_sparse_read(found, sum, out, inputs, s->kernel, dense->map.lanes, transposed);
    pack_sparse_read(limit, bound, out, inputs, s->kernel, dense->map.lanes, transposed);
    compare("unpool and conv_outer", found, expected, limit, 1, weights);
    buffer_free(whole, size);
    buffer_free(expected, weights);
    buffer_free(found, weights);
    buffer_free(limit, weights);
}

/* what(c, w) by the dense reference: convolution back to the unpooled map, then gather. */
static void dense_dot(const struct shape *s, const struct input *in, const struct tensor *dense,
                      const float *weight, struct tensor *to) {
    const size_t size = pack_conv_size(s->sparse, s->dense, s->kernel);
    float *packed = buffer(size);
    struct tensor back = tensor(s->sparse, s->height, s->width, 0, LANES, s->images);
    pack_conv(packed, weight, s->dense, s->sparse, s->kernel, dense->map.lanes, reference.group,
              true);
    const struct conv conv = {
        .y = back.map, .x = dense->map, .weight = packed, .kernel = s->kernel, .images = s->images};
    reference.conv(&conv);
    reference.gather(&to->map, &back.map, in->where, s->pool, s->images);
    if (in->sparse.gate) reference.gate(&to->map, in->sparse.gate, s->images);
    tensor_free(&back, s->images);
    buffer_free(packed, size);
}

enum { REFERENCE, BOUND, TESTED, FUSED, ONE_BY_ONE, RUNS };

static void outer_case(const struct shape *s, int lanes, bool gated, enum filling filling) {
    struct input in = input(s, filling, gated);
    if (gated) in.sparse.gate = &in.gate.map;
    const int height = in.what.map.height, width = in.what.map.width, n = s->images, k = s->kernel;
    const size_t weights = (size_t)(s->dense * s->sparse * k * k);
    const size_t packed = pack_sparse_size(s->dense, s->sparse, k, lanes);
    const size_t biases = (size_t)pack_blocks(s->sparse) * LANES;
    const size_t floats = sparse_scratch(&in.sparse, k) / sizeof(float);
    struct tensor dense = tensor(s->dense, s->height, s->width, k / 2, lanes, n), dot[RUNS];
    float *weight = random_values(weights, weights), *order = buffer(packed);
    float *start = random_values(packed, packed), *scratch = buffer(floats);
    float *sum[RUNS], *bias[RUNS];
    fill(&dense, n);
    pack_sparse(order, weight, s->dense, s->sparse, k, lanes, false);
    for (int r = 0; r < RUNS; r++) {
        sum[r] = buffer(packed);
        bias[r] = buffer(biases);
        dot[r] = tensor(s->sparse, height, width, 2, LANES, n);
        fill(&dot[r], n); /* overwritten */
        memcpy(sum[r], start, packed * sizeof *start);
    }
    reference.sparse_outer_dot(sum[REFERENCE], &dot[REFERENCE].map, &in.sparse, &dense.map, order,
                               k, n, NULL);
    reference.sparse_sum(bias[REFERENCE], &in.sparse, n);
    tested.sparse_outer(sum[TESTED], &in.sparse, &dense.map, k, n, scratch);
    tested.sparse_dot(&dot[TESTED].map, &in.sparse, &dense.map, order, k, n, scratch);
    tested.sparse_sum(bias[TESTED], &in.sparse, n);
    tested.sparse_outer_dot(sum[FUSED], &dot[FUSED].map, &in.sparse, &dense.map, order, k, n,
                            scratch);
    for (int i = 0; i < n; i++) {
        struct map moved, to = map_from(dot[ONE_BY_ONE].map, i), from = map_from(dense.map, i);
        const struct sparse one = from_image(&in, in.sparse.gate, &moved, i);
        tested.sparse_outer_dot(sum[ONE_BY_ONE], &to, &one, &from, order, k, 1, scratch);
        tested.sparse_sum(bias[ONE_BY_ONE], &one, 1);
    }
    assert_memory_equal(sum[FUSED], sum[ONE_BY_ONE], packed * sizeof(float));
    assert_memory_equal(dot[FUSED].memory, dot[ONE_BY_ONE].memory, dot[0].size * sizeof(float));
    assert_memory_equal(bias[TESTED], bias[ONE_BY_ONE], biases * sizeof(float));

    /* the reference against the dense reference, from zero sums; ONE_BY_ONE serves as scratch */
    memset(sum[ONE_BY_ONE], 0, packed * sizeof(float));
    reference.sparse_outer(sum[ONE_BY_ONE], &in.sparse, &dense.map, k, n, NULL);
    dense_dot(s, &in, &dense, weight, &dot[ONE_BY_ONE]);

    struct tensor magnitude = tensor(s->dense, s->height, s->width, k / 2, lanes, n);
    memcpy(magnitude.memory, dense.memory, dense.size * sizeof(float));
    absolute(magnitude.memory, magnitude.size);
    absolute(in.what.memory, in.what.size);
    absolute(order, packed);
    absolute(sum[BOUND], packed);
    reference.sparse_outer_dot(sum[BOUND], &dot[BOUND].map, &in.sparse, &magnitude.map, order, k, n,
                               NULL);
    reference.sparse_sum(bias[BOUND], &in.sparse, n);
    const double windows = (double)n * height * width + 1;
    const double products = (double)s->dense * k * k;
    compare("outer", sum[TESTED], sum[REFERENCE], sum[BOUND], windows, packed);
    compare("fused outer", sum[FUSED], sum[REFERENCE], sum[BOUND], windows, packed);
    compare("sparse_sum", bias[TESTED], bias[REFERENCE], bias[BOUND], windows, biases);
    compare("dot", dot[TESTED].memory, dot[REFERENCE].memory, dot[BOUND].memory, products,
            dot[0].size);
    compare("fused dot", dot[FUSED].memory, dot[REFERENCE].memory, dot[BOUND].memory, products,
            dot[0].size);
    compare("conv and gather", dot[ONE_BY_ONE].memory, dot[REFERENCE].memory, dot[BOUND].memory, 1,
            dot[0].size);
    compare_outer(s, &in, &dense, sum[ONE_BY_ONE], sum[BOUND], false);
    compare_outer(s, &in, &dense, sum[ONE_BY_ONE], sum[BOUND], true);

    tensor_free(&magnitude, n);
    tensor_free(&dense, n);
    for (int r = 0; r < RUNS; r++) {
        tensor_free(&dot[r], n);
        buffer_free(sum[r], packed);
        buffer_free(bias[r], biases);
    }
    buffer_free(weight, weights);
    buffer_free(order, packed);
    buffer_free(start, packed);
    buffer_free(scratch, floats);
    input_free(&in);
}

static void test_outer_dot(void **state) {
    (void)state;
    for (size_t i = 0; i < SHAPES; i += next_shape())
        for (int gated = 0; gated < 2; gated++) {
            outer_case(&shapes[i], LANES, gated, SOME);
            outer_case(&shapes[i], LANES, gated, NOTHING);
            if (tested.sparse_few(shapes[i].pool, shapes[i].kernel) && shapes[i].dense <= 5)
                outer_case(&shapes[i], 1, gated, SOME);
        }
}

/* ---- conv_pool ---- */

static void conv_pool_case(const struct shape *s, int lanes, bool with_nan, bool relu) {
    const int in = s->dense, out = s->sparse, n = s->images, pool = s->pool;
    const int height = (s->height + pool - 1) / pool, width = (s->width + pool - 1) / pool;
    const size_t weights = (size_t)(in * out * s->kernel * s->kernel);
    const size_t packed = pack_conv_size(out, in, s->kernel);
    const size_t biases = (size_t)pack_blocks(out) * LANES;
    const size_t switches = (size_t)(n * height * width) * biases;
    float *weight = random_values(weights, weights), *order = buffer(packed);
    float *bias = random_values(biases, (size_t)out);
    struct tensor x = tensor(in, s->height, s->width, s->kernel / 2, lanes, n);
    struct tensor y = tensor(out, s->height, s->width, 0, LANES, n), what[2];
    uint8_t *where[2];
    for (int k = 0; k < 2; k++) {
        what[k] = tensor(out, height, width, 1, LANES, n);
        where[k] = malloc(switches + 2 * GUARD);
        memset(where[k], 255, switches + 2 * GUARD);
    }
    fill(&x, n);
    if (out > 2) bias[out / 2] = -1e6f; /* all-zero windows */
    /* a NaN input reaches padding lanes too, as in conv */
    if (with_nan && out % LANES == 0)
        *map_at(&x.map, n - 1, in / 2, s->height / 2, s->width / 2) = NAN;
    else if (with_nan)
        bias[out - 1] = NAN;
    pack_conv(order, weight, out, in, s->kernel, lanes, tested.group, false);
    struct conv conv = {.y = y.map,
                        .x = x.map,
                        .weight = order,
                        .bias = bias,
                        .relu = relu,
                        .kernel = s->kernel,
                        .images = n};
    tested.conv(&conv);
    tested.pool(&what[0].map, where[0] + GUARD, &y.map, pool, n);
    conv.y = what[1].map;
    tested.conv_pool(&conv, where[1] + GUARD, pool);
    assert_memory_equal(what[0].memory, what[1].memory, what[0].size * sizeof(float));
    assert_memory_equal(where[0], where[1], switches + 2 * GUARD);
    for (int k = 0; k < 2; k++) {
        tensor_free(&what[k], n);
        free(where[k]);
    }
    tensor_free(&x, n);
    tensor_free(&y, n);
    buffer_free(weight, weights);
    buffer_free(order, packed);
    buffer_free(bias, biases);
}

static void test_conv_pool(void **state) {
    (void)state;
    for (size_t i = 0; i < SHAPES; i += next_shape())
        for (int lanes = 1; lanes <= LANES; lanes += LANES - 1)
            for (int form = 0; form < 4; form++)
                conv_pool_case(&shapes[i], lanes, form & 1, form & 2);
}

/* The reference itself: conv_pool is conv and pool up to rounding; the same bits, for both sum in
 * double in the same order. */
static void test_conv_pool_reference(void **state) {
    (void)state;
    const struct kernels keep = tested;
    tested = reference;
    for (size_t i = 0; i < SHAPES; i += 3)
        for (int relu = 0; relu < 2; relu++) conv_pool_case(&shapes[i], LANES, i % 2, relu);
    tested = keep;
}

static int run(const char *name) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scatter), cmocka_unit_test(test_outer_dot),
        cmocka_unit_test(test_conv_pool), cmocka_unit_test(test_conv_pool_reference)};
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(void) { return on_every_isa(run); }
