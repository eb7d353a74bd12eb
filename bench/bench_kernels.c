/* bench_kernels.c - the switch-sparse kernels against the dense ones they replace, pass by pass.
 *
 *   bench_kernels [--reps N] [--shapes abc...]
 *
 * One thread. All sides are timed in turns inside one run, as is a loop of nothing but FMAs, and
 * medians are shown: the time of an image in microseconds with our dense kernels, direct and by
 * Winograd's filtering (3x3), with oneDNN's (where the build has it) and with the sparse ones; our
 * faster dense one's and oneDNN's over sparse, and oneDNN's over our fastest; the rate of the
 * sparse kernel's own multiply-adds, and that rate as a share of the FMA loop's. The dense sides
 * are the convolutions alone, without the unpooling they need; oneDNN's arrays are in the formats
 * it likes best and never reordered, and its conv+pool is the convolution with bias and ReLU alone.
 * "zeros" is the share of ReLU zeros in the sparse map.
 *
 * "bound" is the share of the FMA loop's rate that loads allow: a sparse pass's FMAs each read a
 * vector from the first-level cache (two share it in outer+dot), and a loop of such FMAs is timed
 * too. What a pass lacks to its bound goes into lists, broadcasts, and loading and storing outputs.
 *
 * Environment: SWWAE_ISA picks the kernels. */
#include "base/cpu.h"
#include "base/rng.h"
#include "kernels/kernels.h"
#include "kernels/pack.h"
#include "kernels/sparse.h"
#include "kernels/winograd.h"
#include "onednn.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define IMAGES 4 /* a call's, as the engine groups them */
#define MOST_REPS 1001

static const struct shape {
    const char *name;
    int sparse, dense, kernel, pool, side;
} shapes[] = {
    {"3x3 64-64 @16 pool 2", 64, 64, 3, 2, 16},     {"3x3 128-64 @8 pool 2", 128, 64, 3, 2, 8},
    {"3x3 128-128 @16 pool 2", 128, 128, 3, 2, 16}, {"3x3 256-256 @8 pool 2", 256, 256, 3, 2, 8},
    {"3x3 32-32 @16 pool 2", 32, 32, 3, 2, 16},     {"3x3 32-16 @28 pool 7", 32, 16, 3, 7, 28},
    {"3x3 64-64 @15 pool 3", 64, 64, 3, 3, 15},     {"5x5 64-64 @16 pool 2", 64, 64, 5, 2, 16},
    {"5x5 64-1 @32 pool 2", 64, 1, 5, 2, 32},       {"5x5 128-3 @32 pool 2", 128, 3, 5, 2, 32},
    {"5x5 16-1 @28 pool 2", 16, 1, 5, 2, 28},       {"1x1 64-64 @16 pool 2", 64, 64, 1, 2, 16},
    {"7x7 32-32 @16 pool 2", 32, 32, 7, 2, 16},     {"11x11 16-16 @28 pool 2", 16, 16, 11, 2, 28},
    {"3x3 8-8 @28 pool 2", 8, 8, 3, 2, 28},
};
#define SHAPES (sizeof shapes / sizeof *shapes)

static _Noreturn void die(const char *sentence) {
    fprintf(stderr, "bench_kernels: %s\n", sentence);
    exit(1);
}

/* The thread's own time: other programs disturb it less. */
static double now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, int n) {
    qsort(v, (size_t)n, sizeof *v, by_value);
    return v[n / 2];
}

static struct rng rng;

static float *values(size_t size) {
    float *v = aligned_alloc(64, (size * sizeof *v + 64) / 64 * 64);
    if (!v) die("not enough memory");
    for (size_t i = 0; i < size; i++) v[i] = (float)(rng_uniform(&rng) * 2 - 1);
    return v;
}

/* Random inside, zero in ring and padding lanes; `zeros` of it is 0, the rest positive if relu. */
static struct map random_map(int channels, int side, int ring, int lanes, double zeros, bool relu) {
    const struct map shape = map_shape(channels, side, side, ring, lanes);
    float *memory = values(map_size(&shape, IMAGES));
    memset(memory, 0, map_size(&shape, IMAGES) * sizeof *memory);
    const struct map map = map_place(shape, memory);
    for (int n = 0; n < IMAGES; n++)
        for (int c = 0; c < channels; c++)
            for (int i = 0; i < side; i++)
                for (int j = 0; j < side; j++) {
                    const double u = rng_uniform(&rng) + 1e-3;
                    *map_at(&map, n, c, i, j) =
                        rng_uniform(&rng) < zeros ? 0 : (float)(relu ? u : u - 0.5);
                }
    return map;
}

static void map_free(const struct map *m) {
    free(m->data - m->ring * m->row - (ptrdiff_t)m->ring * m->lanes);
}

/* ---- the rate of FMAs alone ---- */

#if defined(__x86_64__)
/* Every loop over the sums is unrolled: else they would lie in memory. */
#define EACH_SUM _Pragma("GCC unroll 12") for (int k = 0; k < 12; k++)
#define FMA_LOOP(name, isa, width)                                                    \
    __attribute__((target(isa))) static float name(int n) {                           \
        typedef float vector __attribute__((vector_size(4 * (width))));               \
        const vector x = (vector){0} + 0.999f, y = (vector){0} + 1e-3f;               \
        vector a[12], total = y;                                                      \
        EACH_SUM a[k] = y + (float)k;                                                 \
        for (int i = 0; i < n; i++) EACH_SUM a[k] = a[k] * x + y;                     \
        EACH_SUM total += a[k];                                                       \
        return total[0];                                                              \
    }                                                                                 \
    /* The same, each with an operand from memory: 3 KiB with AVX-512. */             \
    __attribute__((target(isa))) static float name##_load(int n, const float *from) { \
        typedef float vector __attribute__((vector_size(4 * (width))));               \
        const vector x = (vector){0} + 0.999f;                                        \
        vector a[12], total = x;                                                      \
        EACH_SUM a[k] = x + (float)k;                                                 \
        for (int i = 0; i < n; i++) {                                                 \
            const vector *at = (const vector *)(from + (i % 4) * 12 * (width));       \
            EACH_SUM a[k] += x * at[k];                                               \
        }                                                                             \
        EACH_SUM total += a[k];                                                       \
        return total[0];                                                              \
    }
FMA_LOOP(fma_avx512, "avx512f,avx512vl,prefer-vector-width=512", 16)
FMA_LOOP(fma_avx2, "avx2,fma", 8)
#endif

/* GFLOP/s, with a load each or without; 0 where not known. */
static double fma_rate(enum cpu_isa isa, bool load) {
    static _Alignas(64) float from[4 * 12 * 16];
    const int n = 200000;
    volatile float sink;
    const double start = now_us();
#if defined(__x86_64__)
    if (isa == CPU_AVX512) {
        sink = load ? fma_avx512_load(n, from) : fma_avx512(n);
        return 2.0 * 12 * 16 * n / (now_us() - start) / 1e3;
    }
    if (isa == CPU_AVX2) {
        sink = load ? fma_avx2_load(n, from) : fma_avx2(n);
        return 2.0 * 12 * 8 * n / (now_us() - start) / 1e3;
    }
#endif
    (void)sink, (void)start, (void)isa, (void)load, (void)from;
    return 0;
}

/* ---- one shape ---- */

enum pass { SCATTER, OUTER, DOT, OUTER_DOT, CONV_POOL, PASSES };
static const char *const pass_names[] = {"scatter", "outer", "dot", "outer+dot", "conv+pool"};

struct setup {
    const struct shape *s;
    struct kernels k;
    struct sparse sparse;
    struct map unpooled, unpooled_out; /* the sparse map; a map of its shape */
    struct map dense, dense_out;       /* with and without ring */
    struct map pooled, pooled_out, what;
    uint8_t *where;
    float *weight, *forward, *back, *packed, *encoder, *bias, *sum, *sparse_sum;
    float *winograd, *winograd_back, *winograd_encoder, *winograd_sum; /* NULL: not 3x3 */
    void *scratch, *winograd_scratch;
    struct onednn *onednn, *onednn_encoder; /* NULL: none */
};

/* false: oneDNN has no such pass. */
static bool run_onednn(const struct setup *u, enum pass pass) {
    if (!u->onednn || !u->onednn_encoder) return false;
    if (pass == CONV_POOL) onednn_run(u->onednn_encoder, ONEDNN_FORWARD);
    if (pass == SCATTER) onednn_run(u->onednn, ONEDNN_FORWARD);
    if (pass == OUTER || pass == OUTER_DOT) onednn_run(u->onednn, ONEDNN_WEIGHTS);
    if (pass == DOT || pass == OUTER_DOT) onednn_run(u->onednn, ONEDNN_DATA);
    return true;
}

static void run_dense(struct setup *u, enum pass pass) {
    const int kernel = u->s->kernel;
    const bool few = u->dense.lanes == 1;
    struct conv conv = {.kernel = kernel, .images = IMAGES, .bias = u->bias};
    switch (pass) {
    case SCATTER:
        conv.y = u->dense_out, conv.x = u->unpooled, conv.weight = u->forward, conv.relu = !few;
        (few ? u->k.conv_few : u->k.conv)(&conv);
        break;
    case OUTER_DOT: run_dense(u, OUTER); /* fallthrough */
    case DOT:
        conv.y = u->unpooled_out, conv.x = u->dense, conv.weight = u->back, conv.bias = NULL;
        u->k.conv(&conv);
        break;
    case OUTER:
        if (few)
            u->k.conv_outer(u->sum, &u->unpooled, &u->dense, kernel, IMAGES);
        else
            u->k.conv_outer(u->sum, &u->dense_out, &u->unpooled, kernel, IMAGES);
        break;
    default:
        conv.y = u->unpooled_out, conv.x = u->dense, conv.weight = u->encoder, conv.relu = true;
        u->k.conv(&conv);
        u->k.pool(&u->pooled, u->where, &u->unpooled_out, u->s->pool, IMAGES);
    }
}

/* false: there is no such kernel. */
static bool run_winograd(struct setup *u, enum pass pass) {
    struct conv conv = {
        .kernel = 3, .images = IMAGES, .bias = u->bias, .scratch = u->winograd_scratch};
    if (!u->winograd) return false;
    switch (pass) {
    case SCATTER:
        conv.y = u->dense_out, conv.x = u->unpooled, conv.weight = u->winograd, conv.relu = true;
        u->k.winograd(&conv);
        break;
    case OUTER_DOT: run_winograd(u, OUTER); /* fallthrough */
    case DOT:
        conv.y = u->unpooled_out, conv.x = u->dense, conv.weight = u->winograd_back;
        conv.bias = NULL;
        u->k.winograd(&conv);
        break;
    case OUTER:
        u->k.winograd_outer(u->winograd_sum, &u->dense_out, &u->unpooled, IMAGES,
                            u->winograd_scratch);
        break;
    default:
        conv.y = u->pooled, conv.x = u->dense, conv.weight = u->winograd_encoder;
        conv.relu = true;
        u->k.winograd_pool(&conv, u->where, u->s->pool);
    }
    return true;
}

/* false: there is no such kernel. */
static bool run_sparse(struct setup *u, enum pass pass) {
    const int kernel = u->s->kernel;
    if (u->dense.lanes == 1 && pass != CONV_POOL)
        if (pass == SCATTER || !u->k.sparse_few(u->s->pool, kernel)) return false;
    const struct scatter scatter = {.y = u->dense_out,
                                    .x = u->sparse,
                                    .weight = u->packed,
                                    .bias = u->bias,
                                    .relu = true,
                                    .kernel = kernel,
                                    .images = IMAGES,
                                    .scratch = u->scratch};
    struct sparse gated = u->sparse;
    gated.gate = &u->sparse.what;
    struct conv conv = {.y = u->pooled_out,
                        .x = u->dense,
                        .weight = u->encoder,
                        .bias = u->bias,
                        .relu = true,
                        .kernel = kernel,
                        .images = IMAGES};
    switch (pass) {
    case SCATTER: u->k.scatter(&scatter); break;
    case OUTER:
        u->k.sparse_outer(u->sparse_sum, &u->sparse, &u->dense, kernel, IMAGES, u->scratch);
        break;
    case DOT:
        u->k.sparse_dot(&u->pooled_out, &gated, &u->dense, u->packed, kernel, IMAGES, u->scratch);
        break;
    case OUTER_DOT:
        u->k.sparse_outer_dot(u->sparse_sum, &u->pooled_out, &gated, &u->dense, u->packed, kernel,
                              IMAGES, u->scratch);
        break;
    default: u->k.conv_pool(&conv, u->where, u->s->pool);
    }
    return true;
}

static void setup_winograd(struct setup *u) {
    const struct shape *s = u->s;
    const int in = s->sparse, out = s->dense, most = in > out ? in : out;
    if (s->kernel != 3 || u->dense.lanes == 1 || !u->k.winograd) return;
    u->winograd = values(pack_winograd_size(out, in));
    u->winograd_back = values(pack_winograd_size(in, out));
    u->winograd_encoder = values(pack_winograd_size(in, out));
    u->winograd_sum = values(pack_winograd_size(out, in));
    pack_winograd(u->winograd, u->weight, out, in, u->k.group, false);
    pack_winograd(u->winograd_back, u->weight, out, in, u->k.group, true);
    pack_winograd(u->winograd_encoder, u->weight, in, out, u->k.group, false);
    const size_t conv = winograd_scratch(most, most),
                 pool = winograd_pool_scratch(most, most, s->side, s->side);
    u->winograd_scratch = values((conv > pool ? conv : pool) / sizeof(float));
}

static void setup_make(struct setup *u, const struct shape *s, enum cpu_isa isa, double zeros) {
    memset(u, 0, sizeof *u);
    u->s = s;
    kernels_get(&u->k, isa);
    const int lanes = s->dense <= 4 ? 1 : LANES, radius = s->kernel / 2, in = s->sparse,
              out = s->dense, small = (s->side + s->pool - 1) / s->pool;
    u->unpooled = random_map(in, s->side, radius, LANES, 1, false);
    u->unpooled_out = random_map(in, s->side, 0, LANES, 1, false);
    u->dense = random_map(out, s->side, radius, lanes, 0, false);
    u->dense_out = random_map(out, s->side, 0, lanes, 0, false);
    u->what = random_map(in, small, 0, LANES, zeros, true);
    u->pooled = random_map(in, small, 0, LANES, 1, false);
    u->pooled_out = random_map(in, small, 0, LANES, 1, false);
    const size_t switches =
        (size_t)IMAGES * LANES * (size_t)pack_blocks(in) * (size_t)(small * small);
    uint8_t *where = malloc(switches);
    u->where = malloc(switches);
    for (size_t i = 0; i < switches; i++) {
        const size_t row = i / LANES / (size_t)small % (size_t)small;
        const size_t column = i / LANES % (size_t)small;
        const int rows = s->side - (int)row * s->pool, columns = s->side - (int)column * s->pool;
        where[i] =
            (uint8_t)((int)(rng_uniform(&rng) * (rows < s->pool ? rows : s->pool)) * s->pool +
                      (int)(rng_uniform(&rng) * (columns < s->pool ? columns : s->pool)));
    }
    u->sparse = (struct sparse){
        .what = u->what, .where = where, .pool = s->pool, .height = s->side, .width = s->side};
    u->k.unpool(&u->unpooled, &u->what, where, NULL, s->pool, IMAGES);
    u->weight = values((size_t)in * (size_t)(out * s->kernel * s->kernel));
    u->bias = values(1024);
    u->forward =
        values(pack_conv_size(out, in, s->kernel) + pack_conv_few_size(out, in, s->kernel));
    u->back = values(pack_conv_size(in, out, s->kernel));
    u->encoder = values(pack_conv_size(in, out, s->kernel));
    u->packed = values(pack_sparse_size(out, in, s->kernel, lanes));
    u->sum = values(pack_outer_size(out, in, s->kernel) + pack_outer_size(in, out, s->kernel));
    u->sparse_sum = values(pack_sparse_size(out, in, s->kernel, lanes));
    if (lanes == 1)
        pack_conv_few(u->forward, u->weight, out, in, s->kernel);
    else
        pack_conv(u->forward, u->weight, out, in, s->kernel, LANES, u->k.group, false);
    pack_conv(u->back, u->weight, out, in, s->kernel, lanes, u->k.group, true);
    pack_conv(u->encoder, u->weight, in, out, s->kernel, lanes, u->k.group, false);
    pack_sparse(u->packed, u->weight, out, in, s->kernel, lanes, false);
    size_t bytes = scatter_scratch(&u->sparse, out, s->kernel);
    if (sparse_scratch(&u->sparse, s->kernel) > bytes)
        bytes = sparse_scratch(&u->sparse, s->kernel);
    u->scratch = values(bytes / sizeof(float));
    u->onednn = onednn_create(out, in, s->kernel, s->side, IMAGES);
    u->onednn_encoder = onednn_create(in, out, s->kernel, s->side, IMAGES);
    setup_winograd(u);
}

static void setup_free(struct setup *u) {
    map_free(&u->unpooled), map_free(&u->unpooled_out), map_free(&u->dense);
    map_free(&u->dense_out), map_free(&u->what), map_free(&u->pooled), map_free(&u->pooled_out);
    free((void *)u->sparse.where);
    free(u->where), free(u->weight), free(u->bias), free(u->forward), free(u->back);
    free(u->encoder), free(u->packed), free(u->sum), free(u->sparse_sum), free(u->scratch);
    free(u->winograd), free(u->winograd_back), free(u->winograd_encoder), free(u->winograd_sum);
    free(u->winograd_scratch);
    onednn_free(u->onednn), onednn_free(u->onednn_encoder);
}

/* The sparse pass that comes least near to the machine's peak. */
struct slowest {
    char text[96];
    double share; /* 0: none */
};

static void cell(double value, const char *format, int width) {
    char text[32] = "-";
    if (value > 0) snprintf(text, sizeof text, format, value);
    printf(" %*s", width, text);
}

static double over(double one, double other) { return one > 0 && other > 0 ? one / other : 0; }

/* The smaller of those that are there (not 0). */
static double least(double a, double b) { return !(a > 0) || (b > 0 && b < a) ? b : a; }

/* Vector loads per FMA of the sparse kernels' inner loops; conv_pool's tile reuses what it loads.
 */
static const double loads[PASSES] = {1, 1, 1, 0.5, 0};

enum side { DENSE, WINOGRAD, ONEDNN, SPARSE, SIDES };

static bool run_side(struct setup *u, enum side side, enum pass pass) {
    if (side == WINOGRAD) return run_winograd(u, pass);
    if (side == ONEDNN) return run_onednn(u, pass);
    if (side == SPARSE) return run_sparse(u, pass);
    run_dense(u, pass);
    return true;
}

static void row(struct slowest *slowest, const struct shape *s, enum pass p, double zeros,
                const double us[SIDES], double work, double top, double top_load) {
    const double rate = us[SPARSE] > 0 ? work / us[SPARSE] / 1e3 : 0;
    const double share = top > 0 ? rate / top : 0;
    const double bound = top > 0 && loads[p] > 0 ? fmin(1, top_load / top / loads[p]) : 1;
    const double dense = least(us[DENSE], us[WINOGRAD]);
    printf("%-24s %3.0f%%  %-10s %9.1f", s->name, zeros * 100, pass_names[p], us[DENSE]);
    for (enum side side = WINOGRAD; side < SIDES; side++) cell(us[side], "%.1f", 9);
    cell(over(dense, us[SPARSE]), "%.2fx", 7);
    cell(over(us[ONEDNN], us[SPARSE]), "%.2fx", 7);
    cell(over(us[ONEDNN], least(dense, us[SPARSE])), "%.2fx", 7);
    cell(rate, "%.1f", 8);
    cell(100 * share, "%.0f%%", 6);
    cell(share > 0 ? 100 * bound : 0, "%.0f%%", 6);
    printf("\n");
    if (share > 0 && (slowest->share == 0 || share < slowest->share)) {
        slowest->share = share;
        snprintf(slowest->text, sizeof slowest->text, "%s of %s, %.0f %% zeros", pass_names[p],
                 s->name, zeros * 100);
    }
}

static void bench(struct slowest *slowest, const struct shape *s, enum cpu_isa isa, double zeros,
                  int reps) {
    static double times[SIDES][PASSES][MOST_REPS], peak[MOST_REPS], peak_load[MOST_REPS];
    struct setup u;
    setup_make(&u, s, isa, zeros);
    const double flops = 2.0 * s->side * s->side * s->kernel * s->kernel * s->sparse * s->dense;
    const int calls = (int)(4e8 / flops / IMAGES) + 1; /* some milliseconds a timing */
    for (int r = -1; r < reps; r++) {
        const int at = r < 0 ? 0 : r; /* the warm-up's times are written over */
        peak[at] = fma_rate(isa, false);
        peak_load[at] = fma_rate(isa, true);
        for (enum pass p = 0; p < PASSES; p++)
            for (enum side side = 0; side < SIDES; side++) {
                bool there = true;
                const double start = now_us();
                for (int i = 0; i < calls && there; i++) there = run_side(&u, side, p);
                times[side][p][at] = there ? (now_us() - start) / calls / IMAGES : 0;
            }
    }
    const double top = median(peak, reps), top_load = median(peak_load, reps);
    const double kept = (1 - zeros) / (s->pool * s->pool);
    for (enum pass p = 0; p < PASSES; p++) {
        double us[SIDES];
        if (p == CONV_POOL && zeros > 0) continue;
        for (enum side side = 0; side < SIDES; side++) us[side] = median(times[side][p], reps);
        const double work = p == CONV_POOL ? flops : flops * kept * (p == OUTER_DOT ? 2 : 1);
        row(slowest, s, p, zeros, us, work, top, top_load);
    }
    fflush(stdout);
    setup_free(&u);
}

int main(int argc, char **argv) {
    int reps = 15;
    const char *only = NULL;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--reps"))
            reps = (int)strtol(argv[i + 1], NULL, 10);
        else if (!strcmp(argv[i], "--shapes"))
            only = argv[i + 1];
        else
            die("usage: bench_kernels [--reps N] [--shapes abc...]");
    }
    if (reps < 1 || reps > MOST_REPS) die("--reps is out of range");
    const char *complaint;
    const enum cpu_isa isa = cpu_choose(&complaint);
    if (complaint) fprintf(stderr, "bench_kernels: %s\n", complaint);
    struct slowest slowest = {.share = 0};
    printf("%s, FMA loop %.0f GFLOP/s, with a load each %.0f; us an image on one thread; ",
           cpu_isa_name(isa), fma_rate(isa, false), fma_rate(isa, true));
    if (onednn_version())
        printf("oneDNN %s\n", onednn_version());
    else
        printf("built without oneDNN (libdnnl-dev), whose columns are empty\n");
    printf("dense/, oneDNN/: our faster dense one's and oneDNN's time over sparse's; o./best: "
           "oneDNN's over our fastest;\nGFLOP/s, peak: of sparse's own operations, and their share "
           "of the FMA loop; bound: the share that loads allow.\nsparse's conv+pool is dense work "
           "too: convolution, bias, ReLU, pool and switch in one; oneDNN's is without the pool.\n");
    printf("%-24s %-5s %-10s %9s %9s %9s %9s %7s %7s %7s %8s %6s %6s\n", "shape", "zeros", "pass",
           "dense", "winograd", "oneDNN", "sparse", "dense/", "oneDNN/", "o./best", "GFLOP/s",
           "peak", "bound");
    for (size_t i = 0; i < SHAPES; i++) {
        if (only && !strchr(only, 'a' + (int)i)) continue;
        rng = rng_stream(1, RNG_WEIGHTS, 0);
        bench(&slowest, &shapes[i], isa, 0, reps);
        bench(&slowest, &shapes[i], isa, 0.5, reps);
    }
    if (slowest.share > 0)
        printf("slowest by share of peak: %s: %.0f %%\n", slowest.text, 100 * slowest.share);
    return 0;
}
