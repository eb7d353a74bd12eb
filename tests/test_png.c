/* test_png.c - io/png and swwae_picture_write, read back with libpng. */
#include "io/file.h"
#include "io/png.h"

#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <png.h>
#include <sys/resource.h>
#include <unistd.h>

static char folder[256];
static char file[300]; /* the picture of every test */

static int make_folder(void **state) {
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/swwae-png-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(folder)) return -1;
    snprintf(file, sizeof file, "%s/picture.png", folder);
    return 0;
}

/* Fails if a temporary is left behind. */
static int remove_folder(void **state) {
    (void)state;
    unlink(file);
    return rmdir(folder);
}

struct picture {
    int height, width, channels;
    uint8_t *pixels;
};

/* Decodes `file` as it is stored. */
static struct picture decode(void) {
    struct picture picture = {0};
    png_image image = {.version = PNG_IMAGE_VERSION};
    assert_int_equal(png_image_begin_read_from_file(&image, file), 1);
    assert_true(image.format == PNG_FORMAT_GRAY || image.format == PNG_FORMAT_RGB);
    picture.pixels = malloc(PNG_IMAGE_SIZE(image));
    assert_non_null(picture.pixels);
    picture.channels = image.format == PNG_FORMAT_GRAY ? 1 : 3;
    picture.height = (int)image.height;
    picture.width = (int)image.width;
    assert_int_equal(png_image_finish_read(&image, NULL, picture.pixels, 0, NULL), 1);
    return picture;
}

static int at(const struct picture *picture, int y, int x, int c) {
    return picture->pixels[(y * picture->width + x) * picture->channels + c];
}

static void bytes_come_back(void **state) {
    (void)state;
    static const int sizes[][3] = {{1, 1, 1}, {1, 1, 3},   {7, 5, 1},
                                   {5, 7, 3}, {1, 300, 3}, {300, 1, 1}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int height = sizes[i][0], width = sizes[i][1], channels = sizes[i][2];
        size_t size = (size_t)(height * width * channels);
        uint8_t *pixels = malloc(size); /* exactly, so that a read past it is caught */
        assert_non_null(pixels);
        for (size_t k = 0; k < size; k++) pixels[k] = (uint8_t)(k * 37 + 11);
        assert_int_equal(png_write(file, pixels, height, width, channels), SWWAE_OK);
        struct picture picture = decode();
        assert_int_equal(picture.height, height);
        assert_int_equal(picture.width, width);
        assert_int_equal(picture.channels, channels);
        assert_memory_equal(picture.pixels, pixels, size);
        free(picture.pixels);
        free(pixels);
    }
}

static void bad_sizes_are_refused(void **state) {
    (void)state;
    static const int sizes[][3] = {
        {0, 1, 1}, {1, 0, 1}, {-1, 1, 1}, {1, INT_MIN, 1},      {1, 1, 0},
        {1, 1, 2}, {1, 1, 4}, {1, 1, -1}, {1, PNG_SIDE + 1, 1}, {INT_MAX, 1, 3}};
    uint8_t pixel[3] = {0};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(png_write(file, pixel, sizes[i][0], sizes[i][1], sizes[i][2]),
                         SWWAE_E_ARGUMENT);
        assert_non_null(strstr(swwae_last_error(), file));
    }
}

static void failed_write_keeps_the_old_picture(void **state) {
    (void)state;
    enum { SIDE = 400 };
    uint8_t old = 200, *noise = malloc((size_t)SIDE * SIDE);
    struct rlimit limit, small;
    assert_non_null(noise);
    for (uint32_t i = 0, x = 1; i < SIDE * SIDE; i++)
        noise[i] = (uint8_t)((x = x * 1664525u + 1013904223u) >> 24);
    assert_int_equal(png_write(file, &old, 1, 1, 1), SWWAE_OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = limit;
    small.rlim_cur = 5000;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    swwae_status status = png_write(file, noise, SIDE, SIDE, 1);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    signal(SIGXFSZ, handler);
    free(noise);
    assert_int_equal(status, SWWAE_E_IO);
    assert_non_null(strstr(swwae_last_error(), file));
    assert_null(strstr(swwae_last_error(), "PNG")); /* the disk's reason, not libpng's echo */
    struct picture picture = decode();
    assert_int_equal(at(&picture, 0, 0, 0), 200);
    free(picture.pixels);
    assert_int_equal(png_write("/no such folder/x.png", &old, 1, 1, 1), SWWAE_E_IO);
}

/* Every pixel of a grid against the definition: which cell, which image pixel, or gray. */
static void check_grid(int n, int channels, int height, int width, int columns, int zoom) {
    size_t size = (size_t)(n * channels * height * width);
    float *images = malloc(size * sizeof *images);
    assert_non_null(images);
    for (size_t i = 0; i < size; i++) images[i] = (float)(i * 53 % 256) / 255;
    assert_int_equal(
        swwae_picture_write(file, images, (size_t)n, channels, height, width, columns, zoom),
        SWWAE_OK);
    struct picture picture = decode();
    int rows = (n + columns - 1) / columns;
    assert_int_equal(picture.channels, channels);
    assert_int_equal(picture.height, rows * height * zoom + (rows - 1) * 2);
    assert_int_equal(picture.width, columns * width * zoom + (columns - 1) * 2);
    for (int y = 0; y < picture.height; y++)
        for (int x = 0; x < picture.width; x++)
            for (int c = 0; c < channels; c++) {
                int row = y / (height * zoom + 2), inner_y = y % (height * zoom + 2);
                int column = x / (width * zoom + 2), inner_x = x % (width * zoom + 2);
                int i = row * columns + column, expected = 128;
                if (i < n && inner_y < height * zoom && inner_x < width * zoom)
                    expected =
                        (((i * channels + c) * height + inner_y / zoom) * width + inner_x / zoom) *
                        53 % 256;
                assert_int_equal(at(&picture, y, x, c), expected);
            }
    free(picture.pixels);
    free(images);
}

static void grids(void **state) {
    (void)state;
    check_grid(1, 1, 1, 1, 1, 1);
    check_grid(1, 3, 2, 3, 1, 16);
    check_grid(6, 1, 3, 4, 3, 2); /* full rows */
    check_grid(7, 1, 3, 4, 3, 1); /* a last row with gaps */
    check_grid(7, 3, 4, 3, 3, 3); /* colour */
    check_grid(2, 1, 3, 3, 5, 2); /* more columns than images */
    check_grid(4, 3, 2, 5, 1, 1); /* one column */
}

static void values_are_clipped(void **state) {
    (void)state;
    const float values[] = {NAN,       -NAN, -1, -0.0f, INFINITY,
                            -INFINITY, 1.5f, 1,  0.5f,  0.2499f / 255};
    const int expected[] = {0, 0, 0, 0, 255, 0, 255, 255, 128, 0};
    assert_int_equal(swwae_picture_write(file, values, 1, 1, 1, 10, 1, 1), SWWAE_OK);
    struct picture picture = decode();
    for (int i = 0; i < 10; i++) assert_int_equal(at(&picture, 0, i, 0), expected[i]);
    free(picture.pixels);
}

static void bad_arguments_are_refused(void **state) {
    (void)state;
    static const float image[3] = {0};
    /* n, channels, height, width, columns, zoom */
    static const struct {
        size_t n;
        int rest[5];
    } bad[] = {{0, {1, 1, 1, 1, 1}},          {1, {0, 1, 1, 1, 1}},
               {1, {2, 1, 1, 1, 1}},          {1, {-3, 1, 1, 1, 1}},
               {1, {1, 0, 1, 1, 1}},          {1, {1, 1, -1, 1, 1}},
               {1, {1, 1, 1, 0, 1}},          {1, {1, 1, 1, INT_MIN, 1}},
               {1, {1, 1, 1, 1, 0}},          {1, {1, 1, 1, 1, 17}},
               {1, {1, 1, 1, 1, -1}},         {1, {1, 1, 1, INT_MAX, 16}},
               {1, {1, INT_MAX, 1, 1, 16}},   {1, {3, INT_MAX, INT_MAX, INT_MAX, 16}},
               {SIZE_MAX, {1, 1, 1, 1, 1}},   {SIZE_MAX, {3, INT_MAX, INT_MAX, 1, 16}},
               {1, {1, 999999, 999999, 1, 1}}};
    unlink(file);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const int *rest = bad[i].rest;
        assert_int_equal(
            swwae_picture_write(file, image, bad[i].n, rest[0], rest[1], rest[2], rest[3], rest[4]),
            SWWAE_E_ARGUMENT);
        assert_non_null(strstr(swwae_last_error(), file));
    }
    assert_int_equal(swwae_picture_write(NULL, image, 1, 1, 1, 1, 1, 1), SWWAE_E_ARGUMENT);
    assert_int_equal(swwae_picture_write(file, NULL, 1, 1, 1, 1, 1, 1), SWWAE_E_ARGUMENT);
    assert_int_not_equal(access(file, F_OK), 0); /* nothing was written */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_back),
        cmocka_unit_test(bad_sizes_are_refused),
        cmocka_unit_test(failed_write_keeps_the_old_picture),
        cmocka_unit_test(grids),
        cmocka_unit_test(values_are_clipped),
        cmocka_unit_test(bad_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
