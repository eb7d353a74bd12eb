/* test_augment.c - random changes of images: what they are, and what they do not depend on. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "data/augment.h"

#define CHANNELS 2
#define HEIGHT 13
#define WIDTH 18
#define PIXELS (HEIGHT * WIDTH)
#define IMAGES 60

static struct augment augment_of(unsigned kinds, double strength, uint64_t seed) {
    struct augment augment;
    assert_int_equal(augment_create(&augment, CHANNELS, HEIGHT, WIDTH, 4), SWWAE_OK);
    augment.kinds = kinds;
    augment.strength = strength;
    augment.seed = seed;
    return augment;
}

/* Values 0..1, every image another. */
static float *images_of(void) {
    float *images = malloc((size_t)IMAGES * CHANNELS * PIXELS * sizeof *images);
    struct rng rng = rng_stream(1, RNG_WEIGHTS, 0);
    for (int i = 0; i < IMAGES * CHANNELS; i++)
        for (int p = 0; p < PIXELS; p++) images[i * PIXELS + p] = (float)rng_uniform(&rng);
    return images;
}

static float *copy_of(const float *images) {
    const size_t size = (size_t)IMAGES * CHANNELS * PIXELS * sizeof *images;
    return memcpy(malloc(size), images, size);
}

/* The value at (x, y) of a plane; 0 outside. */
static float at(const float *plane, int x, int y) {
    return x < 0 || y < 0 || x >= WIDTH || y >= HEIGHT ? 0 : plane[y * WIDTH + x];
}

/* Whether plane `to` is plane `from`, mirrored or not, read dx further right and dy further down.
 */
static bool is_moved(const float *to, const float *from, int dx, int dy, bool mirror) {
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            const int source = (mirror ? WIDTH - 1 - x : x) + dx;
            if (to[y * WIDTH + x] != at(from, source, y + dy)) return false;
        }
    return true;
}

/* Shifts and mirror images are exact, all channels of an image alike, and every one is drawn. */
static void test_shift_and_mirror(void **state) {
    (void)state;
    float *before = images_of(), *after = copy_of(before);
    struct augment a = augment_of(AUGMENT_SHIFT | AUGMENT_MIRROR, 1, 3);
    bool seen[3][3][2] = {{{false}}}; /* 13 / 16 and 18 / 16 are rounded to 1 pixel */
    augment_images(&a, after, IMAGES, 0, NULL);
    for (int i = 0; i < IMAGES; i++) {
        int found = 0;
        for (int dy = -1; dy <= 1; dy++)
            for (int dx = -1; dx <= 1; dx++)
                for (int mirror = 0; mirror < 2; mirror++) {
                    bool all = true;
                    for (int c = 0; c < CHANNELS; c++) {
                        const int plane = (i * CHANNELS + c) * PIXELS;
                        all = all && is_moved(after + plane, before + plane, dx, dy, mirror);
                    }
                    if (!all) continue;
                    found++;
                    seen[dy + 1][dx + 1][mirror] = true;
                }
        assert_int_equal(found, 1);
    }
    int kinds = 0;
    for (int k = 0; k < 18; k++) kinds += ((bool *)seen)[k];
    assert_true(kinds >= 15); /* of 18, by 60 draws: 17.4 on average */
    augment_free(&a);
    free(before);
    free(after);
}

/* The map that affine drew, from what it does to ramps: the pixel (x, y) of the result shows
 * xx x + xy y + x0, an affine function of x and y wherever nothing from outside is mixed in. */
static void test_affine(void **state) {
    (void)state;
    struct augment a;
    const int side = 41, pixels = side * side;
    assert_int_equal(augment_create(&a, 2, side, side, 1), SWWAE_OK);
    a.kinds = AUGMENT_AFFINE;
    a.strength = 1;
    a.seed = 5;
    float *image = malloc(2 * (size_t)pixels * sizeof *image);
    double most_turn = 0, most_scale = 0, most_move = 0;
    for (uint64_t draw = 0; draw < 200; draw++) {
        for (int p = 0; p < pixels; p++) {
            image[p] = (float)(p % side);
            image[pixels + p] = (float)(p / side);
        }
        augment_images(&a, image, 1, draw, NULL);
        const int middle = side / 2 * side + side / 2;
        const double x0 = (double)image[middle] - side / 2;
        const double y0 = (double)image[pixels + middle] - side / 2;
        const double xx = (double)(image[middle + 8] - image[middle]) / 8;
        const double xy = (double)(image[middle + 8 * side] - image[middle]) / 8;
        const double yx = (double)(image[pixels + middle + 8] - image[pixels + middle]) / 8;
        const double yy = (double)(image[pixels + middle + 8 * side] - image[pixels + middle]) / 8;
        for (int y = -9; y <= 9; y++) /* a quarter of the side: inside, however it is turned */
            for (int x = -9; x <= 9; x++) {
                const int p = middle + y * side + x;
                /* interpolating a ramp up to 41 rounds four times */
                assert_true(fabs((double)image[p] - (side / 2 + x0 + xx * x + xy * y)) < 1e-4);
                assert_true(fabs((double)image[pixels + p] - (side / 2 + y0 + yx * x + yy * y)) <
                            1e-4);
            }
        /* the matrix is a turn after a shear, over the scale: its determinant is 1 / scale^2 */
        const double scale = 1 / sqrt(xx * yy - xy * yx), turn = atan2(yx, xx) * 57.29577951308232;
        const double shear = (xx * xy + yx * yy) / (xx * xx + yx * yx);
        assert_true(fabs(turn) < 15.01 && fabs(scale - 1) < 0.1501 && fabs(shear) < 0.2001);
        assert_true(fabs(x0) < side / 16.0 + 1e-4 && fabs(y0) < side / 16.0 + 1e-4);
        most_turn = fmax(most_turn, fabs(turn));
        most_scale = fmax(most_scale, fabs(scale - 1));
        most_move = fmax(most_move, fabs(x0));
    }
    assert_true(most_turn > 14 && most_scale > 0.14 && most_move > 0.93 * side / 16);
    augment_free(&a);
    free(image);
}

/* The displacement of a pixel, from what elastic does to ramps: linear in x and in y inside a cell
 * of the grid, within 1/16 of the sides, and another one in the next cell. */
static void test_elastic(void **state) {
    (void)state;
    struct augment a;
    const int side = 41, pixels = side * side, cell = (side - 1) / (AUGMENT_KNOTS - 1);
    assert_int_equal(augment_create(&a, 2, side, side, 1), SWWAE_OK);
    a.kinds = AUGMENT_ELASTIC;
    a.seed = 5;
    float *image = malloc(2 * (size_t)pixels * sizeof *image);
    double most = 0, bend = 0;
    for (uint64_t draw = 0; draw < 50; draw++) {
        for (int p = 0; p < pixels; p++) {
            image[p] = (float)(p % side);
            image[pixels + p] = (float)(p / side);
        }
        augment_images(&a, image, 1, draw, NULL);
        for (int c = 0; c < 2; c++) {
            const float *plane = image + c * pixels;
            for (int y = 5; y < side - 5; y++) /* what is read there is inside */
                for (int x = 5; x < side - 5; x++) {
                    const int p = y * side + x, ramp = c ? y : x;
                    most = fmax(most, fabs((double)plane[p] - ramp));
                    assert_true(fabs((double)plane[p] - ramp) < side / 16.0 + 1e-4);
                    const double second =
                        (double)plane[p - 1] + (double)plane[p + 1] - 2 * (double)plane[p];
                    if (x % cell)
                        assert_true(fabs(second) < 1e-4);
                    else
                        bend = fmax(bend, fabs(second));
                }
        }
    }
    assert_true(most > 0.9 * side / 16 && bend > 0.1);
    augment_free(&a);
    free(image);
}

/* What a draw does to an image depends on its number and the seed, not on its neighbours, on the
 * order or on the threads; strength and kinds change it; nothing leaves 0..1. */
static void test_draws(void **state) {
    (void)state;
    const size_t size = CHANNELS * PIXELS;
    float *before = images_of(), *all = copy_of(before), *parts = copy_of(before);
    struct augment a = augment_of(AUGMENT_AFFINE | AUGMENT_ELASTIC, 4, 3);
    struct augment b = augment_of(AUGMENT_AFFINE | AUGMENT_ELASTIC, 4, 4);
    struct pool *pool = pool_create(4);
    augment_images(&a, all, IMAGES, 100, pool);
    for (int i = IMAGES - 1; i >= 0; i--)
        augment_images(&a, parts + (size_t)i * size, 1, 100 + (uint64_t)i, NULL);
    assert_memory_equal(all, parts, IMAGES * size * sizeof *all);
    for (size_t k = 0; k < IMAGES * size; k++) assert_true(all[k] >= 0 && all[k] <= 1);
    memcpy(parts, before, IMAGES * size * sizeof *parts);
    augment_images(&b, parts, IMAGES, 100, pool);
    assert_memory_not_equal(all, parts, IMAGES * size * sizeof *all);
    memcpy(parts, before, IMAGES * size * sizeof *parts);
    a.kinds = 0;
    augment_images(&a, parts, IMAGES, 100, pool);
    assert_memory_equal(before, parts, IMAGES * size * sizeof *before);
    augment_images(&b, parts, 0, 0, pool);
    pool_free(pool);
    augment_free(&a);
    augment_free(&b);
    free(before);
    free(all);
    free(parts);
}

/* Images of one pixel, one row, one column: the same rules. */
static void test_small(void **state) {
    (void)state;
    static const int sizes[][2] = {{1, 1}, {1, 9}, {9, 1}, {2, 2}};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        struct augment a;
        assert_int_equal(augment_create(&a, 1, sizes[k][0], sizes[k][1], 1), SWWAE_OK);
        a.kinds = AUGMENT_AFFINE | AUGMENT_SHIFT | AUGMENT_MIRROR | AUGMENT_ELASTIC;
        a.strength = 4;
        for (uint64_t draw = 0; draw < 50; draw++) {
            float image[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
            augment_images(&a, image, 1, draw, NULL);
            for (int p = 0; p < sizes[k][0] * sizes[k][1]; p++)
                assert_true(image[p] >= 0 && image[p] <= 1);
        }
        augment_free(&a);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shift_and_mirror),
        cmocka_unit_test(test_affine),
        cmocka_unit_test(test_elastic),
        cmocka_unit_test(test_draws),
        cmocka_unit_test(test_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
