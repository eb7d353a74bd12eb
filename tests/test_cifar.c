/* test_cifar.c - CIFAR's binary files: decoding, sizes, names, the search. */
#include "data/cifar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "temporary.h"

static char started[1024]; /* the folder the test was started in */

static int make(void **state) {
    if (!getcwd(started, sizeof started) || temporary_make(state) != 0) return -1;
    unsetenv("SWWAE_DATA");
    unsetenv("XDG_CACHE_HOME");
    setenv("HOME", temporary_path("home"), 1);
    return chdir(temporary_folder);
}

static int drop(void **state) { return chdir(started) == 0 ? temporary_remove(state) : -1; }

static void must_refuse(const char *name, swwae_split split, swwae_status status,
                        const char *words) {
    struct swwae_dataset *d = NULL;
    assert_int_equal(swwae_dataset_open(&d, name, split, 0), status);
    assert_null(d);
    if (!strstr(swwae_last_error(), words))
        fail_msg("\"%s\" says nothing of \"%s\"", swwae_last_error(), words);
}

static struct swwae_dataset *must_open(const char *name, swwae_split split) {
    struct swwae_dataset *d = NULL;
    if (swwae_dataset_open(&d, name, split, 0) != SWWAE_OK) fail_msg("%s", swwae_last_error());
    return d;
}

static uint8_t byte_of(size_t i, size_t p) { return (uint8_t)(i * 7 + p * 13 + p / 1024); }

/* A file of zeros (holes on disk) but for a few records: image i is of class i % classes. */
static void write_file(const char *path, enum cifar_kind kind, size_t count, long more) {
    static const size_t filled[] = {0, 1, 999, 1000, 7777, 9999};
    const size_t record = cifar_record(kind), labels = record - CIFAR_PIXELS;
    uint8_t bytes[2 + CIFAR_PIXELS];
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    for (size_t f = 0; f < sizeof filled / sizeof *filled; f++) {
        size_t i = filled[f];
        memset(bytes, 0xff, labels); /* a coarse label is not looked at */
        bytes[labels - 1] = (uint8_t)(i % (kind == CIFAR_10 ? 10 : 100));
        for (size_t p = 0; p < CIFAR_PIXELS; p++) bytes[labels + p] = byte_of(i, p);
        assert_int_equal(fseek(file, (long)(i * record), SEEK_SET), 0);
        assert_int_equal(fwrite(bytes, record, 1, file), 1);
    }
    fflush(file);
    assert_int_equal(ftruncate(fileno(file), (off_t)(count * record) + more), 0);
    fclose(file);
}

static void check_image(const struct swwae_dataset *d, size_t at, size_t i, int label) {
    assert_int_equal(swwae_dataset_label(d, at), label);
    for (size_t p = 0; p < CIFAR_PIXELS; p++)
        assert_int_equal(d->images[at * CIFAR_PIXELS + p], byte_of(i, p));
}

static void test_decode(void **state) {
    (void)state;
    static uint8_t bytes[3 * 3074], images[3 * CIFAR_PIXELS];
    int32_t labels[3];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)i;
    for (size_t i = 0; i < 3; i++) bytes[i * 3073] = (uint8_t)(9 - i);
    assert_int_equal(cifar_decode(images, labels, bytes, 3, CIFAR_10), 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(labels[i], 9 - i);
        assert_memory_equal(images + i * 3072, bytes + i * 3073 + 1, 3072);
    }
    bytes[2 * 3073] = 10;
    assert_int_equal(cifar_decode(images, labels, bytes, 3, CIFAR_10), 2);
    for (size_t i = 0; i < 3; i++) bytes[i * 3074 + 1] = (uint8_t)(99 - i);
    assert_int_equal(cifar_decode(images, labels, bytes, 3, CIFAR_100), 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(labels[i], 99 - i);
        assert_memory_equal(images + i * 3072, bytes + i * 3074 + 2, 3072);
    }
    bytes[1] = 100;
    assert_int_equal(cifar_decode(images, labels, bytes, 3, CIFAR_100), 0);
    assert_int_equal(cifar_decode(images, labels, bytes, 0, CIFAR_100), 0);
}

static void test_cifar10(void **state) {
    (void)state;
    char path[64];
    temporary_subfolder("data");
    temporary_subfolder("data/cifar10");
    must_refuse("cifar10", SWWAE_SPLIT_TRAIN, SWWAE_E_IO, "no training images of cifar10 are in");
    for (int b = 1; b <= 5; b++) {
        snprintf(path, sizeof path, "data/cifar10/data_batch_%d.bin", b);
        if (b != 4) write_file(path, CIFAR_10, 10000, 0);
    }
    must_refuse("cifar10", SWWAE_SPLIT_TRAIN, SWWAE_E_IO, "data_batch_4.bin");
    write_file("data/cifar10/data_batch_4.bin", CIFAR_10, 10000, -1);
    must_refuse("cifar10", SWWAE_SPLIT_TRAIN, SWWAE_E_FORMAT,
                "data/cifar10/data_batch_4.bin has 30729999 bytes, expected 30730000");
    write_file("data/cifar10/data_batch_4.bin", CIFAR_10, 10000, 1);
    must_refuse("cifar10", SWWAE_SPLIT_TRAIN, SWWAE_E_FORMAT, "has 30730001 bytes");
    write_file("data/cifar10/data_batch_4.bin", CIFAR_10, 10000, 0);
    struct swwae_dataset *d = must_open("cifar10", SWWAE_SPLIT_TRAIN);
    assert_true(d->count == 50000 && d->channels == 3 && d->height == 32 && d->width == 32);
    assert_int_equal(d->classes, 10);
    assert_string_equal(d->name, "cifar10");
    assert_string_equal(swwae_dataset_class_name(d, 0), "airplane");
    assert_string_equal(swwae_dataset_class_name(d, 9), "truck");
    check_image(d, 0, 0, 0);
    check_image(d, 999, 999, 9);
    check_image(d, 27777, 7777, 7);
    check_image(d, 49999, 9999, 9);
    assert_string_equal(swwae_dataset_source(d, 27777), "data_batch_3.bin[7777]");
    swwae_dataset_free(d);
    must_refuse("cifar10", SWWAE_SPLIT_TEST, SWWAE_E_IO, "has training images only");
    /* the folder the archive unpacks to, given itself or found inside */
    temporary_subfolder("data/cifar10/cifar-10-batches-bin");
    write_file("data/cifar10/cifar-10-batches-bin/test_batch.bin", CIFAR_10, 10000, 0);
    static const char *const names[] = {"cifar10", "./data/cifar10/cifar-10-batches-bin"};
    for (int n = 0; n < 2; n++) {
        d = must_open(names[n], SWWAE_SPLIT_TEST);
        assert_int_equal(d->count, 10000);
        check_image(d, 1, 1, 1);
        swwae_dataset_free(d);
    }
    FILE *file = fopen("data/cifar10/cifar-10-batches-bin/test_batch.bin", "r+b");
    assert_true(file && fseek(file, 3073L * 1234, SEEK_SET) == 0 && fputc(10, file) == 10);
    fclose(file);
    must_refuse(
        "cifar10", SWWAE_SPLIT_TEST, SWWAE_E_FORMAT,
        "image 1234 of ./data/cifar10/cifar-10-batches-bin/test_batch.bin has the label 10, "
        "expected 0 to 9");
}

static void test_cifar100(void **state) {
    (void)state;
    temporary_subfolder("hundred");
    write_file("hundred/train.bin", CIFAR_100, 50000, 0);
    write_file("hundred/test.bin", CIFAR_100, 50000, 0);
    struct swwae_dataset *d = must_open("hundred", SWWAE_SPLIT_TRAIN);
    assert_true(d->count == 50000 && d->classes == 100);
    assert_string_equal(swwae_dataset_class_name(d, 99), "99");
    check_image(d, 7777, 7777, 77);
    swwae_dataset_free(d);
    must_refuse("hundred", SWWAE_SPLIT_TEST, SWWAE_E_FORMAT, "expected 30740000 (10000 images)");
    write_file("hundred/test.bin", CIFAR_100, 10000, 0);
    char text[4096] = "";
    for (int k = 0; k < 100; k++) sprintf(text + strlen(text), "name_%d\r\n", k);
    temporary_write("hundred/fine_label_names.txt", text, strlen(text));
    d = must_open("hundred", SWWAE_SPLIT_TEST);
    assert_string_equal(swwae_dataset_class_name(d, 99), "name_99");
    check_image(d, 999, 999, 99);
    swwae_dataset_free(d);
    temporary_write("hundred/fine_label_names.txt", text, strlen(text) / 2);
    must_refuse("hundred", SWWAE_SPLIT_TEST, SWWAE_E_FORMAT, "lines, expected 100 names");
    temporary_write("hundred/fine_label_names.txt", "a\n\nb\n", 5);
    must_refuse("hundred", SWWAE_SPLIT_TEST, SWWAE_E_FORMAT, "line 2 of");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_decode),
                                       cmocka_unit_test(test_cifar10),
                                       cmocka_unit_test(test_cifar100)};
    return cmocka_run_group_tests_name("cifar", tests, make, drop);
}
