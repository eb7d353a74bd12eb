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
#include "swwae.h"

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

/* Mirrored borders: what is outside is read as far inside. */
static void test_mirrored_border(void **state) {
    (void)state;
    float *before = images_of(), *after = copy_of(before);
    struct augment a = augment_of(AUGMENT_SHIFT, 4, 3);
    a.mirrored = true;
    int moved = 0;
    augment_images(&a, after, IMAGES, 0, NULL);
    for (int i = 0; i < IMAGES * CHANNELS; i++) {
        const float *from = before + i * PIXELS, *to = after + i * PIXELS;
        int found = 0;
        for (int dy = -3; dy <= 3; dy++) /* 4 x 13 / 16 and 4 x 18 / 16, rounded: 3 and 5 */
            for (int dx = -5; dx <= 5; dx++) {
                bool all = true;
                for (int p = 0; p < PIXELS && all; p++) {
                    int x = abs(p % WIDTH + dx), y = abs(p / WIDTH + dy);
                    x = x < WIDTH ? x : 2 * (WIDTH - 1) - x;
                    y = y < HEIGHT ? y : 2 * (HEIGHT - 1) - y;
                    all = to[p] == from[y * WIDTH + x];
                }
                found += all;
                moved += all && dx && dy;
            }
        assert_int_equal(found, 1);
    }
    assert_true(moved > IMAGES * CHANNELS / 2);
    augment_free(&a);
    free(before);
    free(after);
}

/* A pixel of a colour becomes m + contrast (grey - m) + brightness + saturation contrast (v - grey)
 * in each channel, times the channel's factor: of a picture with one red and one green half, whose
 * mean and grey are the same everywhere, the four values tell the factors apart. */
static void test_colour(void **state) {
    (void)state;
    struct augment a;
    assert_int_equal(augment_create(&a, 3, 2, 2, 1), SWWAE_OK);
    a.kinds = AUGMENT_COLOUR;
    a.seed = 5;
    double most = 0, least = 1, spread = 0;
    for (uint64_t draw = 0; draw < 300; draw++) {
        /* left red, right green: means 0.4 everywhere; blue is the grey itself */
        float image[12] = {0.5F, 0.3F, 0.5F, 0.3F, 0.3F, 0.5F, 0.3F, 0.5F, 0.4F, 0.4F, 0.4F, 0.4F};
        augment_images(&a, image, 1, draw, NULL);
        for (int c = 0; c < 3; c++) { /* rows are alike; left and right about the grey */
            assert_true(image[4 * c] == image[4 * c + 2] && image[4 * c + 1] == image[4 * c + 3]);
        }
        const double red = (double)image[0] + (double)image[1];
        const double blue = 2 * (double)image[8];
        assert_true(fabs((double)image[8] - (double)image[9]) < 1e-6);
        /* (left - right) / (left + right) of red is not changed by its own factor */
        const double contrast = ((double)image[0] - (double)image[1]) / red;
        const double expected_green =
            ((double)image[4] - (double)image[5]) / ((double)image[4] + (double)image[5]);
        assert_true(fabs(contrast + expected_green) < 1e-5);
        assert_true(contrast > 0.1 / 0.6 * 0.36 - 1e-5 && contrast < 0.1 / 0.2 * 1.96 + 1e-5);
        assert_true(blue / 2 > 0.2 * 0.8 - 1e-5 && blue / 2 < 0.6 * 1.2 + 1e-5);
        most = fmax(most, blue / 2);
        least = fmin(least, blue / 2);
        spread = fmax(spread, red / blue);
        assert_true(red / blue > 0.8 / 1.2 - 1e-5 && red / blue < 1.2 / 0.8 + 1e-5);
    }
    assert_true(most > 0.6 && least < 0.22 && spread > 1.3);
    augment_free(&a);
}

/* A rectangle, cut by the edges, of the channel's mean; every pixel is in one now and then. */
static void test_erase(void **state) {
    (void)state;
    float *before = images_of(), *after = copy_of(before);
    struct augment a = augment_of(AUGMENT_ERASE, 1, 3);
    int most_wide = 0, most_high = 0;
    bool reached[PIXELS] = {false};
    augment_images(&a, after, IMAGES, 0, NULL);
    for (int i = 0; i < IMAGES; i++)
        for (int c = 0; c < CHANNELS; c++) {
            const float *from = before + (i * CHANNELS + c) * PIXELS;
            const float *to = after + (i * CHANNELS + c) * PIXELS;
            int left = WIDTH, right = 0, top = HEIGHT, bottom = 0;
            double mean = 0;
            for (int p = 0; p < PIXELS; p++) {
                mean += (double)from[p] / PIXELS;
                if (to[p] == from[p]) continue;
                reached[p] = true;
                left = p % WIDTH < left ? p % WIDTH : left;
                right = p % WIDTH >= right ? p % WIDTH + 1 : right;
                top = p / WIDTH < top ? p / WIDTH : top;
                bottom = p / WIDTH >= bottom ? p / WIDTH + 1 : bottom;
            }
            assert_true(right > left && bottom > top);
            for (int y = top; y < bottom; y++)
                for (int x = left; x < right; x++)
                    assert_true(fabs((double)to[y * WIDTH + x] - mean) < 1e-6);
            most_wide = right - left > most_wide ? right - left : most_wide;
            most_high = bottom - top > most_high ? bottom - top : most_high;
        }
    assert_int_equal(most_wide, 7); /* 3/8 of 18 is 6.75 */
    assert_int_equal(most_high, 5); /* of 13 4.875 */
    int pixels = 0;
    for (int p = 0; p < PIXELS; p++) pixels += reached[p];
    assert_true(pixels > PIXELS * 9 / 10);
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
    const unsigned kinds = AUGMENT_AFFINE | AUGMENT_ELASTIC | AUGMENT_COLOUR | AUGMENT_ERASE;
    struct augment a = augment_of(kinds, 4, 3), b = augment_of(kinds, 4, 4);
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
        a.kinds = (1U << AUGMENT_KINDS) - 1;
        a.strength = 4;
        for (uint64_t draw = 0; draw < 100; draw++) {
            float image[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
            a.mirrored = draw % 2;
            augment_images(&a, image, 1, draw, NULL);
            for (int p = 0; p < sizes[k][0] * sizes[k][1]; p++)
                assert_true(image[p] >= 0 && image[p] <= 1);
        }
        augment_free(&a);
    }
}

/* The public function does what the options say, and refuses what it cannot hold. */
static void test_public(void **state) {
    (void)state;
    const size_t size = (size_t)IMAGES * CHANNELS * PIXELS * sizeof(float);
    float *before = images_of(), *ours = copy_of(before), *theirs = copy_of(before);
    struct augment a = augment_of(AUGMENT_SHIFT | AUGMENT_COLOUR, 2, 7);
    a.mirrored = true;
    augment_images(&a, ours, IMAGES, 5, NULL);
    swwae_options *options;
    assert_int_equal(swwae_options_create(&options), SWWAE_OK);
    assert_int_equal(swwae_augment(options, theirs, IMAGES, CHANNELS, HEIGHT, WIDTH, 5), SWWAE_OK);
    assert_memory_equal(before, theirs, size); /* no changes asked for */
    assert_int_equal(swwae_options_set(options, "augment", "shift,colour"), SWWAE_OK);
    assert_int_equal(swwae_options_set(options, "augment-border", "mirror"), SWWAE_OK);
    assert_int_equal(swwae_options_set(options, "augment-strength", "2"), SWWAE_OK);
    assert_int_equal(swwae_options_set(options, "seed", "7"), SWWAE_OK);
    assert_int_equal(swwae_augment(options, theirs, IMAGES, CHANNELS, HEIGHT, WIDTH, 5), SWWAE_OK);
    assert_memory_equal(ours, theirs, size);
    assert_int_equal(swwae_augment(options, theirs, 0, CHANNELS, HEIGHT, WIDTH, 5), SWWAE_OK);
    assert_int_equal(swwae_augment(options, theirs, 1, 0, HEIGHT, WIDTH, 5), SWWAE_E_ARGUMENT);
    assert_int_equal(swwae_augment(options, theirs, 1, 1, 5000, WIDTH, 5), SWWAE_E_ARGUMENT);
    assert_non_null(strstr(swwae_last_error(), "images of 1 x 5000 x 18 found"));
    assert_int_equal(swwae_augment(NULL, theirs, 1, 1, 1, 1, 0), SWWAE_E_ARGUMENT);
    assert_int_equal(swwae_augment(options, NULL, 1, 1, 1, 1, 0), SWWAE_E_ARGUMENT);
    swwae_options_free(options);
    augment_free(&a);
    free(before);
    free(ours);
    free(theirs);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shift_and_mirror),
        cmocka_unit_test(test_mirrored_border),
        cmocka_unit_test(test_colour),
        cmocka_unit_test(test_erase),
        cmocka_unit_test(test_affine),
        cmocka_unit_test(test_elastic),
        cmocka_unit_test(test_draws),
        cmocka_unit_test(test_small),
        cmocka_unit_test(test_public),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
