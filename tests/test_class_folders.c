/* test_class_folders.c - folders of class folders of pictures: every rule of docs/formats.md. */
#include "data/class_list.h"
#include "data/dataset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <jansson.h>

#include "picture_files.h"
#include "temporary.h"

static char started[1024]; /* the folder the test was started in */

static int make(void **state) {
    if (!getcwd(started, sizeof started) || temporary_make(state) != 0) return -1;
    return chdir(temporary_folder);
}

static int drop(void **state) { return chdir(started) == 0 ? temporary_remove(state) : -1; }

/* A picture of height x width; every pixel is (value, value + tint, value). */
static void picture(const char *path, int height, int width, int value, int tint) {
    uint8_t rows[3 * 64 * 64];
    for (int i = 0; i < height * width; i++) {
        rows[3 * i] = rows[3 * i + 2] = (uint8_t)value;
        rows[3 * i + 1] = (uint8_t)(value + tint);
    }
    const char *end = strrchr(path, '.');
    if (end && (end[1] == 'j' || end[1] == 'J'))
        jpeg_file(path, height, width, 3, 0, rows);
    else
        png_file(path, (struct png_kind){PNG_COLOR_TYPE_RGB, 8, 0}, height, width, rows,
                 3 * (size_t)width);
}

static struct swwae_dataset *must_open(const char *name, swwae_split split, int pad) {
    struct swwae_dataset *d = NULL;
    if (swwae_dataset_open(&d, name, split, pad) != SWWAE_OK) fail_msg("%s", swwae_last_error());
    return d;
}

static void must_refuse(const char *name, swwae_split split, swwae_status status,
                        const char *words) {
    struct swwae_dataset *d = NULL;
    assert_int_equal(swwae_dataset_open(&d, name, split, 0), status);
    assert_null(d);
    if (!strstr(swwae_last_error(), words))
        fail_msg("\"%s\" says nothing of \"%s\"", swwae_last_error(), words);
}

static void test_plain_layout(void **state) {
    (void)state;
    temporary_subfolder("pets");
    /* bytewise: capitals come first, and 10 before 9 */
    temporary_subfolder("pets/dog");
    temporary_subfolder("pets/Cat");
    temporary_subfolder("pets/d\xc3\xb6ner");
    picture("pets/dog/9.png", 4, 5, 90, 0);
    picture("pets/dog/10.PNG", 4, 5, 100, 0);
    picture("pets/Cat/x.jpeg", 4, 5, 120, 0);
    picture("pets/d\xc3\xb6ner/a\nb\xff.Jpg", 4, 5, 140, 0); /* any name will do for a file */
    struct swwae_dataset *d = must_open("pets", SWWAE_SPLIT_TRAIN, 0);
    assert_true(d->count == 4 && d->channels == 1 && d->height == 4 && d->width == 5);
    assert_int_equal(d->classes, 3);
    assert_string_equal(d->name, "pets");
    assert_string_equal(swwae_dataset_class_name(d, 0), "Cat");
    assert_string_equal(swwae_dataset_class_name(d, 1), "dog");
    assert_string_equal(swwae_dataset_class_name(d, 2), "d\xc3\xb6ner");
    static const int labels[] = {0, 1, 1, 2}, values[] = {120, 100, 90, 140};
    static const char *const sources[] = {"Cat/x.jpeg", "dog/10.PNG", "dog/9.png",
                                          "d\xc3\xb6ner/a\nb\xff.Jpg"};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(swwae_dataset_label(d, i), labels[i]);
        assert_string_equal(swwae_dataset_source(d, i), sources[i]);
        for (size_t p = 0; p < 20; p++) assert_int_equal(d->images[i * 20 + p], values[i]);
    }
    swwae_dataset_free(d);
    d = must_open("pets/", SWWAE_SPLIT_TRAIN, 8);
    assert_true(d->height == 8 && d->width == 8 && d->pad == 8);
    swwae_dataset_free(d);
    must_refuse("pets", SWWAE_SPLIT_TEST, SWWAE_E_IO, "has training images only");
}

static void test_split_layout(void **state) {
    (void)state;
    static const char *const folders[] = {"split",         "split/train",     "split/train/a",
                                          "split/train/b", "split/train/c",   "split/test",
                                          "split/test/a",  "split/test/c",    "split/notes",
                                          "split/deep",    "split/unlabelled"};
    for (size_t f = 0; f < sizeof folders / sizeof *folders; f++) temporary_subfolder(folders[f]);
    picture("split/train/a/1.png", 3, 3, 10, 0);
    picture("split/train/b/1.png", 3, 3, 20, 0);
    picture("split/train/c/1.png", 3, 3, 30, 0);
    picture("split/test/a/1.png", 3, 3, 40, 0);
    picture("split/test/c/1.png", 3, 3, 50, 0);
    picture("split/unlabelled/u.png", 3, 3, 60, 0);
    picture("split/notes/n.png", 3, 3, 60, 0); /* beside the splits: not looked at */
    struct swwae_dataset *d = must_open("split", SWWAE_SPLIT_TRAIN, 0);
    static const int labels[] = {0, 1, 2, -1}, tests[] = {0, 2};
    assert_true(d->count == 4 && d->classes == 3);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(swwae_dataset_label(d, i), labels[i]);
        assert_int_equal(d->images[i * 9], i < 3 ? 10 * (i + 1) : 60);
    }
    assert_string_equal(swwae_dataset_source(d, 1), "train/b/1.png");
    assert_string_equal(swwae_dataset_source(d, 3), "unlabelled/u.png");
    swwae_dataset_free(d);
    /* test images keep the training images' classes, though b has none */
    d = must_open("split", SWWAE_SPLIT_TEST, 0);
    assert_true(d->count == 2 && d->classes == 3);
    for (size_t i = 0; i < 2; i++) assert_int_equal(swwae_dataset_label(d, i), tests[i]);
    assert_string_equal(swwae_dataset_class_name(d, 1), "b");
    swwae_dataset_free(d);
    temporary_subfolder("split/test/d");
    picture("split/test/d/1.png", 3, 3, 40, 0);
    must_refuse("split", SWWAE_SPLIT_TEST, SWWAE_E_DATA,
                "split/test/d has no training images (no folder split/train/d)");
    temporary_subfolder("only");
    temporary_subfolder("only/test");
    temporary_subfolder("only/test/a");
    picture("only/test/a/1.png", 3, 3, 40, 0);
    must_refuse("only", SWWAE_SPLIT_TRAIN, SWWAE_E_IO, "only has test images only");
    swwae_dataset_free(must_open("only", SWWAE_SPLIT_TEST, 0));
    /* a class may be called train: it holds pictures, no folders */
    temporary_subfolder("wheels");
    temporary_subfolder("wheels/train");
    temporary_subfolder("wheels/unlabelled");
    picture("wheels/train/1.png", 3, 3, 40, 0);
    picture("wheels/unlabelled/1.png", 3, 3, 40, 0);
    d = must_open("./wheels", SWWAE_SPLIT_TRAIN, 0);
    assert_string_equal(swwae_dataset_class_name(d, 0), "train");
    assert_true(d->classes == 1 && d->count == 2 && swwae_dataset_label(d, 1) == -1);
    swwae_dataset_free(d);
    /* nothing but images without a label */
    temporary_subfolder("bare");
    temporary_subfolder("bare/unlabelled");
    picture("bare/unlabelled/1.png", 3, 3, 40, 0);
    d = must_open("bare", SWWAE_SPLIT_TRAIN, 0);
    assert_true(d->classes == 0 && d->count == 1 && !d->labels);
    swwae_dataset_free(d);
}

static void test_colour(void **state) {
    (void)state;
    temporary_subfolder("mixed");
    temporary_subfolder("mixed/a");
    temporary_subfolder("mixed/b");
    uint8_t gray[4 * 5];
    memset(gray, 77, sizeof gray);
    png_file("mixed/a/gray.png", (struct png_kind){PNG_COLOR_TYPE_GRAY, 8, 0}, 4, 5, gray, 5);
    picture("mixed/a/rgb.png", 4, 5, 50, 0); /* stored as colour, but gray */
    jpeg_file("mixed/b/gray.jpg", 4, 5, 1, 0, gray);
    struct swwae_dataset *d = must_open("mixed", SWWAE_SPLIT_TRAIN, 0);
    assert_true(d->channels == 1 && d->gray == 3);
    static const int values[] = {77, 50, 77};
    for (size_t i = 0; i < 60; i++) assert_int_equal(d->images[i], values[i / 20]);
    swwae_dataset_free(d);
    picture("mixed/b/colour.png", 4, 5, 50, 100);
    d = must_open("mixed", SWWAE_SPLIT_TRAIN, 0);
    assert_true(d->channels == 3 && d->gray == 3 && d->count == 4);
    static const int colours[4][3] = {{77, 77, 77}, {50, 50, 50}, {50, 150, 50}, {77, 77, 77}};
    for (size_t i = 0; i < 240; i++) assert_int_equal(d->images[i], colours[i / 60][i / 20 % 3]);
    char *text;
    assert_int_equal(swwae_dataset_describe(d, &text), SWWAE_OK);
    json_t *root = json_loads(text, 0, NULL), *files = json_object_get(root, "files");
    assert_int_equal(json_integer_value(json_object_get(root, "gray")), 3);
    assert_int_equal(json_array_size(files), 1); /* the folder, not every file */
    assert_string_equal(json_string_value(json_array_get(files, 0)), "mixed");
    json_decref(root);
    free(text);
    swwae_dataset_free(d);
}

/* The test pictures of colour training pictures may all be gray. */
static void test_repeat_gray(void **state) {
    (void)state;
    temporary_subfolder("pale");
    temporary_subfolder("pale/a");
    picture("pale/a/0.png", 4, 5, 50, 0);
    picture("pale/a/1.png", 4, 5, 60, 0);
    struct swwae_dataset *d = must_open("pale", SWWAE_SPLIT_TRAIN, 0);
    assert_int_equal(d->channels, 1);
    assert_int_equal(swwae_dataset_repeat_gray(d), SWWAE_OK);
    assert_int_equal(d->channels, 3);
    for (size_t i = 0; i < 120; i++) assert_int_equal(d->images[i], i < 60 ? 50 : 60);
    assert_int_equal(swwae_dataset_repeat_gray(d), SWWAE_E_DATA);
    assert_int_equal(swwae_dataset_repeat_gray(NULL), SWWAE_E_ARGUMENT);
    swwae_dataset_free(d);
}

/* A long name is cut between characters. */
static void test_long_name(void **state) {
    (void)state;
    char name[80], path[100];
    memset(name, 'a', 62);
    memcpy(name + 62, "\xc3\xa9", 3);
    temporary_subfolder(name);
    snprintf(path, sizeof path, "%s/a", name);
    temporary_subfolder(path);
    snprintf(path, sizeof path, "%s/a/0.png", name);
    picture(path, 4, 5, 50, 0);
    struct swwae_dataset *d = must_open(name, SWWAE_SPLIT_TRAIN, 0);
    assert_int_equal(strlen(d->name), 62);
    swwae_dataset_free(d);
}

static void test_left_out(void **state) {
    (void)state;
    temporary_subfolder("left");
    temporary_subfolder("left/a");
    temporary_subfolder("left/.git");
    temporary_subfolder("left/a/.thumbs");
    picture("left/a/1.png", 3, 3, 10, 0);
    picture("left/.git/1.png", 3, 3, 10, 0);
    temporary_write("left/README.txt", "x", 1);
    temporary_write("left/stray.png", "no picture, and not in a class", 5);
    temporary_write("left/a/README.txt", "x", 1);
    temporary_write("left/a/png", "x", 1);
    temporary_write("left/a/.hidden.png", "x", 1);
    temporary_write("left/a/._1.png", "x", 1);
    assert_int_equal(mkfifo("left/a/pipe", 0600), 0);
    struct swwae_dataset *d = must_open("left", SWWAE_SPLIT_TRAIN, 0);
    assert_true(d->count == 1 && d->classes == 1);
    assert_int_equal(d->ignored, 3); /* README.txt, png, pipe */
    swwae_dataset_free(d);
}

static void test_links(void **state) {
    (void)state;
    temporary_subfolder("store");
    temporary_subfolder("store/a");
    temporary_subfolder("links");
    picture("store/a/1.png", 3, 3, 10, 0);
    assert_int_equal(symlink("../store/a", "links/a"), 0); /* a class folder elsewhere */
    temporary_subfolder("links/b");
    assert_int_equal(symlink("../../store/a/1.png", "links/b/2.png"), 0);
    struct swwae_dataset *d = must_open("links", SWWAE_SPLIT_TRAIN, 0);
    assert_true(d->count == 2 && d->classes == 2);
    swwae_dataset_free(d);
    assert_int_equal(symlink("nowhere", "links/b/3.png"), 0);
    must_refuse("links", SWWAE_SPLIT_TRAIN, SWWAE_E_IO, "links/b/3.png");
    assert_int_equal(unlink("links/b/3.png"), 0);
    assert_int_equal(mkfifo("links/b/3.png", 0600), 0); /* must not hang */
    must_refuse("links", SWWAE_SPLIT_TRAIN, SWWAE_E_IO, "links/b/3.png is not a regular file");
}

static void test_refusals(void **state) {
    (void)state;
    temporary_subfolder("bad");
    temporary_subfolder("bad/a");
    temporary_subfolder("bad/b");
    must_refuse("bad", SWWAE_SPLIT_TRAIN, SWWAE_E_IO, "nor class folders of PNG or JPEG files");
    picture("bad/a/1.png", 4, 5, 10, 0);
    must_refuse("bad", SWWAE_SPLIT_TRAIN, SWWAE_E_DATA, "bad/b holds no picture");
    picture("bad/b/1.png", 4, 6, 10, 0);
    must_refuse("bad", SWWAE_SPLIT_TRAIN, SWWAE_E_DATA,
                "bad/b/1.png is 4 x 6 pixels (height x width), but bad/a/1.png is 4 x 5");
    temporary_write("bad/b/1.png", "no picture", 10);
    must_refuse("bad", SWWAE_SPLIT_TRAIN, SWWAE_E_FORMAT, "bad/b/1.png is a damaged PNG");
    picture("bad/b/1.png", 4, 5, 10, 0);
    temporary_subfolder("bad/b/more");
    must_refuse("bad", SWWAE_SPLIT_TRAIN, SWWAE_E_DATA,
                "bad/b/more is a folder inside a class folder");
    assert_int_equal(rmdir("bad/b/more"), 0);
    temporary_subfolder("bad/b/2.png");
    must_refuse("bad", SWWAE_SPLIT_TRAIN, SWWAE_E_IO, "bad/b/2.png is a folder");
    assert_int_equal(rmdir("bad/b/2.png"), 0);
    static const char *const names[] = {
        "two\nlines", "not\xffutf8", "c1\xc2\x85",
        "sixty-four-bytes-sixty-four-bytes-sixty-four-bytes-sixty-four-by"};
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        char folder[128], path[160];
        snprintf(folder, sizeof folder, "bad/%s", names[n]);
        snprintf(path, sizeof path, "%s/1.png", folder);
        temporary_subfolder(folder);
        picture(path, 4, 5, 10, 0);
        must_refuse("bad", SWWAE_SPLIT_TRAIN, SWWAE_E_DATA, "has a name that cannot be a class's");
        assert_int_equal(unlink(path), 0);
        assert_int_equal(rmdir(folder), 0);
    }
    swwae_dataset_free(must_open("bad", SWWAE_SPLIT_TRAIN, 0));
}

/* More files than one job takes: all threads at work, and the first fault is the one that is
 * told. */
static void test_many(void **state) {
    (void)state;
    temporary_subfolder("many");
    temporary_subfolder("many/a");
    temporary_subfolder("many/b");
    char path[64];
    for (int i = 0; i < 900; i++) {
        snprintf(path, sizeof path, "many/%c/%04d.png", "ab"[i / 450], i);
        picture(path, 2, 2, i % 251, i == 700);
    }
    struct swwae_dataset *d = must_open("many", SWWAE_SPLIT_TRAIN, 0);
    assert_true(d->count == 900 && d->channels == 3 && d->gray == 899);
    for (size_t i = 0; i < 900; i++) {
        assert_int_equal(d->images[i * 12], i % 251);
        assert_int_equal(d->images[i * 12 + 4], i % 251 + (i == 700));
        assert_int_equal(d->labels[i], i / 450);
    }
    swwae_dataset_free(d);
    static const char *const wrong[] = {"many/b/0890.png", "many/b/0500.png", "many/a/0200.png"};
    for (int w = 0; w < 3; w++) {
        temporary_write(wrong[w], "damaged", 7);
        for (int again = 0; again < 5; again++)
            must_refuse("many", SWWAE_SPLIT_TRAIN, SWWAE_E_FORMAT, wrong[w]);
    }
}

/* The real set's pictures, where they are. */
static void test_cifar10_pictures(void **state) {
    (void)state;
    const char *folder = getenv("SWWAE_TEST_CIFAR10");
    if (!folder || !*folder) {
        print_message("Skipped: SWWAE_TEST_CIFAR10 does not name a folder with the training images "
                      "of CIFAR-10 as train/CLASS/*.jpg.\n");
        skip();
    }
    char path[1200];
    snprintf(path, sizeof path, "%s%s%s/", folder[0] == '/' ? "" : started,
             folder[0] == '/' ? "" : "/", folder);
    struct swwae_dataset *d = must_open(path, SWWAE_SPLIT_TRAIN, 0);
    assert_true(d->count == 50000 && d->channels == 3 && d->height == 32 && d->width == 32);
    static const char *const names[] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                        "dog",      "frog",       "horse", "ship", "truck"};
    size_t counts[10] = {0};
    double sum[3] = {0};
    for (size_t i = 0; i < d->count; i++) {
        counts[d->labels[i]]++;
        for (size_t p = 0; p < 3072; p++) sum[p / 1024] += d->images[i * 3072 + p];
    }
    /* the means that users of this data set normalise by: 0.4914, 0.4822, 0.4465 */
    static const double means[] = {0.4914, 0.4822, 0.4465};
    for (int c = 0; c < 3; c++) {
        double mean = sum[c] / 255 / 1024 / 50000;
        assert_true(mean > means[c] - 0.0005 && mean < means[c] + 0.0005);
    }
    assert_int_equal(d->classes, 10);
    for (int k = 0; k < 10; k++) {
        assert_string_equal(swwae_dataset_class_name(d, k), names[k]);
        assert_int_equal(counts[k], 5000);
    }
    swwae_dataset_free(d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_layout), cmocka_unit_test(test_split_layout),
        cmocka_unit_test(test_repeat_gray),  cmocka_unit_test(test_long_name),
        cmocka_unit_test(test_colour),       cmocka_unit_test(test_left_out),
        cmocka_unit_test(test_links),        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_many),         cmocka_unit_test(test_cifar10_pictures)};
    return cmocka_run_group_tests_name("class_folders", tests, make, drop);
}
