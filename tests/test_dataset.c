/* test_dataset.c - data sets: found, read, padded, described. */
#include "data/dataset.h"
#include "data/shapes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <jansson.h>

#include "idx_bytes.h"
#include "temporary.h"

static char started[1024]; /* the folder the test was started in */

/* Makes the folder and hides the user's own data from the search. */
static int make(void **state) {
    if (!getcwd(started, sizeof started) || temporary_make(state) != 0) return -1;
    unsetenv("SWWAE_DATA");
    unsetenv("XDG_CACHE_HOME");
    setenv("HOME", temporary_path("home"), 1);
    return chdir(temporary_folder);
}

static int drop(void **state) { return chdir(started) == 0 ? temporary_remove(state) : -1; }

static void must_refuse(const char *name, swwae_split split, int pad, swwae_status status,
                        const char *words) {
    struct swwae_dataset *d = NULL;
    assert_int_equal(swwae_dataset_open(&d, name, split, pad), status);
    assert_null(d);
    if (!strstr(swwae_last_error(), words))
        fail_msg("\"%s\" says nothing of \"%s\"", swwae_last_error(), words);
}

static struct swwae_dataset *must_open(const char *name, swwae_split split, int pad) {
    struct swwae_dataset *d = NULL;
    if (swwae_dataset_open(&d, name, split, pad) != SWWAE_OK) fail_msg("%s", swwae_last_error());
    return d;
}

/* ---- in memory ---- */

static void test_allocate(void **state) {
    (void)state;
    struct swwae_dataset *d = NULL;
    assert_int_equal(dataset_allocate(&d, 3, 2, 4, 5, 3, 1), SWWAE_OK);
    for (size_t i = 0; i < 3 * 2 * 4 * 5; i++) assert_int_equal(d->images[i], 0);
    for (size_t i = 0; i < 3; i++) assert_int_equal(swwae_dataset_label(d, i), -1);
    assert_string_equal(swwae_dataset_class_name(d, 2), "2");
    assert_null(swwae_dataset_class_name(d, 3));
    assert_null(swwae_dataset_class_name(d, -1));
    assert_int_equal(swwae_dataset_label(d, 3), -1);
    int c, h, w;
    swwae_dataset_image_size(d, &c, &h, &w);
    swwae_dataset_image_size(d, NULL, NULL, NULL);
    assert_true(c == 2 && h == 4 && w == 5);
    d->images[40 + 7] = 51;
    float image[40];
    assert_int_equal(swwae_dataset_image(d, 1, image), SWWAE_OK);
    assert_true(image[7] == 51 / 255.0f && image[6] == 0);
    assert_int_equal(swwae_dataset_image(d, 3, image), SWWAE_E_ARGUMENT);
    assert_int_equal(swwae_dataset_image(d, 0, NULL), SWWAE_E_ARGUMENT);
    assert_int_equal(swwae_dataset_image(NULL, 0, image), SWWAE_E_ARGUMENT);
    swwae_dataset_free(d);
    swwae_dataset_free(NULL);
    static const struct {
        size_t count;
        int channels, height, width, classes;
        swwae_status status;
    } bad[] = {{0, 1, 1, 1, 0, SWWAE_E_DATA},
               {1, 0, 1, 1, 0, SWWAE_E_DATA},
               {1, 1, -1, 1, 0, SWWAE_E_DATA},
               {1, 1, 1, 4097, 0, SWWAE_E_DATA},
               {1, 1025, 1, 1, 0, SWWAE_E_DATA},
               {1, 1, 1, 1, -1, SWWAE_E_DATA},
               {SIZE_MAX, 1024, 4096, 4096, 0, SWWAE_E_MEMORY}};
    for (size_t b = 0; b < sizeof bad / sizeof *bad; b++)
        assert_int_equal(dataset_allocate(&d, bad[b].count, bad[b].channels, bad[b].height,
                                          bad[b].width, bad[b].classes, 0),
                         bad[b].status);
}

static void test_null(void **state) {
    (void)state;
    struct swwae_dataset *d;
    char *json;
    assert_int_equal(swwae_dataset_open(NULL, "shapes", SWWAE_SPLIT_TEST, 0), SWWAE_E_ARGUMENT);
    assert_int_equal(swwae_dataset_open(&d, NULL, SWWAE_SPLIT_TEST, 0), SWWAE_E_ARGUMENT);
    assert_int_equal(swwae_dataset_describe(NULL, &json), SWWAE_E_ARGUMENT);
    assert_int_equal(swwae_dataset_count(NULL), 0);
    assert_int_equal(swwae_dataset_classes(NULL), 0);
    assert_int_equal(swwae_dataset_label(NULL, 0), -1);
    assert_null(swwae_dataset_class_name(NULL, 0));
    assert_string_equal(swwae_dataset_source(NULL, 0), "");
}

/* Two images of two channels, from height x width to side: odd remainders right and bottom. */
static void check_padding(int height, int width, int side, int top, int left) {
    struct swwae_dataset *d;
    assert_int_equal(dataset_allocate(&d, 2, 2, height, width, 0, 0), SWWAE_OK);
    size_t plane = (size_t)height * (size_t)width;
    for (size_t i = 0; i < 4 * plane; i++) d->images[i] = (uint8_t)(pixel(i) | 1);
    assert_int_equal(dataset_pad(d, side), SWWAE_OK);
    assert_true(d->height == side && d->width == side && d->pad == side);
    const uint8_t *at = d->images;
    for (size_t p = 0; p < 4; p++)
        for (int y = 0; y < side; y++)
            for (int x = 0; x < side; x++, at++) {
                int iy = y - top, ix = x - left;
                bool in = iy >= 0 && iy < height && ix >= 0 && ix < width;
                size_t i = in ? p * plane + (size_t)(iy * width + ix) : 0;
                assert_int_equal(*at, in ? pixel(i) | 1 : 0);
            }
    swwae_dataset_free(d);
}

static void test_padding(void **state) {
    (void)state;
    check_padding(4, 4, 8, 2, 2); /* even */
    check_padding(4, 4, 7, 1, 1); /* odd: 1 before, 2 after */
    check_padding(3, 5, 6, 1, 0); /* of unequal sides */
    check_padding(3, 5, 5, 1, 0);
    struct swwae_dataset *d;
    assert_int_equal(dataset_allocate(&d, 1, 1, 5, 5, 0, 0), SWWAE_OK);
    const uint8_t *before = d->images;
    assert_int_equal(dataset_pad(d, 0), SWWAE_OK);
    assert_int_equal(dataset_pad(d, 5), SWWAE_OK);
    assert_ptr_equal(d->images, before);
    assert_int_equal(d->pad, 0);
    assert_int_equal(dataset_pad(d, 4), SWWAE_E_DATA);
    assert_non_null(strstr(swwae_last_error(), "5 x 5"));
    assert_int_equal(dataset_pad(d, -1), SWWAE_E_ARGUMENT);
    assert_int_equal(dataset_pad(d, 4097), SWWAE_E_ARGUMENT);
    assert_int_equal(d->height, 5);
    swwae_dataset_free(d);
}

/* ---- folders ---- */

static void test_folder(void **state) {
    (void)state;
    static const char *const ends[] = {"-idx3-ubyte", ".idx3-ubyte", "-idx3-ubyte.gz",
                                       ".idx3-ubyte.gz"};
    for (int e = 0; e < 4; e++) {
        char folder[32], images[96], labels[96];
        snprintf(folder, sizeof folder, "folder%d", e);
        temporary_subfolder(folder);
        snprintf(images, sizeof images, "%s/t10k-images%s", folder, ends[e]);
        snprintf(labels, sizeof labels, "%s/t10k-labels%s", folder, ends[e]);
        *strchr(strstr(labels, "idx3"), '3') = '1';
        write_images(images, 3, 6, 1, 4, 3);
        write_labels(labels, 6, 3);
        struct swwae_dataset *d = must_open(folder, SWWAE_SPLIT_TEST, 8);
        assert_string_equal(d->name, folder);
        assert_int_equal(swwae_dataset_count(d), 6);
        assert_int_equal(swwae_dataset_classes(d), 3);
        assert_int_equal(d->pad, 8);
        for (size_t i = 0; i < 6; i++) {
            float image[64];
            assert_int_equal(swwae_dataset_label(d, i), i % 3);
            assert_int_equal(swwae_dataset_image(d, i, image), SWWAE_OK);
            assert_true(image[2 * 8 + 2] == pixel(i * 12) / 255.0f); /* top 2, left 2 */
        }
        char source[96];
        snprintf(source, sizeof source, "%s[5]", strchr(images, '/') + 1);
        assert_string_equal(swwae_dataset_source(d, 5), source);
        assert_string_equal(swwae_dataset_source(d, 6), "");
        swwae_dataset_free(d);
        must_refuse(folder, SWWAE_SPLIT_TRAIN, 0, SWWAE_E_IO, "has test images only");
        must_refuse(folder, SWWAE_SPLIT_TEST, 3, SWWAE_E_DATA, "4 x 3");
        must_refuse(folder, SWWAE_SPLIT_TEST, -1, SWWAE_E_ARGUMENT, "pad is -1");
        must_refuse(folder, (swwae_split)7, 0, SWWAE_E_ARGUMENT, "split is 7");
    }
}

static void test_colour_and_unlabelled(void **state) {
    (void)state;
    temporary_subfolder("colour");
    write_images("colour/train-images-idx3-ubyte", 4, 4, 3, 5, 6);
    struct swwae_dataset *d = must_open(temporary_path("colour/"), SWWAE_SPLIT_TRAIN, 0);
    assert_string_equal(d->name, "colour");
    assert_true(d->count == 4 && d->channels == 3 && d->height == 5 && d->width == 6);
    assert_int_equal(d->images[359], pixel(359));
    assert_null(d->labels);
    assert_int_equal(d->classes, 0);
    assert_int_equal(swwae_dataset_label(d, 0), -1);
    swwae_dataset_free(d);
    write_images("colour/t10k-images-idx4-ubyte", 4, 4, 3, 5, 6);
    d = must_open("./colour", SWWAE_SPLIT_TEST, 0);
    assert_int_equal(d->channels, 3);
    swwae_dataset_free(d);
    /* one class only: still two classes */
    write_labels("colour/t10k-labels-idx1-ubyte", 4, 1);
    d = must_open("colour", SWWAE_SPLIT_TEST, 0);
    assert_int_equal(d->classes, 2);
    swwae_dataset_free(d);
    assert_int_equal(chdir("colour"), 0);
    d = must_open(".", SWWAE_SPLIT_TEST, 0);
    assert_string_equal(d->name, "colour");
    swwae_dataset_free(d);
    assert_int_equal(chdir(".."), 0);
}

static void test_mismatch(void **state) {
    (void)state;
    temporary_subfolder("bad");
    write_images("bad/train-images-idx3-ubyte", 3, 6, 1, 4, 4);
    write_labels("bad/train-labels-idx1-ubyte.gz", 5, 3);
    must_refuse("bad", SWWAE_SPLIT_TRAIN, 0, SWWAE_E_DATA,
                "bad/train-labels-idx1-ubyte.gz holds 5 labels but "
                "bad/train-images-idx3-ubyte holds 6 images");
    write_images("bad/train-labels-idx1-ubyte", 3, 6, 1, 1, 1); /* found before the .gz */
    must_refuse("bad", SWWAE_SPLIT_TRAIN, 0, SWWAE_E_DATA, "is of rank 3");
    temporary_write("bad/train-labels-idx1-ubyte", "junk", 4);
    must_refuse("bad", SWWAE_SPLIT_TRAIN, 0, SWWAE_E_FORMAT, "bad/train-labels-idx1-ubyte");
    write_labels("bad/t10k-images-idx3-ubyte", 5, 3);
    must_refuse("bad", SWWAE_SPLIT_TEST, 0, SWWAE_E_DATA, "is of rank 1");
    write_images("bad/t10k-images-idx3-ubyte", 3, 1, 1, 1, 4097 - 1);
    swwae_dataset_free(must_open("bad", SWWAE_SPLIT_TEST, 0));
    uint8_t wide[5000] = {0};
    write_idx("bad/t10k-images-idx3-ubyte", 3, (uint32_t[]){1, 1, 4097}, wide);
    must_refuse("bad", SWWAE_SPLIT_TEST, 0, SWWAE_E_DATA, "1 x 1 x 4097");
}

static void test_missing(void **state) {
    (void)state;
    must_refuse("cifar", SWWAE_SPLIT_TEST, 0, SWWAE_E_ARGUMENT, "no data set \"cifar\"");
    must_refuse("no/where", SWWAE_SPLIT_TEST, 0, SWWAE_E_IO, "no/where does not exist");
    temporary_write("regular", "x", 1);
    must_refuse("regular", SWWAE_SPLIT_TEST, 0, SWWAE_E_IO, "is a file");
    temporary_subfolder("empty");
    must_refuse("empty", SWWAE_SPLIT_TEST, 0, SWWAE_E_IO, "t10k-images-idx3-ubyte, plain or .gz");
    temporary_subfolder("empty/fashion-mnist");
    must_refuse("empty/fashion-mnist", SWWAE_SPLIT_TEST, 0, SWWAE_E_IO, "dataset-fashion-mnist");
    setenv("SWWAE_DATA", "/nowhere/mnist", 1);
    if (access("/usr/share/datasets/mnist", F_OK) != 0) {
        must_refuse("mnist", SWWAE_SPLIT_TRAIN, 0, SWWAE_E_IO,
                    "no training images of mnist are in");
        const char *const places[] = {"/nowhere/mnist/mnist, /nowhere/mnist, ./data/mnist",
                                      "/home/.cache/swwae/mnist or /usr/share/datasets/mnist"};
        for (int p = 0; p < 2; p++)
            if (!strstr(swwae_last_error(), places[p])) fail_msg("%s", swwae_last_error());
    }
    unsetenv("SWWAE_DATA");
}

/* Every place of the search, the later ones first so that each new one is preferred. */
static void test_search(void **state) {
    (void)state;
    static const char *const folders[] = {"mnist",
                                          "home",
                                          "home/.cache",
                                          "home/.cache/swwae",
                                          "home/.cache/swwae/mnist",
                                          "cache",
                                          "cache/swwae",
                                          "cache/swwae/mnist",
                                          "data",
                                          "data/mnist",
                                          "mine",
                                          "mine/mnist",
                                          "mine/mnist/mnist"};
    for (size_t f = 0; f < sizeof folders / sizeof *folders; f++) temporary_subfolder(folders[f]);
    static const struct {
        const char *folder, *variable, *value;
    } steps[] = {{"mnist", NULL, NULL},
                 {"home/.cache/swwae/mnist", NULL, NULL},
                 {"cache/swwae/mnist", "XDG_CACHE_HOME", "cache"},
                 {"data/mnist", NULL, NULL},
                 {"mine/mnist", "SWWAE_DATA", "mine/mnist/"},
                 {"mine/mnist/mnist", NULL, NULL},
                 {"mine/mnist", "SWWAE_DATA", "mine"}};
    bool system = access("/usr/share/datasets/mnist", F_OK) == 0; /* comes before ./mnist */
    for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
        char images[96], labels[96];
        snprintf(images, sizeof images, "%s/t10k-images-idx3-ubyte", steps[s].folder);
        snprintf(labels, sizeof labels, "%s/t10k-labels-idx1-ubyte", steps[s].folder);
        uint32_t count = (uint32_t)(s + 2);
        write_images(images, 3, count, 1, 2, 2);
        write_labels(labels, count, 2);
        if (steps[s].variable) setenv(steps[s].variable, steps[s].value, 1);
        if (s == 0 && system) continue;
        struct swwae_dataset *d = must_open("mnist", SWWAE_SPLIT_TEST, 0);
        assert_int_equal(d->count, count);
        assert_string_equal(d->name, "mnist");
        assert_string_equal(swwae_dataset_class_name(d, 1), "1");
        swwae_dataset_free(d);
    }
    unsetenv("SWWAE_DATA");
    unsetenv("XDG_CACHE_HOME");
}

static void test_describe(void **state) {
    (void)state;
    temporary_subfolder("fashion-mnist");
    write_images("fashion-mnist/train-images-idx3-ubyte", 3, 21, 1, 4, 4);
    write_labels("fashion-mnist/train-labels-idx1-ubyte", 21, 10);
    struct swwae_dataset *d = must_open("./fashion-mnist", SWWAE_SPLIT_TRAIN, 6);
    char *text;
    assert_int_equal(swwae_dataset_describe(d, &text), SWWAE_OK);
    json_t *root = json_loads(text, 0, NULL), *names, *counts, *files;
    const char *name;
    int images, channels, height, width, pad, classes, gray, ignored, unlabelled;
    assert_int_equal(
        json_unpack(root, "{s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:o, s:o, s:i, s:o, s:i, s:i !}",
                    "name", &name, "images", &images, "channels", &channels, "height", &height,
                    "width", &width, "pad", &pad, "classes", &classes, "class_names", &names,
                    "per_class", &counts, "unlabelled", &unlabelled, "files", &files, "gray", &gray,
                    "ignored", &ignored),
        0);
    assert_true(gray == 0 && ignored == 0 && unlabelled == 0);
    assert_string_equal(name, "fashion-mnist");
    assert_true(images == 21 && channels == 1 && height == 6 && width == 6 && pad == 6);
    assert_int_equal(classes, 10);
    assert_int_equal(json_array_size(names), 10);
    assert_string_equal(json_string_value(json_array_get(names, 9)), "Ankle boot");
    assert_int_equal(json_array_size(counts), 10);
    assert_int_equal(json_integer_value(json_array_get(counts, 0)), 3);
    assert_int_equal(json_integer_value(json_array_get(counts, 9)), 2);
    assert_string_equal(json_string_value(json_array_get(files, 0)),
                        "./fashion-mnist/train-images-idx3-ubyte");
    json_decref(root);
    free(text);
    swwae_dataset_free(d);
    /* a path that is not UTF-8 */
    temporary_subfolder("br\xfcsk");
    write_images("br\xfcsk/train-images-idx3-ubyte", 3, 2, 1, 2, 2);
    d = must_open("br\xfcsk", SWWAE_SPLIT_TRAIN, 0);
    assert_int_equal(swwae_dataset_describe(d, &text), SWWAE_OK);
    assert_non_null(strstr(text, "\"br?sk\""));
    free(text);
    swwae_dataset_free(d);
}

static void test_shapes(void **state) {
    (void)state;
    struct swwae_dataset *d = must_open("shapes", SWWAE_SPLIT_TEST, 0);
    assert_int_equal(d->count, SHAPES_TEST_COUNT);
    assert_true(d->height == 32 && d->width == 32 && d->channels == 1 && d->classes == 10);
    char *text;
    assert_int_equal(swwae_dataset_describe(d, &text), SWWAE_OK);
    assert_non_null(strstr(text, "\"files\": []"));
    free(text);
    swwae_dataset_free(d);
    d = must_open("shapes", SWWAE_SPLIT_TRAIN, 36);
    assert_int_equal(d->count, SHAPES_TRAIN_COUNT);
    assert_int_equal(d->height, 36);
    assert_non_null(d->truth);
    swwae_dataset_free(d);
}

/* ---- the real sets, where they are ---- */

static void check_real(const char *name, const char *first, const char *last, const int *labels) {
    for (int split = 0; split < 2; split++) {
        struct swwae_dataset *d = must_open(name, (swwae_split)split, 32);
        assert_int_equal(d->count, split == SWWAE_SPLIT_TRAIN ? 60000 : 10000);
        assert_true(d->height == 32 && d->width == 32 && d->channels == 1 && d->classes == 10);
        assert_string_equal(swwae_dataset_class_name(d, 0), first);
        assert_string_equal(swwae_dataset_class_name(d, 9), last);
        assert_int_equal(d->labels[0], labels[split]);
        swwae_dataset_free(d);
    }
}

static void test_fashion_mnist(void **state) {
    (void)state;
    if (access("/usr/share/datasets/fashion-mnist", F_OK) != 0) {
        print_message("Skipped: Debian's package dataset-fashion-mnist is not installed.\n");
        skip();
    }
    check_real("/usr/share/datasets/fashion-mnist", "T-shirt/top", "Ankle boot", (int[]){9, 9});
    struct swwae_dataset *d = must_open("/usr/share/datasets/fashion-mnist", SWWAE_SPLIT_TRAIN, 0);
    size_t counts[10] = {0};
    double sum = 0;
    for (size_t i = 0; i < d->count; i++) counts[d->labels[i]]++;
    for (int k = 0; k < 10; k++) assert_int_equal(counts[k], 6000);
    for (size_t i = 0; i < d->count * 784; i++) sum += d->images[i];
    /* the mean that users of this data set normalise by: 0.2860 */
    assert_true(sum / 255 / 784 / 60000 > 0.28595 && sum / 255 / 784 / 60000 < 0.28605);
    swwae_dataset_free(d);
}

static void test_mnist(void **state) {
    (void)state;
    const char *folder = getenv("SWWAE_TEST_MNIST");
    if (!folder || !*folder) {
        print_message("Skipped: SWWAE_TEST_MNIST does not name a folder with the MNIST files.\n");
        skip();
    }
    char path[1200];
    snprintf(path, sizeof path, "%s%s%s/", folder[0] == '/' ? "" : started,
             folder[0] == '/' ? "" : "/", folder);
    check_real(path, "0", "9", (int[]){5, 7});
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_allocate),
                                       cmocka_unit_test(test_null),
                                       cmocka_unit_test(test_padding),
                                       cmocka_unit_test(test_folder),
                                       cmocka_unit_test(test_colour_and_unlabelled),
                                       cmocka_unit_test(test_mismatch),
                                       cmocka_unit_test(test_missing),
                                       cmocka_unit_test(test_search),
                                       cmocka_unit_test(test_describe),
                                       cmocka_unit_test(test_shapes),
                                       cmocka_unit_test(test_fashion_mnist),
                                       cmocka_unit_test(test_mnist)};
    return cmocka_run_group_tests_name("dataset", tests, make, drop);
}
