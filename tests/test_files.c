/* test_files.c - data/files: image files of every kind as one data set. */
#include "data/dataset.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "idx_bytes.h"
#include "picture_files.h"
#include "temporary.h"

static char started[1024]; /* the folder the test was started in */

static int make(void **state) {
    if (!getcwd(started, sizeof started) || temporary_make(state) != 0) return -1;
    return chdir(temporary_folder);
}

static int drop(void **state) { return chdir(started) == 0 ? temporary_remove(state) : -1; }

static void test_files(void **state) {
    (void)state;
    uint8_t gray[28 * 28], rgb[28 * 28 * 3], bytes[28 * 28 * 2 + 256];
    float half[4 * 4];
    for (size_t i = 0; i < sizeof gray; i++) gray[i] = pixel(i);
    for (size_t i = 0; i < sizeof rgb; i++) rgb[i] = 100;
    for (int i = 0; i < 16; i++) half[i] = (float)i / 16.0f;
    png_file(temporary_path("a.png"), (struct png_kind){PNG_COLOR_TYPE_GRAY, 8, 0}, 28, 28, gray,
             28);
    jpeg_file(temporary_path("b.jpg"), 20, 20, 3, 0, rgb);
    write_images("c-ubyte.gz", 3, 3, 1, 5, 5);
    size_t n =
        npy_bytes(bytes, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 4, 4), }",
                  half, sizeof half);
    temporary_write("d.npy", bytes, n);
    n = npy_bytes(bytes, 1, "{'descr': '|u1', 'fortran_order': False, 'shape': (28, 28), }", gray,
                  sizeof gray);
    temporary_write("e", bytes, n); /* no extension: the content tells */
    const char *const paths[] = {"a.png", "./b.jpg", "c-ubyte.gz", "d.npy", "e"};
    struct swwae_dataset *d;
    if (dataset_open_files(&d, paths, 5, 1, 32, 32, 32) != SWWAE_OK)
        fail_msg("%s", swwae_last_error());
    assert_int_equal(d->count, 7);
    assert_null(d->labels);
    assert_int_equal(d->classes, 0);
    assert_int_equal(d->pad, 32);
    static const char *const sources[] = {
        "a.png", "./b.jpg", "c-ubyte.gz[0]", "c-ubyte.gz[1]", "c-ubyte.gz[2]", "d.npy", "e"};
    for (size_t i = 0; i < 7; i++) assert_string_equal(swwae_dataset_source(d, i), sources[i]);
    for (int i = 0; i < 7; i += 6) /* image 0 and 6 are the same picture */
        for (int p = 0; p < 32 * 32; p++) {
            int y = p / 32 - 2, x = p % 32 - 2;
            bool in = y >= 0 && y < 28 && x >= 0 && x < 28;
            assert_int_equal(d->images[i * 1024 + p], in ? gray[y * 28 + x] : 0);
        }
    assert_in_range(d->images[1024 + 16 * 32 + 16], 99, 101);
    assert_int_equal(d->images[1024 + 5 * 32 + 16], 0);
    assert_int_equal(d->images[2 * 1024 + 13 * 32 + 13], pixel(0)); /* (32 - 5) / 2 = 13 */
    assert_int_equal(d->images[5 * 1024 + 14 * 32 + 15], 16);       /* 1/16 * 255 = 15.94 */
    swwae_dataset_free(d);

    /* to three channels */
    assert_int_equal(dataset_open_files(&d, paths, 5, 3, 32, 32, 32), SWWAE_OK);
    assert_int_equal(d->channels, 3);
    for (size_t c = 0; c < 3; c++)
        assert_int_equal(d->images[2 * 3072 + c * 1024 + 13 * 32 + 13], pixel(0));
    swwae_dataset_free(d);

    /* exactly the size, without padding */
    assert_int_equal(dataset_open_files(&d, paths, 1, 1, 28, 28, 0), SWWAE_OK);
    assert_string_equal(d->name, "a.png");
    assert_memory_equal(d->images, gray, sizeof gray);
    swwae_dataset_free(d);
    /* IDX of three channels to luma: the first pixel's parts are a plane apart */
    write_images("rgb.idx", 4, 2, 3, 4, 4);
    const char *const colour[] = {"rgb.idx"};
    assert_int_equal(dataset_open_files(&d, colour, 1, 1, 4, 4, 0), SWWAE_OK);
    assert_in_range(d->images[16], 0.299 * pixel(48) + 0.587 * pixel(64) + 0.114 * pixel(80) - 1,
                    0.299 * pixel(48) + 0.587 * pixel(64) + 0.114 * pixel(80) + 1);
    swwae_dataset_free(d);
}

static void refuse_file(const char *path, int channels, int height, int width, int pad,
                        swwae_status status, const char *words) {
    const char *const paths[] = {"a.png", path};
    struct swwae_dataset *d = NULL;
    assert_int_equal(dataset_open_files(&d, paths + 1, 1, channels, height, width, pad), status);
    assert_null(d);
    if (!strstr(swwae_last_error(), words) || !strstr(swwae_last_error(), path))
        fail_msg("\"%s\" says nothing of \"%s\"", swwae_last_error(), words);
}

static void test_files_refused(void **state) {
    (void)state;
    uint8_t bytes[256];
    refuse_file("a.png", 1, 32, 32, 0, SWWAE_E_DATA,
                "28 x 28 pixels (height x width), expected 32 x 32;");
    refuse_file("a.png", 1, 24, 24, 24, SWWAE_E_DATA, "expected 24 x 24 or smaller");
    refuse_file("a.png", 2, 28, 28, 0, SWWAE_E_DATA, "2 channels");
    refuse_file("rgb.idx", 2, 4, 4, 0, SWWAE_E_DATA, "3 channels, expected 2");
    refuse_file("missing.png", 1, 28, 28, 0, SWWAE_E_IO, "cannot open");
    temporary_subfolder("folder");
    refuse_file("folder", 1, 28, 28, 0, SWWAE_E_IO, "is a folder");
    temporary_write("text.txt", "hello", 5);
    refuse_file("text.txt", 1, 28, 28, 0, SWWAE_E_FORMAT, "none of PNG, JPEG, IDX and .npy");
    temporary_write("nothing.npy", "", 0);
    refuse_file("nothing.npy", 1, 28, 28, 0, SWWAE_E_FORMAT, "not a .npy file");
    write_labels("labels", 9, 3);
    refuse_file("labels", 1, 3, 3, 0, SWWAE_E_DATA, "one dimension");
    static const float values[] = {1.5f, -0.01f, 1e30f, NAN};
    for (int v = 0; v < 4; v++) {
        float four[4] = {0, 1, values[v], 0};
        size_t n = npy_bytes(bytes, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2)}",
                             four, sizeof four);
        temporary_write("v.npy", bytes, n);
        refuse_file("v.npy", 1, 2, 2, 0, SWWAE_E_DATA, "expected values of 0 to 1");
    }
    const uint8_t pixels[75] = {0};
    size_t n =
        npy_bytes(bytes, 1, "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 5, 5, 3)}",
                  pixels, sizeof pixels);
    temporary_write("last.npy", bytes, n);
    refuse_file("last.npy", 3, 5, 5, 0, SWWAE_E_DATA, "NumPy: a.transpose(0, 3, 1, 2)");
    n = npy_bytes(bytes, 1, "{'descr': '|u1', 'fortran_order': False, 'shape': (3, 25)}", pixels,
                  sizeof pixels);
    temporary_write("rows.npy", bytes, n);
    refuse_file("rows.npy", 1, 5, 5, 0, SWWAE_E_DATA, "NumPy: a.reshape(-1, ");
    struct swwae_dataset *d;
    const char *const good[] = {"a.png", NULL};
    assert_int_equal(dataset_open_files(&d, NULL, 0, 1, 28, 28, 0), SWWAE_E_DATA);
    assert_int_equal(dataset_open_files(&d, good, 2, 1, 28, 28, 0), SWWAE_E_ARGUMENT);
    assert_int_equal(dataset_open_files(&d, good, 1, 1, 28, 28, 32), SWWAE_E_ARGUMENT);
    assert_int_equal(dataset_open_files(&d, good, 1, 0, 28, 28, 0), SWWAE_E_DATA);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_files),
                                       cmocka_unit_test(test_files_refused)};
    return cmocka_run_group_tests_name("files", tests, make, drop);
}
