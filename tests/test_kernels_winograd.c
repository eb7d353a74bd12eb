/* test_kernels_winograd.c - Winograd's 3x3 convolutions of every instruction set, on odd shapes:
 * against direct convolution, and against their own reference.
 *
 * Those of bf16: exactly on whole numbers that bf16 holds however they are transformed, and on
 * others as near as rounding allows.
 *
 * The bound: patches and outputs are sums of at most 16 terms, the products of one position a sum
 * of the channels, and every rounding is relative to what is summed. So the error is at most
 * (channels + 3 * 16) 2^-24 times the same formula on absolute values of everything, matrices
 * included, which is what `bound` is worked out by. */
#include "kernel_tensors.h"

#include "kernels/winograd.h"

struct shape {
    int in, out, height, width, images;
};

static const struct shape shapes[] = {
    {16, 32, 9, 14, 2}, {17, 33, 4, 4, 3}, {64, 64, 8, 8, 2},  {1, 1, 1, 1, 1},
    {33, 20, 2, 3, 4},  {20, 48, 3, 2, 2}, {16, 16, 15, 1, 2}, {18, 2, 1, 7, 1},
    {48, 3, 16, 30, 1}, {2, 50, 6, 5, 1},  {256, 96, 8, 8, 1}, {5, 64, 23, 11, 1},
};
#define SHAPES (sizeof shapes / sizeof *shapes)

/* |B^T| |d| |B|, |G| |g| |G^T|, |A^T| |m| |A| */
static const double B_ABS[4][4] = {{1, 0, 1, 0}, {0, 1, 1, 0}, {0, 1, 1, 0}, {0, 1, 0, 1}};
static const double G_ABS[4][3] = {{1, 0, 0}, {.5, .5, .5}, {.5, .5, .5}, {0, 0, 1}};
static const double A_ABS[2][4] = {{1, 1, 1, 0}, {0, 1, 1, 1}};

static double size_at(const struct map *m, int image, int channel, int y, int x) {
    if (y < 0 || x < 0 || y >= m->height || x >= m->width) return 0;
    return fabs((double)*map_at(m, image, channel, y, x));
}

static double patch_bound(const struct map *x, int image, int channel, int row, int column, int p) {
    double sum = 0;
    for (int k = 0; k < 16; k++)
        sum += B_ABS[p / 4][k / 4] * B_ABS[p % 4][k % 4] *
               size_at(x, image, channel, 2 * row - 1 + k / 4, 2 * column - 1 + k % 4);
    return sum;
}

/* weight (out, in, 9); transposed: of the convolution from out to in */
static double weight_bound(const float *weight, int in, int o, int i, int p) {
    double sum = 0;
    for (int tap = 0; tap < 9; tap++)
        sum += G_ABS[p / 4][tap / 3] * G_ABS[p % 4][tap % 3] *
               fabs((double)weight[(o * in + i) * 9 + tap]);
    return sum;
}

/* A case: y = x * w, x and y of any of the two sides. */
struct fixture {
    struct shape s;
    int x_channels, y_channels;
    bool transposed;
    struct tensor x, gate, dense;
    float *weight, *bias, *direct, *packed, *narrow;
    double *weight_bounds; /* (channels of y, channels of x, positions) */
    size_t weights, biases, direct_size, packed_size;
    void *scratch;
};

static void setup(struct fixture *f, const struct shape *s, bool transposed) {
    *f = (struct fixture){.s = *s, .transposed = transposed};
    f->x_channels = transposed ? s->out : s->in;
    f->y_channels = transposed ? s->in : s->out;
    f->weights = (size_t)(s->in * s->out * 9);
    f->biases = (size_t)pack_blocks(f->y_channels) * LANES;
    f->direct_size = pack_conv_size(f->y_channels, f->x_channels, 3);
    f->packed_size = pack_winograd_size(f->y_channels, f->x_channels);
    f->weight = buffer(f->weights);
    f->bias = buffer(f->biases);
    f->direct = buffer(f->direct_size);
    f->packed = buffer(f->packed_size);
    f->narrow = buffer(f->packed_size);
    f->x = tensor(f->x_channels, s->height, s->width, 1, LANES, s->images);
    f->gate = tensor(f->y_channels, s->height, s->width, 1, LANES, s->images);
    f->dense = tensor(f->y_channels, s->height, s->width, 1, LANES, s->images);
    fill(&f->x, s->images);
    fill(&f->gate, s->images);
    for (size_t i = 0; i < f->weights; i++) f->weight[i] = (float)(rng_uniform(&rng) * 2 - 1);
    for (int i = 0; i < f->y_channels; i++) f->bias[i] = (float)(rng_uniform(&rng) * 2 - 1);
    pack_conv(f->direct, f->weight, s->out, s->in, 3, LANES, tested.group, transposed);
    pack_winograd(f->packed, f->weight, s->out, s->in, tested.group, transposed);
    pack_winograd(f->narrow, f->weight, s->out, s->in, reference.group, transposed);
    const size_t bytes = winograd_pool_scratch(f->y_channels, f->x_channels, s->height, s->width);
    f->scratch = aligned_alloc(64, (bytes + 63) / 64 * 64);
    assert_non_null(f->scratch);
    f->weight_bounds = calloc((size_t)(s->in * s->out * WINOGRAD_POSITIONS), sizeof(double));
    double *to = f->weight_bounds;
    for (int y = 0; y < f->y_channels; y++)
        for (int x = 0; x < f->x_channels; x++)
            for (int p = 0; p < WINOGRAD_POSITIONS; p++)
                *to++ = weight_bound(f->weight, s->in, transposed ? x : y, transposed ? y : x, p);
}

static void teardown(struct fixture *f) {
    tensor_free(&f->x, f->s.images);
    tensor_free(&f->gate, f->s.images);
    tensor_free(&f->dense, f->s.images);
    buffer_free(f->weight, f->weights);
    buffer_free(f->bias, f->biases);
    buffer_free(f->direct, f->direct_size);
    buffer_free(f->packed, f->packed_size);
    buffer_free(f->narrow, f->packed_size);
    free(f->weight_bounds);
    free(f->scratch);
}

static struct conv conv_of(const struct fixture *f) {
    return (struct conv){
        .x = f->x.map, .bias = f->bias, .kernel = 3, .images = f->s.images, .scratch = f->scratch};
}

/* y[0], new as y[1], by a Winograd kernel from the packed weights; y[1] by the direct one, whose
 * operands are returned. */
static struct conv run_both(struct tensor y[2], const struct fixture *f, int form,
                            void (*winograd)(const struct conv *)) {
    for (int k = 0; k < 2; k++)
        y[k] = tensor(f->y_channels, f->s.height, f->s.width, 2, LANES, f->s.images);
    struct conv conv = conv_of(f);
    conv.relu = form & 2;
    conv.gate = form & 4 ? &f->gate.map : NULL;
    conv.y = y[0].map;
    conv.weight = f->packed;
    winograd(&conv);
    conv.y = y[1].map;
    conv.weight = f->direct;
    tested.conv(&conv);
    return conv;
}

/* Of every channel and position of a tile: (channels, positions). */
static void patch_bounds(double *to, const struct fixture *f, int n, int row, int column) {
    for (int k = 0; k < f->x_channels * WINOGRAD_POSITIONS; k++)
        to[k] =
            patch_bound(&f->x.map, n, k / WINOGRAD_POSITIONS, row, column, k % WINOGRAD_POSITIONS);
}

/* Of an output: what its sums add up to in absolute value. */
static double output_bound(const struct fixture *f, const double *patches, int o, int y, int x) {
    const double *weight = f->weight_bounds + o * f->x_channels * WINOGRAD_POSITIONS;
    double sum = fabs((double)f->bias[o]);
    for (int k = 0; k < f->x_channels * WINOGRAD_POSITIONS; k++) {
        const int p = k % WINOGRAD_POSITIONS;
        sum += A_ABS[y % 2][p / 4] * A_ABS[x % 2][p % 4] * patches[k] * weight[k];
    }
    return sum;
}

/* Of any output: values are below 1, patches below 4, weights below 9/4, nine products a sum. */
static double bound_all(const struct fixture *f) {
    return (f->x_channels + 48) * 0x1p-24 * (9 * 4 * 2.25 * f->x_channels + 1);
}

static void conv_case(const struct shape *s, int form) {
    struct fixture f;
    setup(&f, s, form & 1);
    struct tensor y[2];
    struct conv conv = run_both(y, &f, form, tested.winograd);
    double *patches = calloc((size_t)(f.x_channels * WINOGRAD_POSITIONS), sizeof *patches);
    const int tiles = winograd_tiles(s->height, s->width, s->images), columns = (s->width + 1) / 2,
              rows = (s->height + 1) / 2;
    for (int t = 0; t < tiles; t++) {
        const int n = t / (rows * columns), row = t / columns % rows, column = t % columns;
        patch_bounds(patches, &f, n, row, column);
        for (int k = 0; k < 4 * f.y_channels; k++) {
            const int o = k / 4, i = 2 * row + k / 2 % 2, j = 2 * column + k % 2;
            if (i >= s->height || j >= s->width) continue;
            const double a = *map_at(&y[0].map, n, o, i, j), b = *map_at(&y[1].map, n, o, i, j),
                         allowed =
                             (f.x_channels + 48) * 0x1p-24 * output_bound(&f, patches, o, i, j);
            if (!(fabs(a - b) <= allowed)) {
                print_error("%s winograd: (%d, %d, %d, %d) is %.9g, conv has %.9g, allowed %.2g\n",
                            tested.name, n, o, i, j, a, b, allowed);
                fail();
            }
        }
    }
    free(patches);
    /* and the reference has nothing else in mind */
    conv.weight = f.narrow;
    reference.winograd(&conv);
    for (size_t k = 0; k < y[0].size; k++)
        assert_true(fabs((double)y[0].memory[k] - (double)y[1].memory[k]) <= bound_all(&f));
    for (int k = 0; k < 2; k++) tensor_free(&y[k], s->images);
    teardown(&f);
}

static void test_winograd(void **state) {
    (void)state;
    for (size_t i = 0; i < SHAPES; i += next_shape())
        for (int form = 0; form < 8; form++) conv_case(&shapes[i], form);
}

/* winograd_pool is winograd and then pool, bit for bit; so is the reference's. */
static void pool_case(const struct kernels *k, const struct shape *s, int pool, bool relu) {
    struct fixture f;
    setup(&f, s, false);
    const int ph = (s->height + pool - 1) / pool, pw = (s->width + pool - 1) / pool;
    const size_t switches = (size_t)(pack_blocks(s->out) * LANES * ph * pw * s->images);
    struct tensor what[2], full = tensor(s->out, s->height, s->width, 1, LANES, s->images);
    uint8_t *where[2];
    for (int t = 0; t < 2; t++) {
        what[t] = tensor(s->out, ph, pw, 2, LANES, s->images);
        where[t] = malloc(switches);
        memset(where[t], 255, switches);
    }
    struct conv conv = conv_of(&f);
    conv.weight = k->group == tested.group ? f.packed : f.narrow;
    if (k->winograd == tested.winograd_bf16)
        pack_winograd_bf16(f.packed, f.weight, s->out, s->in, tested.group, false);
    conv.relu = relu;
    conv.y = full.map;
    k->winograd(&conv);
    k->pool(&what[1].map, where[1], &full.map, pool, s->images);
    conv.y = what[0].map;
    k->winograd_pool(&conv, where[0], pool);
    assert_memory_equal(where[0], where[1], switches);
    assert_memory_equal(what[0].memory, what[1].memory, what[0].size * sizeof(float));
    for (int t = 0; t < 2; t++) {
        tensor_free(&what[t], s->images);
        free(where[t]);
    }
    tensor_free(&full, s->images);
    teardown(&f);
}

static void test_winograd_pool(void **state) {
    (void)state;
    for (size_t i = 0; i < SHAPES; i += next_shape())
        for (int form = 4; form < 16; form++) { /* pools of 2 to 7 */
            pool_case(&tested, &shapes[i], form / 2, form % 2);
            if (shapes[i].in < 64) pool_case(&reference, &shapes[i], form / 2, form % 2);
        }
}

/* The same pixels all around an output make the same bits, so flat places are ties. */
static void test_winograd_flat(void **state) {
    (void)state;
    const struct shape s = {48, 40, 10, 12, 1};
    struct fixture f;
    setup(&f, &s, false);
    for (int c = 0; c < s.in; c++) {
        const float value = (float)rng_uniform(&rng);
        for (int k = 0; k < s.height * s.width; k++)
            *map_at(&f.x.map, 0, c, k / s.width, k % s.width) = value;
    }
    struct conv conv = conv_of(&f);
    conv.weight = f.packed;
    conv.y = f.dense.map;
    tested.winograd(&conv);
    for (int o = 0; o < s.out; o++)
        for (int i = 0; i < s.height; i++)
            for (int j = 0; j < s.width; j++) {
                const int y = i == 0              ? 0
                              : i == s.height - 1 ? i
                                                  : 1,
                          x = j == 0             ? 0
                              : j == s.width - 1 ? j
                                                 : 1;
                assert_true(*map_at(&f.dense.map, 0, o, i, j) == *map_at(&f.dense.map, 0, o, y, x));
            }
    teardown(&f);
}

/* The gradient of the weights: read back, it is that of the direct sums. */
static void test_winograd_outer(void **state) {
    (void)state;
    for (size_t i = 0; i < SHAPES; i += next_shape()) {
        const struct shape *s = &shapes[i];
        struct fixture f;
        setup(&f, s, false);
        fill(&f.dense, s->images);
        const size_t outer = pack_outer_size(s->out, s->in, 3);
        float *sum[2] = {buffer(f.packed_size), buffer(f.packed_size)}, *direct = buffer(outer);
        float *gradient[3];
        for (int k = 0; k < 3; k++) gradient[k] = buffer(f.weights);
        for (int k = 0; k < 2; k++) /* twice: sums are added to */
            tested.winograd_outer(sum[0], &f.dense.map, &f.x.map, s->images, f.scratch);
        for (int k = 0; k < 2; k++) {
            reference.winograd_outer(sum[1], &f.dense.map, &f.x.map, s->images, f.scratch);
            reference.conv_outer(direct, &f.dense.map, &f.x.map, 3, s->images);
        }
        pack_winograd_read(gradient[0], sum[0], s->out, s->in, tested.group);
        pack_winograd_read(gradient[1], sum[1], s->out, s->in, reference.group);
        pack_outer_read(gradient[2], direct, s->out, s->in, 3, false);
        const int tiles = winograd_tiles(s->height, s->width, s->images);
        /* every value is below 1: patches below 4, gradients below 4, and G adds at most 9/4 */
        const double allowed = (2 * tiles + 48) * 0x1p-24 * 2 * tiles * 16 * 2.25;
        for (size_t k = 0; k < f.weights; k++) {
            assert_true(fabs((double)gradient[0][k] - (double)gradient[2][k]) <= allowed);
            assert_true(fabs((double)gradient[1][k] - (double)gradient[2][k]) <= allowed);
        }
        for (int k = 0; k < 3; k++) buffer_free(gradient[k], f.weights);
        for (int k = 0; k < 2; k++) buffer_free(sum[k], f.packed_size);
        buffer_free(direct, outer);
        teardown(&f);
    }
}

/* ---- bf16 ---- */

/* Whole numbers from -most to most, times `step`. */
static float whole(int most, float step) {
    return step * (float)((int)(rng_uniform(&rng) * (2 * most + 1)) - most);
}

static void fill_whole(const struct map *m, int images, int most) {
    for (int n = 0; n < images; n++)
        for (int c = 0; c < m->channels; c++)
            for (int k = 0; k < m->height * m->width; k++)
                *map_at(m, n, c, k / m->width, k % m->width) = whole(most, 1);
}

/* A fixture of whole numbers: patches are at most 4 * 3, weights, multiples of 4, at most 9 * 12 /
 * 4 after their transformation; both are bf16 numbers, and sums of fp32 are exact. */
static void setup_whole(struct fixture *f, const struct shape *s, bool transposed) {
    setup(f, s, transposed);
    fill_whole(&f->x.map, s->images, 3);
    for (size_t i = 0; i < f->weights; i++) f->weight[i] = whole(3, 4);
    for (int i = 0; i < f->y_channels; i++) f->bias[i] = whole(3, 1);
    pack_conv(f->direct, f->weight, s->out, s->in, 3, LANES, tested.group, transposed);
    pack_winograd_bf16(f->packed, f->weight, s->out, s->in, tested.group, transposed);
}

static void bf16_case(const struct shape *s, int form) {
    struct fixture f;
    setup_whole(&f, s, form & 1);
    struct tensor y[2];
    run_both(y, &f, form, tested.winograd_bf16);
    for (size_t k = 0; k < y[0].size; k++) assert_true(y[0].memory[k] == y[1].memory[k]);
    for (int k = 0; k < 2; k++) tensor_free(&y[k], s->images);
    teardown(&f);
}

static void test_bf16(void **state) {
    (void)state;
    if (!tested.winograd_bf16) skip();
    for (size_t i = 0; i < SHAPES; i += next_shape())
        for (int form = 0; form < 8; form++) bf16_case(&shapes[i], form);
}

/* Other numbers: a transformed one is rounded by at most 2^-9 of it, a product of two by 2^-8. */
static void test_bf16_rounding(void **state) {
    (void)state;
    if (!tested.winograd_bf16) skip();
    for (size_t i = 0; i < SHAPES; i += next_shape()) {
        const struct shape *s = &shapes[i];
        struct fixture f;
        setup(&f, s, false);
        struct tensor full = tensor(s->out, s->height, s->width, 1, LANES, s->images);
        struct conv conv = conv_of(&f);
        conv.y = f.dense.map;
        conv.weight = f.packed;
        tested.winograd(&conv);
        pack_winograd_bf16(f.packed, f.weight, s->out, s->in, tested.group, false);
        conv.y = full.map;
        tested.winograd_bf16(&conv);
        double *patches = calloc((size_t)(f.x_channels * WINOGRAD_POSITIONS), sizeof *patches);
        for (int n = 0; n < s->images; n++)
            for (int k = 0; k < s->height * s->width; k++) {
                const int y = k / s->width, x = k % s->width;
                patch_bounds(patches, &f, n, y / 2, x / 2);
                for (int o = 0; o < s->out; o++) {
                    const double allowed = (0x1.02p-8 + (f.x_channels + 48) * 0x1p-24) *
                                           output_bound(&f, patches, o, y, x);
                    assert_true(fabs((double)*map_at(&full.map, n, o, y, x) -
                                     (double)*map_at(&f.dense.map, n, o, y, x)) <= allowed);
                }
            }
        free(patches);
        tensor_free(&full, s->images);
        teardown(&f);
    }
}

static void test_bf16_pool(void **state) {
    (void)state;
    if (!tested.winograd_bf16) skip();
    struct kernels k = tested;
    k.winograd = tested.winograd_bf16;
    k.winograd_pool = tested.winograd_pool_bf16;
    for (size_t i = 0; i < SHAPES; i += next_shape())
        for (int form = 4; form < 16; form++) pool_case(&k, &shapes[i], form / 2, form % 2);
}

static void test_bf16_outer(void **state) {
    (void)state;
    if (!tested.winograd_bf16) skip();
    for (size_t i = 0; i < SHAPES; i += next_shape()) {
        const struct shape *s = &shapes[i];
        struct fixture f;
        setup_whole(&f, s, false);
        fill_whole(&f.dense.map, s->images, 3);
        const size_t outer = pack_outer_size(s->out, s->in, 3);
        float *sum = buffer(f.packed_size), *direct = buffer(outer);
        float *gradient[2] = {buffer(f.weights), buffer(f.weights)};
        for (int k = 0; k < 2; k++) { /* twice: sums are added to */
            tested.winograd_outer_bf16(sum, &f.dense.map, &f.x.map, s->images, f.scratch);
            reference.conv_outer(direct, &f.dense.map, &f.x.map, 3, s->images);
        }
        pack_winograd_read(gradient[0], sum, s->out, s->in, tested.group);
        pack_outer_read(gradient[1], direct, s->out, s->in, 3, false);
        for (size_t k = 0; k < f.weights; k++) assert_true(gradient[0][k] == gradient[1][k]);
        for (int k = 0; k < 2; k++) buffer_free(gradient[k], f.weights);
        buffer_free(sum, f.packed_size);
        buffer_free(direct, outer);
        teardown(&f);
    }
}

static int run(const char *name) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_winograd),      cmocka_unit_test(test_winograd_pool),
        cmocka_unit_test(test_winograd_flat), cmocka_unit_test(test_winograd_outer),
        cmocka_unit_test(test_bf16),          cmocka_unit_test(test_bf16_rounding),
        cmocka_unit_test(test_bf16_pool),     cmocka_unit_test(test_bf16_outer)};
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(void) { return on_every_isa(run); }
