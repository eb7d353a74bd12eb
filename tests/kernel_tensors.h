/* kernel_tensors.h - guarded maps and derived bounds for the tests of kernels.
 *
 * A sum of n products computed in any order differs from the exact one by at most n 2^-24 times
 * the sum of the products' absolute values (Higham, "Accuracy and Stability", 3.1); that sum comes
 * from the reference run on absolute inputs. Every buffer stands between guard zones, and rings and
 * padding lanes must stay zero. Included once, by the test itself. */
#ifndef SWWAE_TESTS_KERNEL_TENSORS_H
#define SWWAE_TESTS_KERNEL_TENSORS_H

#include "base/rng.h"
#include "kernels/kernels.h"
#include "kernels/pack.h"
#include "shrink.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GUARD 64
#define GUARD_VALUE 12345.0f

static struct kernels reference, tested;
static struct rng rng;

/* ---- guarded buffers ---- */

static float *buffer(size_t size) {
    float *memory = aligned_alloc(64, ((size + 2 * GUARD) * sizeof *memory + 63) / 64 * 64);
    assert_non_null(memory);
    for (size_t i = 0; i < size + 2 * GUARD; i++)
        memory[i] = i < GUARD || i >= size + GUARD ? GUARD_VALUE : 0;
    return memory + GUARD;
}

static void buffer_free(float *data, size_t size) {
    for (int i = 0; i < GUARD; i++) {
        assert_true(data[-1 - i] == GUARD_VALUE);
        assert_true(data[size + (size_t)i] == GUARD_VALUE);
    }
    free(data - GUARD);
}

struct tensor {
    struct map map;
    float *memory;
    size_t size;
};

static struct tensor tensor(int channels, int height, int width, int ring, int lanes, int images) {
    struct tensor t = {.map = map_shape(channels, height, width, ring, lanes)};
    t.size = map_size(&t.map, images);
    t.memory = buffer(t.size);
    t.map = map_place(t.map, t.memory);
    return t;
}

/* Values in -1..1, a third of them zero (as after ReLU). */
static void fill(struct tensor *t, int images) {
    const struct map *m = &t->map;
    for (int n = 0; n < images; n++)
        for (int c = 0; c < m->channels; c++)
            for (int i = 0; i < m->height; i++)
                for (int j = 0; j < m->width; j++) {
                    const double u = rng_uniform(&rng) * 3 - 1.5;
                    *map_at(m, n, c, i, j) = fabs(u) > 1 ? 0 : (float)u;
                }
}

/* Ring and padding lanes are zero: total of absolute values inside equals that of the memory. */
static void tensor_free(struct tensor *t, int images) {
    const struct map *m = &t->map;
    size_t inside = 0, all = 0;
    for (int n = 0; n < images; n++)
        for (int c = 0; c < m->channels; c++)
            for (int i = 0; i < m->height; i++)
                for (int j = 0; j < m->width; j++) inside += *map_at(m, n, c, i, j) != 0;
    for (size_t i = 0; i < t->size; i++) all += t->memory[i] != 0;
    assert_int_equal(inside, all);
    buffer_free(t->memory, t->size);
}

static inline void absolute(float *v, size_t n) {
    for (size_t i = 0; i < n; i++) v[i] = fabsf(v[i]);
}

/* |a - b| <= terms 2^-24 bound (+ one rounding), value by value. */
static inline void compare(const char *what, const float *a, const float *b, const float *bound,
                           double terms, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const double allowed = (terms + 2) * 0x1p-24 * (double)bound[i] + 1e-30;
        if (!(fabs((double)a[i] - (double)b[i]) <= allowed)) {
            print_error("%s %s: value %zu is %.9g, the reference has %.9g, allowed %.2g\n",
                        tested.name, what, i, (double)a[i], (double)b[i], allowed);
            fail();
        }
    }
}

/* From one shape to the next; all shapes, of which sanitizers see half and valgrind a third. */
static inline size_t next_shape(void) { return crawls() ? 3 : shrink() > 1 ? 2 : 1; }

/* ---- every instruction set in turn ---- */

/* run(name) with `tested` of each instruction set that this machine has; the failures. */
static inline int on_every_isa(int (*run)(const char *name)) {
    int failures = 0;
    kernels_get(&reference, CPU_REFERENCE);
    for (int i = CPU_PLAIN; i < CPU_ISA_COUNT; i++) {
        const enum cpu_isa isa = (enum cpu_isa)i;
        if (!cpu_has(isa)) {
            printf("skipped: this machine has no %s\n", cpu_isa_name(isa));
            continue;
        }
        printf("---- %s\n", cpu_isa_name(isa));
        rng = rng_stream(11, RNG_WEIGHTS, 0);
        failures += kernels_get(&tested, isa) ? run(cpu_isa_name(isa)) : 1;
    }
    return failures;
}

#endif
