/* test_shapes.c - data/shapes: pinned bytes, and truth that matches the pictures. */
#include "data/shapes.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PIXELS = SHAPES_SIDE * SHAPES_SIDE };

static struct swwae_dataset *make(uint64_t seed, swwae_split split, size_t count) {
    struct swwae_dataset *d;
    assert_int_equal(shapes_generate(&d, seed, split, count), SWWAE_OK);
    return d;
}

/* FNV-1a, 64 bits. */
static uint64_t hash(const uint8_t *bytes, size_t n) {
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++) h = (h ^ bytes[i]) * 0x100000001b3u;
    return h;
}

static void test_description(void **state) {
    (void)state;
    struct swwae_dataset *d = make(1, SWWAE_SPLIT_TRAIN, 25);
    assert_string_equal(d->name, "shapes");
    assert_int_equal(d->count, 25);
    assert_int_equal(d->channels, 1);
    assert_int_equal(d->height, SHAPES_SIDE);
    assert_int_equal(d->width, SHAPES_SIDE);
    assert_int_equal(d->pad, 0);
    assert_int_equal(d->classes, SHAPES_CLASSES);
    for (int k = 0; k < SHAPES_CLASSES; k++)
        for (int j = 0; j < k; j++) assert_string_not_equal(d->class_names[k], d->class_names[j]);
    assert_string_equal(swwae_dataset_source(d, 7), "shapes[7]");
    swwae_dataset_free(d);
    assert_int_equal(shapes_generate(&d, 1, SWWAE_SPLIT_TRAIN, 0), SWWAE_E_DATA);
    assert_int_equal(shapes_generate(&d, 1, (swwae_split)2, 10), SWWAE_E_ARGUMENT);
}

static void test_seeds(void **state) {
    (void)state;
    struct swwae_dataset *a = make(1, SWWAE_SPLIT_TRAIN, 105), *b = make(1, SWWAE_SPLIT_TRAIN, 105),
                         *few = make(1, SWWAE_SPLIT_TRAIN, 42),
                         *c = make(2, SWWAE_SPLIT_TRAIN, 105),
                         *test = make(1, SWWAE_SPLIT_TEST, 105);
    assert_memory_equal(a->images, b->images, 105 * PIXELS);
    assert_memory_equal(a->labels, b->labels, 105 * sizeof(int32_t));
    assert_memory_equal(a->truth, b->truth, 105 * sizeof *a->truth);
    assert_memory_equal(a->images, few->images, 42 * PIXELS); /* fewer is a prefix of more */
    assert_memory_equal(a->labels, few->labels, 42 * sizeof(int32_t));
    assert_memory_not_equal(a->labels, c->labels, 105 * sizeof(int32_t));
    assert_memory_not_equal(a->labels, test->labels, 105 * sizeof(int32_t));
    for (size_t i = 0; i < 105; i++) {
        assert_memory_not_equal(a->images + i * PIXELS, c->images + i * PIXELS, PIXELS);
        assert_memory_not_equal(a->images + i * PIXELS, test->images + i * PIXELS, PIXELS);
    }
    swwae_dataset_free(a);
    swwae_dataset_free(b);
    swwae_dataset_free(few);
    swwae_dataset_free(c);
    swwae_dataset_free(test);
}

/* The stream is pinned: a change here changes every result on "shapes". */
static void test_pinned(void **state) {
    (void)state;
    struct swwae_dataset *train = make(SHAPES_SEED, SWWAE_SPLIT_TRAIN, 100),
                         *test = make(SHAPES_SEED, SWWAE_SPLIT_TEST, 100);
    uint64_t of_train = hash(train->images, 100 * PIXELS),
             of_test = hash(test->images, 100 * PIXELS);
    if (of_train != 0xd3c310670b5611d6u || of_test != 0x7593b13a0ad0877au)
        fail_msg("hashes are 0x%016llx and 0x%016llx", (unsigned long long)of_train,
                 (unsigned long long)of_test);
    swwae_dataset_free(train);
    swwae_dataset_free(test);
}

static void test_classes(void **state) {
    (void)state;
    struct swwae_dataset *d = make(3, SWWAE_SPLIT_TRAIN, 1007);
    int counts[SHAPES_CLASSES] = {0};
    for (size_t i = 0; i < d->count; i++) {
        assert_in_range(d->labels[i], 0, SHAPES_CLASSES - 1);
        assert_int_equal(d->labels[i], d->truth[i].shape);
        counts[d->labels[i]]++;
    }
    for (int k = 0; k < SHAPES_CLASSES; k++) assert_in_range(counts[k], 100, 101);
    swwae_dataset_free(d);
}

/* The share of a class's bounding square its sprite covers, in closed form: area / r^2. */
static double area_of(int shape) {
    const double pi = 3.14159265358979;
    switch (shape) {
    case 0: return pi;
    case 1: return pi * (1 - 25.0 / 64);
    case 2: return 1.6 * 1.6;
    case 3: return 1.6 * 1.6 - 1;
    case 4: return 7.0 / 8 * 1.5;
    /* two bands |x - y| <= 0.3, |x + y| <= 0.3 in the square of side 1.6, less their overlap */
    case 5: return 2 * (1.6 * 1.6 - 1.3 * 1.3) - 0.3 * 0.3 * 2;
    case 6: return 2 * 2 * 0.5 - 0.25;
    case 7:
    case 8: return 2 * 0.6;
    default: return 1.12257; /* 10 t / (3 - t^2), t = tan(pi / 10) */
    }
}

static void test_truth(void **state) {
    (void)state;
    struct swwae_dataset *d = make(5, SWWAE_SPLIT_TEST, 2000);
    float least = 99, most = 0;
    for (size_t i = 0; i < d->count; i++) {
        const struct shapes_truth *t = &d->truth[i];
        const uint8_t *image = d->images + i * PIXELS;
        double sum = 0, x = 0, y = 0;
        int peak = 0;
        for (int p = 0; p < PIXELS; p++) {
            double cx = p % SHAPES_SIDE + 0.5,
                   cy = (double)(p / SHAPES_SIDE) + 0.5; /* pixel centres */
            sum += image[p];
            x += image[p] * cx;
            y += image[p] * cy;
            if (image[p] > peak) peak = image[p];
            /* nothing outside the radius: a pixel reaches half a pixel from its centre */
            if (fabs(cx - t->x) > t->scale + 0.5 || fabs(cy - t->y) > t->scale + 0.5)
                assert_int_equal(image[p], 0);
        }
        /* Every sprite's centroid is its centre. Light counts at its pixel's centre: an edge that
         * covers g of a pixel shifts it by g (1 - g) / 2 <= 1/8 pixel of light, which over the
         * narrowest sprite (bar: 0.6 * 4 pixels) is 0.052; the rest is sampling. */
        if (fabs(x / sum - t->x) > 0.1 || fabs(y / sum - t->y) > 0.1)
            fail_msg("image %zu (%s): centroid %.3f %.3f, truth %.3f %.3f", i,
                     d->class_names[t->shape], x / sum, y / sum, (double)t->x, (double)t->y);
        assert_true(t->scale >= 4 && t->scale <= 8);
        assert_true(t->x - t->scale >= 0 && t->x + t->scale <= SHAPES_SIDE);
        assert_true(t->y - t->scale >= 0 && t->y + t->scale <= SHAPES_SIDE);
        assert_true(t->brightness >= 0.5f && t->brightness <= 1.0f);
        assert_true(peak <= lround(255.0 * (double)t->brightness));
        /* the light of the picture is the sprite's area times its brightness */
        double area = sum / (255.0 * (double)t->brightness) / ((double)t->scale * (double)t->scale);
        if (fabs(area / area_of(t->shape) - 1) > 0.05)
            fail_msg("image %zu (%s, radius %.2f): area %.4f, expected %.4f", i,
                     d->class_names[t->shape], (double)t->scale, area, area_of(t->shape));
        if (t->scale < least) least = t->scale;
        if (t->scale > most) most = t->scale;
    }
    assert_true(least < 4.05f && most > 7.95f); /* the whole range is used */
    swwae_dataset_free(d);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_description),
                                       cmocka_unit_test(test_seeds), cmocka_unit_test(test_pinned),
                                       cmocka_unit_test(test_classes),
                                       cmocka_unit_test(test_truth)};
    return cmocka_run_group_tests_name("shapes", tests, NULL, NULL);
}
