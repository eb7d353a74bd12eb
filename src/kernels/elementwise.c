/* elementwise.c - sums, differences and distances over whole maps.
 *
 * A row of a blocked map is width * 16 values side by side, a row of a planar one width values;
 * the loops below see rows only. */
#include "kernels/isa.h"

static void sum_pixels(real *sum, const struct map *x, int images) {
    for (int b = 0; b < map_blocks(x); b++) {
        if (x->lanes == LANES) {
            v16 total = v_load(sum + b * LANES);
            for (int n = 0; n < images; n++)
                for (int i = 0; i < x->height; i++) {
                    const float *from = x->data + n * x->image + b * x->block + i * x->row;
                    for (int j = 0; j < x->width; j++)
                        total = v_add(total, v_load(from + j * LANES));
                }
            v_store(sum + b * LANES, total);
            continue;
        }
        double total = 0;
        for (int n = 0; n < images; n++)
            for (int i = 0; i < x->height; i++)
                for (int j = 0; j < x->width; j++) total += *map_at(x, n, b, i, j);
        sum[b] += (float)total;
    }
}

static double squared_distance(const struct map *a, const struct map *b, int image) {
    const int length = a->width * a->lanes;
    double sum = 0;
    for (int block = 0; block < map_blocks(a); block++)
        for (int i = 0; i < a->height; i++) {
            const float *p = a->data + image * a->image + block * a->block + i * a->row;
            const float *q = b->data + image * b->image + block * b->block + i * b->row;
            v16 total = v_zero();
            int k = 0;
            for (; k + LANES <= length; k += LANES) {
                const v16 d = v_sub(v_load(p + k), v_load(q + k));
                total = v_fma(d, d, total);
            }
            float rest = v_sum(total);
            for (; k < length; k++) rest += (p[k] - q[k]) * (p[k] - q[k]);
            sum += rest;
        }
    return sum;
}

static void difference(struct map *d, const struct map *a, const struct map *b, real scale,
                       int image) {
    const int length = a->width * a->lanes;
    const v16 factor = v_splat(scale);
    for (int block = 0; block < map_blocks(a); block++)
        for (int i = 0; i < a->height; i++) {
            const float *p = a->data + image * a->image + block * a->block + i * a->row;
            const float *q = b->data + image * b->image + block * b->block + i * b->row;
            float *to = d->data + image * d->image + block * d->block + i * d->row;
            int k = 0;
            for (; k + LANES <= length; k += LANES)
                v_store(to + k, v_mul(factor, v_sub(v_load(p + k), v_load(q + k))));
            for (; k < length; k++) to[k] = scale * (p[k] - q[k]);
        }
}

enum change { ADD, SUBTRACT, KEEP };

/* x = x + y, x - y or x, then through gate when given; blocked maps. */
INLINE void change(struct map *x, const struct map *y, const struct map *gate, int images,
                   const enum change how) {
    const int length = x->width * LANES;
    for (int n = 0; n < images; n++)
        for (int b = 0; b < map_blocks(x); b++)
            for (int i = 0; i < x->height; i++) {
                float *to = x->data + n * x->image + b * x->block + i * x->row;
                const float *from = y ? y->data + n * y->image + b * y->block + i * y->row : NULL;
                const float *open =
                    gate ? gate->data + n * gate->image + b * gate->block + i * gate->row : NULL;
                for (int k = 0; k < length; k += LANES) {
                    v16 value = v_load(to + k);
                    if (how == ADD) value = v_add(value, v_load(from + k));
                    if (how == SUBTRACT) value = v_sub(value, v_load(from + k));
                    v_store(to + k, open ? v_gate(value, v_load(open + k)) : value);
                }
            }
}

static void add(struct map *x, const struct map *y, const struct map *gate, int images) {
    change(x, y, gate, images, ADD);
}

static void subtract(struct map *x, const struct map *y, int images) {
    change(x, y, NULL, images, SUBTRACT);
}

static void gate(struct map *x, const struct map *open, int images) {
    change(x, NULL, open, images, KEEP);
}

void ISA(elementwise_install)(struct kernels *table) {
    table->sum_pixels = sum_pixels;
    table->squared_distance = squared_distance;
    table->difference = difference;
    table->add = add;
    table->subtract = subtract;
    table->gate = gate;
}
