/* linear.c - fully connected layers, 16 outputs at a time. */
#include "kernels/isa.h"

static void linear(real *y, const real *x, const real *weight, const real *bias, int in, int out,
                   int n, bool relu) {
    const int width = pack_blocks(out) * LANES;
    for (int k = 0; k < n; k++)
        for (int o = 0; o < width; o += LANES) {
            const float *from = x + (ptrdiff_t)k * in, *w = weight + o;
            /* four chains, so that the additions do not wait for each other */
            v16 a = v_load(bias + o), b = v_zero(), c = v_zero(), d = v_zero();
            int i = 0;
            for (; i + 4 <= in; i += 4, w += 4 * width) {
                a = v_fma(v_splat(from[i]), v_load(w), a);
                b = v_fma(v_splat(from[i + 1]), v_load(w + width), b);
                c = v_fma(v_splat(from[i + 2]), v_load(w + 2 * width), c);
                d = v_fma(v_splat(from[i + 3]), v_load(w + 3 * width), d);
            }
            for (; i < in; i++, w += width) a = v_fma(v_splat(from[i]), v_load(w), a);
            const v16 sum = v_add(v_add(a, b), v_add(c, d));
            v_store(y + (ptrdiff_t)k * width + o, relu ? v_relu(sum) : sum);
        }
}

static void linear_back(real *dx, const real *dy, const real *weight, int in, int out, int n) {
    const int width = pack_blocks(out) * LANES;
    for (int k = 0; k < n; k++)
        for (int i = 0; i < in; i++) {
            const float *w = weight + (ptrdiff_t)i * width;
            v16 sum = v_zero();
            for (int o = 0; o < width; o += LANES)
                sum = v_fma(v_load(dy + (ptrdiff_t)k * width + o), v_load(w + o), sum);
            dx[(ptrdiff_t)k * in + i] = v_sum(sum);
        }
}

static void linear_outer(real *sum, real *bias_sum, const real *x, const real *dy, int in, int out,
                         int n) {
    const int width = pack_blocks(out) * LANES;
    for (int k = 0; k < n; k++)
        for (int o = 0; o < width; o += LANES) {
            const v16 d = v_load(dy + (ptrdiff_t)k * width + o);
            v_store(bias_sum + o, v_add(v_load(bias_sum + o), d));
            float *to = sum + o;
            for (int i = 0; i < in; i++, to += width)
                v_store(to, v_fma(v_splat(x[(ptrdiff_t)k * in + i]), d, v_load(to)));
        }
}

void ISA(linear_install)(struct kernels *table) {
    table->linear = linear;
    table->linear_back = linear_back;
    table->linear_outer = linear_outer;
}
