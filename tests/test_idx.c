/* test_idx.c - data/idx: good files, and every way a file can be bad. */
#include "data/idx.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sys/resource.h>

#include "idx_bytes.h"
#include "temporary.h"

enum { COUNT = 3, HEIGHT = 4, WIDTH = 5, DATA = COUNT * HEIGHT * WIDTH, HEADER = 16 };
static const uint32_t shape[3] = {COUNT, HEIGHT, WIDTH};
static uint8_t data[DATA];
static uint8_t plain[HEADER + DATA]; /* a valid file */
static uint8_t zipped[512];          /* the same gzipped */
static size_t zipped_size;

static int make(void **state) {
    for (int i = 0; i < DATA; i++) data[i] = (uint8_t)(i * 37 + i * i);
    if (idx_bytes(plain, 3, shape, data) != sizeof plain) return -1;
    zipped_size = gzip_bytes(zipped, plain, sizeof plain);
    return temporary_make(state);
}

/* Reads a file that must fail with a sentence that names it. */
static swwae_status must_fail(const char *path, const char *words) {
    struct idx idx = {.rank = 77};
    status_set(SWWAE_E_INTERNAL, "nothing");
    swwae_status status = idx_read(&idx, path);
    assert_int_not_equal(status, SWWAE_OK);
    assert_int_equal(idx.rank, 77); /* the output is untouched */
    assert_null(idx.data);
    assert_non_null(strstr(swwae_last_error(), path));
    if (!strstr(swwae_last_error(), words))
        fail_msg("\"%s\" says nothing of \"%s\"", swwae_last_error(), words);
    return status;
}

static void must_be_valid(const char *path) {
    struct idx idx;
    assert_int_equal(idx_read(&idx, path), SWWAE_OK);
    assert_int_equal(idx.rank, 3);
    for (int d = 0; d < 3; d++) assert_int_equal(idx.size[d], shape[d]);
    assert_int_equal(idx.size[3], 1);
    assert_memory_equal(idx.data, data, DATA);
    idx_free(&idx);
    assert_null(idx.data);
    idx_free(&idx);
    idx_free(NULL);
}

static void test_valid(void **state) {
    (void)state;
    must_be_valid(temporary_write("plain", plain, sizeof plain));
    must_be_valid(temporary_write("zipped", zipped, zipped_size));
    for (int rank = 1; rank <= 4; rank++) {
        uint32_t size[4] = {DATA, 1, 1, 1};
        uint8_t file[20 + DATA];
        size_t n = idx_bytes(file, rank, size, data);
        struct idx idx;
        assert_int_equal(idx_read(&idx, temporary_write("rank", file, n)), SWWAE_OK);
        assert_int_equal(idx.rank, rank);
        assert_memory_equal(idx.data, data, DATA);
        idx_free(&idx);
    }
}

static void test_members(void **state) {
    (void)state;
    for (size_t cut = 0; cut <= sizeof plain; cut++) {
        uint8_t two[1024];
        size_t n = gzip_bytes(two, plain, cut);
        n += gzip_bytes(two + n, plain + cut, sizeof plain - cut);
        must_be_valid(temporary_write("members", two, n));
    }
    uint8_t two[1024];
    memcpy(two, zipped, zipped_size);
    two[zipped_size] = 0;
    must_fail(temporary_write("rubbish.gz", two, zipped_size + 1), "gzip stream");
    memset(two + zipped_size, 'x', 20);
    must_fail(temporary_write("rubbish.gz", two, zipped_size + 20),
              "after the end of its gzip stream");
    memcpy(two + zipped_size, zipped, zipped_size);
    must_fail(temporary_write("twice.gz", two, 2 * zipped_size), "trailing bytes");
}

static void test_cut_plain(void **state) {
    (void)state;
    for (size_t n = 0; n < sizeof plain; n++)
        assert_int_equal(must_fail(temporary_write("cut", plain, n), n == 0  ? "is empty"
                                                                     : n < 4 ? "inside the 4 bytes"
                                                                     : n < HEADER ? "of its header"
                                                                                  : "cut off"),
                         SWWAE_E_FORMAT);
}

static void test_cut_gzip(void **state) {
    (void)state;
    for (size_t n = 0; n < zipped_size; n++)
        assert_int_equal(must_fail(temporary_write("cut.gz", zipped, n), n == 0   ? "is empty"
                                                                         : n == 1 ? "4 bytes"
                                                                                  : "cut off"),
                         SWWAE_E_FORMAT);
}

static void test_trailing(void **state) {
    (void)state;
    uint8_t longer[sizeof plain + 1] = {0}, packed[1024];
    memcpy(longer, plain, sizeof plain);
    must_fail(temporary_write("long", longer, sizeof longer), "trailing bytes");
    size_t n = gzip_bytes(packed, longer, sizeof longer);
    must_fail(temporary_write("long.gz", packed, n), "trailing bytes");
}

/* Whatever is accepted must be consistent with the file's own header. */
static void read_changed(const char *path, const uint8_t *header) {
    struct idx idx;
    status_set(SWWAE_E_INTERNAL, "nothing");
    if (idx_read(&idx, path) != SWWAE_OK) {
        assert_non_null(strstr(swwae_last_error(), path));
        return;
    }
    size_t bytes = 1;
    for (int d = 0; d < idx.rank; d++) bytes *= idx.size[d];
    assert_int_equal(idx.rank, header[3]);
    assert_int_equal(4 + 4 * (size_t)idx.rank + bytes, sizeof plain);
    assert_memory_equal(idx.data, header + 4 + 4 * (size_t)idx.rank, bytes);
    idx_free(&idx);
}

static const uint8_t flips[] = {0x01, 0x02, 0x03, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff};

static void test_flipped_plain(void **state) {
    (void)state;
    uint8_t file[sizeof plain];
    for (int at = 0; at < HEADER; at++)
        for (size_t f = 0; f < sizeof flips; f++) {
            memcpy(file, plain, sizeof plain);
            file[at] ^= flips[f];
            read_changed(temporary_write("flipped", file, sizeof file), file);
        }
}

/* gzip has bytes that mean nothing (time, system); else its checks find every change. */
static void test_flipped_gzip(void **state) {
    (void)state;
    uint8_t file[sizeof zipped], packed[512];
    for (size_t at = 0; at < zipped_size; at++)
        for (size_t f = 0; f < sizeof flips; f++) {
            memcpy(file, zipped, zipped_size);
            file[at] ^= flips[f];
            read_changed(temporary_write("flipped.gz", file, zipped_size), plain);
        }
    for (int at = 0; at < HEADER; at++) /* a bad IDX header inside good gzip */
        for (size_t f = 0; f < sizeof flips; f++) {
            memcpy(file, plain, sizeof plain);
            file[at] ^= flips[f];
            size_t n = gzip_bytes(packed, file, sizeof plain);
            read_changed(temporary_write("flipped.gz", packed, n), file);
        }
}

static void test_header_faults(void **state) {
    (void)state;
    uint8_t file[sizeof plain];
    static const struct {
        int at;
        uint8_t value;
        const char *words;
    } faults[] = {{0, 1, "not an IDX file"},   {2, 0x0d, "type 0x0d"}, {3, 0, "0 dimensions"},
                  {3, 5, "5 dimensions"},      {7, 0, "is empty"},     {4, 0xff, "4 GiB"},
                  {4, 0x01, "335544380 data"}, /* 0x01000003 * 20 */
                  {11, 3, "trailing"}};
    for (size_t f = 0; f < sizeof faults / sizeof *faults; f++) {
        memcpy(file, plain, sizeof plain);
        file[faults[f].at] = faults[f].value;
        assert_int_equal(must_fail(temporary_write("fault", file, sizeof file), faults[f].words),
                         SWWAE_E_FORMAT);
    }
    /* sizes whose product overflows 64 bits */
    memset(file + 4, 0xff, 12);
    must_fail(temporary_write("fault", file, sizeof file), "4 GiB");
    uint8_t rank4[20] = {0,    0,    8,    4,    0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    must_fail(temporary_write("fault", rank4, sizeof rank4), "4 GiB");
}

/* A header that promises 4 GiB in a file of 20 bytes must not cost 4 GiB of memory. */
static void test_memory(void **state) {
    (void)state;
    struct rusage before, after;
    uint8_t file[24] = {0, 0, 8, 2, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1}, packed[128];
    getrusage(RUSAGE_SELF, &before);
    must_fail(temporary_write("promise", file, sizeof file), "4294967295 data bytes");
    size_t n = gzip_bytes(packed, file, sizeof file);
    must_fail(temporary_write("promise.gz", packed, n), "unpack it with gunzip first");
    getrusage(RUSAGE_SELF, &after);
    assert_true(after.ru_maxrss - before.ru_maxrss < 64 * 1024); /* KiB */
    /* a gzip bomb behind a small header: stops at the first byte too many */
    size_t size = 32u << 20;
    uint8_t *bomb = calloc(1, size), *small = malloc(compressBound(size) + 32);
    memcpy(bomb, plain, sizeof plain);
    n = gzip_bytes(small, bomb, size);
    must_fail(temporary_write("bomb.gz", small, n), "trailing bytes");
    /* and one whose header tells the truth: 32 MiB from some 30 KiB */
    uint32_t large = (uint32_t)size - 8;
    n = gzip_bytes(small, bomb, idx_bytes(bomb, 1, &large, bomb + 8));
    must_fail(temporary_write("bomb.gz", small, n), "more than 100 times as many");
    free(bomb);
    free(small);
}

/* More than one step of growth, and more than one input buffer. */
static void test_large(void **state) {
    (void)state;
    size_t n = 1000003;
    uint32_t size[1] = {(uint32_t)n};
    uint8_t *content = malloc(n), *file = malloc(n + 8),
            *packed = malloc(compressBound(n + 8) + 32);
    uint32_t x = 1;
    for (size_t i = 0; i < n; i++) content[i] = (uint8_t)((x = x * 1664525u + 1013904223u) >> 24);
    size_t plain_size = idx_bytes(file, 1, size, content);
    size_t packed_size = gzip_bytes(packed, file, plain_size);
    for (int gz = 0; gz < 2; gz++) {
        struct idx idx;
        const char *path = gz ? temporary_write("large", packed, packed_size)
                              : temporary_write("large", file, plain_size);
        assert_int_equal(idx_read(&idx, path), SWWAE_OK);
        assert_int_equal(idx.size[0], n);
        assert_memory_equal(idx.data, content, n);
        idx_free(&idx);
    }
    free(content);
    free(file);
    free(packed);
}

static void test_not_files(void **state) {
    (void)state;
    assert_int_equal(must_fail(temporary_path("missing"), "cannot open"), SWWAE_E_IO);
    assert_int_equal(must_fail(temporary_subfolder("folder"), "is a folder"), SWWAE_E_IO);
    const char *pipe = temporary_path("pipe");
    assert_int_equal(mkfifo(pipe, 0600), 0);
    assert_int_equal(must_fail(pipe, "not a regular file"), SWWAE_E_IO); /* and does not hang */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid),        cmocka_unit_test(test_members),
        cmocka_unit_test(test_cut_plain),    cmocka_unit_test(test_cut_gzip),
        cmocka_unit_test(test_trailing),     cmocka_unit_test(test_flipped_plain),
        cmocka_unit_test(test_flipped_gzip), cmocka_unit_test(test_header_faults),
        cmocka_unit_test(test_memory),       cmocka_unit_test(test_large),
        cmocka_unit_test(test_not_files)};
    return cmocka_run_group_tests_name("idx", tests, make, temporary_remove);
}
