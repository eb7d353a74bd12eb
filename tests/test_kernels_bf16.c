/* test_kernels_bf16.c - the kernels in bf16 against the fp32 reference on inputs and weights that
 * were rounded one by one: what is left is the order of fp32 sums, and kernel_tensors.h's bound. */
#include "kernel_tensors.h"

struct shape {
    int in, out, kernel, height, width, images, pool;
};

static const struct shape shapes[] = {
    {16, 32, 3, 9, 14, 2, 2}, {1, 1, 1, 1, 1, 1, 1},   {3, 17, 3, 5, 7, 2, 3},
    {17, 33, 3, 4, 4, 3, 2},  {64, 64, 3, 8, 8, 2, 2}, {5, 3, 11, 6, 13, 1, 4},
    {20, 48, 7, 3, 2, 2, 2},  {33, 20, 3, 2, 3, 4, 2}, {16, 16, 9, 1, 15, 1, 16},
    {4, 40, 5, 23, 11, 1, 7}, {32, 64, 1, 5, 6, 3, 2}, {48, 3, 3, 16, 30, 1, 2},
};

/* To the nearest of the numbers with 8 significant bits, ties to even, by arithmetic. */
static float rounded(float x) {
    if (x == 0) return x;
    int exponent;
    const double m = ldexp(frexp((double)x, &exponent), 8);
    return (float)ldexp(nearbyint(m), exponent - 8);
}

static void test_rounding(void **state) {
    (void)state;
    const float special[] = {0.0f,        -0.0f,         1.0f,       0x1.01p0f, 0x1.03p0f,
                             0x1.02p0f,   0x1.010002p0f, -0x1.01p0f, INFINITY,  -INFINITY,
                             0x1.fffp50f, 0x1.ffp-100f,  3.0e38f,    NAN,       1e-30f};
    const int count = sizeof special / sizeof *special, channels = 37, side = 5, images = 2;
    struct tensor x = tensor(channels, side, side, 2, LANES, images);
    fill(&x, images);
    for (int i = 0; i < count; i++) *map_at(&x.map, 1, i, 4, 4) = special[i];
    const struct map shape = pack_pairs_shape(&x.map);
    const size_t size = map_size(&shape, images);
    float *memory = buffer(size);
    struct map pairs = map_place(shape, memory);
    tested.round_bf16(&pairs, &x.map, images);
    uint16_t bits;
    for (size_t i = 0; i < x.size; i++) {
        memcpy(&bits, (const char *)memory + i * sizeof bits, sizeof bits);
        const uint32_t wide = (uint32_t)bits << 16;
        float back;
        memcpy(&back, &wide, sizeof back);
        const float from = x.memory[i];
        assert_int_equal(bits, pack_bf16(from));
        if (isfinite(from) && isfinite(back)) assert_true(back == rounded(from));
        assert_int_equal(isnan(back), isnan(from));
        if (!(fabsf(from) > 3.38e38f)) assert_int_equal(isinf(back), isinf(from));
        assert_int_equal(signbit(back), signbit(from));
    }
    buffer_free(memory, size);
    for (int i = 0; i < count; i++) *map_at(&x.map, 1, i, 4, 4) = 0;
    tensor_free(&x, images);
}

/* A convolution's operands: in fp32 after rounding, and as the kernel reads them. */
struct operands {
    float *weight, *bias, *wide, *narrow, *pair_memory;
    struct tensor x;
    struct map pairs;
    size_t weights, biases, wide_size, narrow_size, pairs_size;
};

static struct operands operands(const struct shape *s, bool transposed, int lanes) {
    const int in = transposed ? s->out : s->in, out = transposed ? s->in : s->out;
    struct operands o = {.weights = (size_t)(s->in * s->out * s->kernel * s->kernel),
                         .biases = (size_t)pack_blocks(out) * LANES,
                         .wide_size = pack_conv_bf16_size(out, in, s->kernel, lanes),
                         .narrow_size = pack_conv_size(out, in, s->kernel)};
    o.weight = buffer(o.weights);
    o.bias = buffer(o.biases);
    o.wide = buffer(o.wide_size);
    o.narrow = buffer(o.narrow_size);
    o.x = tensor(in, s->height, s->width, s->kernel / 2, lanes, s->images);
    fill(&o.x, s->images);
    for (size_t i = 0; i < o.weights; i++) o.weight[i] = (float)(rng_uniform(&rng) * 2 - 1);
    for (int i = 0; i < out; i++) o.bias[i] = (float)(rng_uniform(&rng) * 2 - 1);
    const struct map shape = pack_pairs_shape(&o.x.map);
    o.pairs_size = map_size(&shape, s->images);
    o.pair_memory = buffer(o.pairs_size);
    o.pairs = map_place(shape, o.pair_memory);
    (lanes == 1 ? tested.round_neighbours : tested.round_bf16)(&o.pairs, &o.x.map, s->images);
    pack_conv_bf16(o.wide, o.weight, s->out, s->in, s->kernel, lanes, tested.group, transposed);
    for (size_t i = 0; i < o.weights; i++) o.weight[i] = rounded(o.weight[i]);
    for (size_t i = 0; i < o.x.size; i++) o.x.memory[i] = rounded(o.x.memory[i]);
    pack_conv(o.narrow, o.weight, s->out, s->in, s->kernel, lanes, reference.group, transposed);
    return o;
}

static void operands_free(struct operands *o, int images) {
    tensor_free(&o->x, images);
    buffer_free(o->weight, o->weights);
    buffer_free(o->bias, o->biases);
    buffer_free(o->wide, o->wide_size);
    buffer_free(o->narrow, o->narrow_size);
    buffer_free(o->pair_memory, o->pairs_size);
}

static void conv_case(const struct shape *s, int lanes, bool transposed, bool relu, bool gated) {
    const int in = transposed ? s->out : s->in, out = transposed ? s->in : s->out;
    struct operands o = operands(s, transposed, lanes);
    struct tensor gate = tensor(out, s->height, s->width, 1, LANES, s->images), y[3];
    for (int k = 0; k < 3; k++) y[k] = tensor(out, s->height, s->width, 2, LANES, s->images);
    fill(&gate, s->images);
    struct conv conv = {.y = y[0].map,
                        .x = o.pairs,
                        .weight = o.wide,
                        .bias = o.bias,
                        .relu = relu,
                        .gate = gated ? &gate.map : NULL,
                        .kernel = s->kernel,
                        .images = s->images};
    tested.conv_bf16(&conv);
    conv.x = o.x.map;
    conv.weight = o.narrow;
    conv.y = y[1].map;
    reference.conv(&conv);
    absolute(o.narrow, o.narrow_size);
    absolute(o.x.memory, o.x.size);
    absolute(o.bias, o.biases);
    conv.y = y[2].map;
    reference.conv(&conv);
    /* a product of two bf16 is exact in fp32; each pair adds twice */
    compare("conv_bf16", y[0].memory, y[1].memory, y[2].memory,
            (double)(in + 1) * s->kernel * s->kernel, y[0].size);
    for (int k = 0; k < 3; k++) tensor_free(&y[k], s->images);
    tensor_free(&gate, s->images);
    operands_free(&o, s->images);
}

static void test_conv(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int form = 0; form < 16; form++)
            conv_case(&shapes[i], form & 8 ? 1 : LANES, form & 1, form & 2, form & 4);
}

/* conv_pool_bf16 is conv_bf16 and then pool, bit for bit. */
static void test_conv_pool(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int form = 4; form < 12; form++) {
            const int pool = 2 + form / 2 % 2; /* with ReLU and without; then of planar maps */
            const struct shape *s = &shapes[i];
            const int size = pool == 2 ? s->pool : pool;
            const int ph = (s->height + size - 1) / size, pw = (s->width + size - 1) / size;
            const size_t switches = (size_t)(pack_blocks(s->out) * LANES * ph * pw * s->images);
            struct operands o = operands(s, false, form < 8 ? LANES : 1);
            struct tensor y = tensor(s->out, s->height, s->width, 0, LANES, s->images), what[2];
            uint8_t *where[2];
            for (int k = 0; k < 2; k++) {
                what[k] = tensor(s->out, ph, pw, k, LANES, s->images);
                where[k] = malloc(switches);
            }
            struct conv conv = {.y = y.map,
                                .x = o.pairs,
                                .weight = o.wide,
                                .bias = o.bias,
                                .relu = form % 2 == 0,
                                .kernel = s->kernel,
                                .images = s->images};
            tested.conv_bf16(&conv);
            tested.pool(&what[0].map, where[0], &y.map, size, s->images);
            conv.y = what[1].map;
            tested.conv_pool_bf16(&conv, where[1], size);
            assert_memory_equal(where[0], where[1], switches);
            for (int n = 0; n < s->images; n++)
                for (int c = 0; c < s->out; c++)
                    for (int a = 0; a < ph; a++)
                        for (int b = 0; b < pw; b++)
                            assert_memory_equal(map_at(&what[0].map, n, c, a, b),
                                                map_at(&what[1].map, n, c, a, b), sizeof(float));
            for (int k = 0; k < 2; k++) {
                tensor_free(&what[k], s->images);
                free(where[k]);
            }
            tensor_free(&y, s->images);
            operands_free(&o, s->images);
        }
}

static void test_conv_outer(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int form = 0; form < 4; form++) {
            const int ring = form % 2, lanes = form < 2 ? LANES : 1; /* of v, of x */
            const struct shape *s = &shapes[i];
            const size_t size = pack_outer_size(s->out, s->in, s->kernel);
            struct tensor v = tensor(s->out, s->height, s->width, ring, LANES, s->images);
            struct tensor x = tensor(s->in, s->height, s->width, s->kernel / 2, lanes, s->images);
            float *sum[3], *memory[2] = {buffer(v.size), buffer(x.size)};
            for (int k = 0; k < 3; k++) {
                sum[k] = buffer(size);
                for (size_t j = 0; j < size; j++) sum[k][j] = j % 16 < 3 ? 0.5f : 0;
            }
            fill(&v, s->images);
            fill(&x, s->images);
            struct map v_pairs = map_place(v.map, memory[0]), x_pairs = map_place(x.map, memory[1]);
            tested.round_neighbours(&v_pairs, &v.map, s->images);
            tested.round_neighbours(&x_pairs, &x.map, s->images);
            tested.conv_outer_bf16(sum[0], lanes == 1 ? &v.map : &v_pairs, &x_pairs, s->kernel,
                                   s->images);
            for (size_t j = 0; j < v.size; j++) v.memory[j] = rounded(v.memory[j]);
            for (size_t j = 0; j < x.size; j++) x.memory[j] = rounded(x.memory[j]);
            reference.conv_outer(sum[1], &v.map, &x.map, s->kernel, s->images);
            absolute(v.memory, v.size);
            absolute(x.memory, x.size);
            reference.conv_outer(sum[2], &v.map, &x.map, s->kernel, s->images);
            compare("conv_outer_bf16", sum[0], sum[1], sum[2],
                    (double)s->images * s->height * (s->width + 1) + 1, size);
            tensor_free(&v, s->images);
            tensor_free(&x, s->images);
            for (int k = 0; k < 3; k++) buffer_free(sum[k], size);
            buffer_free(memory[0], v.size);
            buffer_free(memory[1], x.size);
        }
}

/* Only the table of AVX-512 on a machine with bf16 has the entries, and then all of them. */
static void test_table(void **state) {
    (void)state;
    for (int isa = 0; isa < CPU_ISA_COUNT; isa++) {
        struct kernels table;
        if (!kernels_get(&table, (enum cpu_isa)isa)) continue;
        const bool there = isa == CPU_AVX512 && cpu_has_bf16();
        assert_int_equal(table.round_bf16 != NULL, there);
        assert_int_equal(table.conv_bf16 != NULL, there);
        assert_int_equal(table.conv_pool_bf16 != NULL, there);
        assert_int_equal(table.round_neighbours != NULL, there);
        assert_int_equal(table.conv_outer_bf16 != NULL, there);
        assert_int_equal(table.winograd_bf16 != NULL, there);
        assert_int_equal(table.winograd_pool_bf16 != NULL, there);
        assert_int_equal(table.winograd_outer_bf16 != NULL, there);
    }
}

int main(void) {
    const struct CMUnitTest always[] = {cmocka_unit_test(test_table)};
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rounding), cmocka_unit_test(test_conv),
                                       cmocka_unit_test(test_conv_pool),
                                       cmocka_unit_test(test_conv_outer)};
    rng = rng_stream(11, RNG_WEIGHTS, 0);
    const int failures = cmocka_run_group_tests_name("table", always, NULL, NULL);
    if (!cpu_has_bf16()) {
        printf("skipped: this machine has no avx512_bf16\n");
        return failures;
    }
    kernels_get(&reference, CPU_REFERENCE);
    kernels_get(&tested, CPU_AVX512);
    return failures + cmocka_run_group_tests_name("bf16", tests, NULL, NULL);
}
