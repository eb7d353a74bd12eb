/* test_safetensors.c - io/safetensors: what is written comes back, what is broken is refused.
 *
 * With an argument: writes the sample file there, for safetensors_python.py. With two ("read" and
 * a path): reads a sample file that script wrote. */
#include "io/safetensors.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>
#include <zlib.h>

#include "io/file.h"
#include "shrink.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static char folder[256];
static char file[300]; /* the file of every test */

static int make_folder(void **state) {
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/swwae-safetensors-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(folder)) return -1;
    snprintf(file, sizeof file, "%s/model.safetensors", folder);
    return 0;
}

/* Fails if a temporary is left behind. */
static int remove_folder(void **state) {
    (void)state;
    unlink(file);
    return rmdir(folder);
}

/* ---- The sample: safetensors_python.py has the same ------------------------------------- */

static const float weight[12] = {-3,    -2.75f, -2.5f, -2.25f, -2,    -1.75f,
                                 -1.5f, -1.25f, -1.0f, -0.75f, -0.5f, -0.25f};
static const float special[6] = {INFINITY, -INFINITY, -0.0f, FLT_MAX, FLT_MIN, 1.40129846e-45f};
static const float one[1] = {0.1f};
static const struct safetensor sample[] = {
    {"stage.1.weight", 4, {2, 3, 1, 2}, weight},
    {"empty", 2, {0, 4}, NULL},
    {"special", 1, {6}, special},
    {"scalar", 0, {0}, one},
    {"Größe \"q\" \\ / \xe6\xbc\xa2", 3, {1, 1, 1}, one},
};
static const char *const sample_metadata[][2] = {
    {"format", "swwae"},
    {"quotes", "say \"hi\" \\ / \b\f\n\r\t\x01 it's"},
    {"unicode \xe2\x98\x83", "\xc3\xa9 \xe6\xbc\xa2\xe5\xad\x97 \xf0\x9f\x98\x80 \xe2\x80\xa8"},
    {"empty", ""},
    {"", "empty key"},
    {"json", "{\"a\": [1, 2]}"},
};

static swwae_status write_sample(const char *path) {
    return safetensors_write(path, sample, LENGTH(sample), sample_metadata,
                             LENGTH(sample_metadata));
}

static size_t values_of(const struct safetensor *tensor) {
    size_t values = 1;
    for (int i = 0; i < tensor->rank; i++) values *= tensor->shape[i];
    return values;
}

static void check_sample(const char *path) {
    struct safetensors found;
    assert_int_equal(safetensors_read(&found, path), SWWAE_OK);
    assert_int_equal(found.count, LENGTH(sample));
    for (size_t i = 0; i < LENGTH(sample); i++) {
        const struct safetensor *tensor = safetensors_find(&found, sample[i].name);
        assert_non_null(tensor);
        assert_int_equal(tensor->rank, sample[i].rank);
        assert_memory_equal(tensor->shape, sample[i].shape, sizeof tensor->shape);
        if (values_of(tensor))
            assert_memory_equal(tensor->data, sample[i].data, values_of(tensor) * sizeof(float));
    }
    assert_int_equal(found.metadata_count, LENGTH(sample_metadata));
    for (size_t i = 0; i < LENGTH(sample_metadata); i++)
        assert_string_equal(safetensors_metadata(&found, sample_metadata[i][0]),
                            sample_metadata[i][1]);
    assert_null(safetensors_find(&found, "stage.1"));
    assert_null(safetensors_metadata(&found, "stage.1.weight"));
    safetensors_free(&found);
    safetensors_free(&found); /* zeroed: does no harm */
}

/* ---- Broken files ----------------------------------------------------------------------- */

/* Writes bytes as they are, quickly. */
static void put_raw(const void *bytes, size_t size) {
    FILE *stream = fopen(file, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(bytes, 1, size, stream), size);
    assert_int_equal(fclose(stream), 0);
}

/* A file with this header and `size` bytes of data: 0, 1, 2, .. as bytes. */
static void put_header(const char *header, size_t size) {
    uint64_t length = strlen(header);
    unsigned char *bytes = malloc(8 + length + size);
    assert_non_null(bytes);
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, header, length);
    for (size_t i = 0; i < size; i++) bytes[8 + length + i] = (unsigned char)i;
    put_raw(bytes, 8 + length + size);
    free(bytes);
}

static unsigned char *sample_bytes(size_t *size) {
    static unsigned char bytes[4096];
    assert_int_equal(write_sample(file), SWWAE_OK);
    FILE *stream = fopen(file, "rb");
    assert_non_null(stream);
    *size = fread(bytes, 1, sizeof bytes, stream);
    fclose(stream);
    assert_true(*size < sizeof bytes);
    return bytes;
}

/* Reads `file`: either a format error that names it, or a consistent result, all of whose data
 * may be touched. */
static swwae_status read_any(void) {
    volatile float sink = 0; /* so that the reads are not optimised away */
    struct safetensors found;
    memset(&found, 0x5a, sizeof found);
    swwae_status status = safetensors_read(&found, file);
    if (status != SWWAE_OK) {
        assert_int_equal(status, SWWAE_E_FORMAT);
        assert_non_null(strstr(swwae_last_error(), file));
        assert_int_equal(found.count, (size_t)0x5a5a5a5a5a5a5a5a); /* untouched on failure */
        return status;
    }
    const float *next = found.memory;
    for (size_t i = 0; i < found.count; i++) {
        const struct safetensor *tensor = &found.tensors[i];
        assert_true(tensor->rank >= 0 && tensor->rank <= SAFETENSORS_RANK);
        assert_ptr_equal(tensor->data, next); /* in order, contiguous */
        assert_ptr_equal(safetensors_find(&found, tensor->name), tensor);
        for (size_t k = 0; k < values_of(tensor); k++) sink += tensor->data[k];
        next += values_of(tensor);
    }
    (void)sink;
    for (size_t i = 0; i < found.metadata_count; i++)
        assert_ptr_equal(safetensors_metadata(&found, found.metadata[i][0]), found.metadata[i][1]);
    safetensors_free(&found);
    return SWWAE_OK;
}

static void sample_comes_back(void **state) {
    (void)state;
    size_t size;
    uint64_t length;
    unsigned char *bytes = sample_bytes(&size);
    check_sample(file);
    memcpy(&length, bytes, 8);
    assert_int_equal(length % 8, 0);
    assert_int_equal(size, 8 + length + (12 + 6 + 1 + 1) * sizeof(float));
}

static void nothing_comes_back(void **state) {
    (void)state;
    struct safetensors found;
    assert_int_equal(safetensors_write(file, NULL, 0, NULL, 0), SWWAE_OK);
    assert_int_equal(safetensors_read(&found, file), SWWAE_OK);
    assert_int_equal(found.count + found.metadata_count, 0);
    safetensors_free(&found);
}

static void cut_anywhere_is_refused(void **state) {
    (void)state;
    size_t size;
    unsigned char *bytes = sample_bytes(&size);
    for (size_t length = 0; length < size; length++) {
        put_raw(bytes, length);
        assert_int_equal(read_any(), SWWAE_E_FORMAT);
    }
    for (size_t more = 0; more <= 9; more++) {
        put_raw(bytes, size + more); /* the buffer is larger */
        assert_int_equal(read_any(), more ? SWWAE_E_FORMAT : SWWAE_OK);
    }
}

static void changed_bytes_do_no_harm(void **state) {
    (void)state;
    static const unsigned char values[] = {0,   '"', '0', '1', '9', '-', '[',  ']',  '{',
                                           '}', ',', ':', '.', 'e', ' ', '\\', 0x80, 0xff};
    size_t size, refused = 0;
    uint64_t length;
    unsigned char *bytes = sample_bytes(&size);
    memcpy(&length, bytes, 8);
    for (size_t i = 0; i < 8 + length; i += (size_t)shrink()) {
        unsigned char good = bytes[i];
        for (int k = 0; k < 8 + (int)LENGTH(values); k++) {
            bytes[i] = k < 8 ? (unsigned char)(good ^ 1 << k) : values[k - 8];
            if (bytes[i] == good) continue;
            put_raw(bytes, size);
            refused += read_any() != SWWAE_OK;
        }
        bytes[i] = good;
    }
    assert_true(refused * (size_t)shrink() > 8 * length); /* most changes are noticed */
}

static void absurd_header_lengths_are_refused(void **state) {
    (void)state;
    size_t size;
    unsigned char *bytes = sample_bytes(&size);
    const uint64_t lengths[] = {0,         1,          size - 8,   size - 7,  size,
                                INT32_MAX, UINT32_MAX, 1ull << 32, INT64_MAX, 1ull << 63,
                                -8ull,     -9ull,      -16ull,     -1ull,     16777217};
    for (size_t i = 0; i < LENGTH(lengths); i++) {
        memcpy(bytes, &lengths[i], 8);
        put_raw(bytes, size);
        assert_int_equal(read_any(), SWWAE_E_FORMAT);
        /* Refused before JSON is looked at: jansson would read past the end unseen. */
        if (lengths[i] > size - 8) assert_non_null(strstr(swwae_last_error(), "should have"));
    }
    for (int i = 0; i < 8; i++) /* every value of every byte */
        for (int value = 0; value < 256; value++) {
            uint64_t length = (uint64_t)value << 8 * i;
            memcpy(bytes, &length, 8);
            put_raw(bytes, size);
            read_any();
        }
    /* A header over the limit that the file does have (sparse). */
    const uint64_t large = 16777217;
    put_raw(&large, 8);
    assert_int_equal(truncate(file, 20000000), 0);
    assert_int_equal(read_any(), SWWAE_E_FORMAT);
    assert_non_null(strstr(swwae_last_error(), "should have"));
}

#define F32(shape, offsets) "{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":" offsets "}"
#define ONE(shape, offsets) "{\"a\":" F32(shape, offsets) "}"
#define TWO(a, b) "{\"a\":" F32("[2]", a) ",\"b\":" F32("[2]", b) "}"
#define NAME_OF_100                                                          \
    "0123456789012345678901234567890123456789012345678901234567890123456789" \
    "012345678901234567890123456789"

/* Header, bytes of data, and a part of the message, NULL where the file is good. */
static const struct {
    const char *header;
    size_t data;
    const char *message;
} cases[] = {
    {"{}", 0, NULL},
    {"  {\"__metadata__\":{}}  \n", 0, NULL},
    {ONE("[2,3]", "[0,24]"), 24, NULL},
    {ONE("[]", "[0,4]"), 4, NULL},
    {ONE("[0]", "[0,0]"), 0, NULL},
    {ONE("[0,9223372036854775807]", "[0,0]"), 0, NULL},
    {TWO("[0,8]", "[8,16]"), 16, NULL},
    {TWO("[8,16]", "[0,8]"), 16, NULL}, /* listed out of order */
    {"{\"z\":" F32("[2]", "[0,8]") ",\"e\":" F32("[0]", "[0,0]") ",\"f\":" F32("[0]", "[8,8]") "}",
     8, NULL}, /* empty ones at both ends */
    {"{\"e\":" F32("[2]", "[0,8]") ",\"z\":" F32("[0]", "[0,0]") "}", 8, NULL},
    /* not JSON, not what it should be */
    {"", 0, "not valid JSON"},
    {"   ", 0, "not valid JSON"},
    {"{", 0, "not valid JSON"},
    {"{}{}", 0, "not valid JSON"},
    {"{\"__metadata__\":{\"a\":\"\xff\"}}", 0, "not valid JSON"},
    {"{\"__metadata__\":{\"a\":\"\\u0000\"}}", 0, "not valid JSON"},
    {"{\"__metadata__\":{\"a\":\"\\ud800\"}}", 0, "not valid JSON"},
    {"[]", 0, "not a JSON object"},
    {"7", 0, "JSON"},
    {"{\"__metadata__\":[]}", 0, "__metadata__ is not"},
    {"{\"__metadata__\":{\"a\":1}}", 0, "not a string"},
    {"{\"__metadata__\":{\"a\":\"x\",\"b\":null}}", 0, "not a string"},
    {"{\"a\":[]}", 0, "no dtype"},
    {"{\"a\":{}}", 0, "no dtype"},
    {"{\"a\":null}", 0, "no dtype"},
    /* names */
    {"{\"a\":" F32("[1]", "[0,4]") ",\"a\":" F32("[1]", "[4,8]") "}", 8, "duplicate"},
    {"{\"a\":" F32("[1]", "[0,4]") ",\"\\u0061\":" F32("[1]", "[4,8]") "}", 8, "duplicate"},
    {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4,
     "duplicate"},
    {"{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", 0, "duplicate"},
    {"{\"" NAME_OF_100 "012345678901234567890123456\":" F32("[0]", "[0,0]") "}", 0, NULL},
    {"{\"" NAME_OF_100 "0123456789012345678901234567\":" F32("[0]", "[0,0]") "}", 0, "128 bytes"},
    /* dtype */
    {"{\"a\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]}}", 8, "F64"},
    {"{\"a\":{\"dtype\":\"f32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "f32"},
    {"{\"a\":{\"dtype\":32,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "no dtype"},
    /* shape */
    {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "no shape"},
    {ONE("4", "[0,4]"), 4, "no shape"},
    {ONE("[1,1,1,1,1]", "[0,4]"), 4, "no shape of 0 to 4"},
    {ONE("[-1]", "[0,4]"), 4, "integer of 0 or more"},
    {ONE("[-1,-1]", "[0,4]"), 4, "integer of 0 or more"},
    {ONE("[1.0]", "[0,4]"), 4, "integer of 0 or more"},
    {ONE("[\"1\"]", "[0,4]"), 4, "integer of 0 or more"},
    {ONE("[null]", "[0,4]"), 4, "integer of 0 or more"},
    {ONE("[9223372036854775808]", "[0,4]"), 4, "not valid JSON"},
    {ONE("[2]", "[0,4]"), 4, "not what its shape takes"},
    {ONE("[1]", "[0,8]"), 8, "not what its shape takes"},
    {ONE("[0]", "[0,4]"), 4, "not what its shape takes"},
    /* products that wrap around to 0 and to 4 */
    {ONE("[4611686018427387904]", "[0,0]"), 0, "not what its shape takes"},
    {ONE("[4294967296,4294967296]", "[0,0]"), 0, "not what its shape takes"},
    {ONE("[65536,65536,65536,65536]", "[0,0]"), 0, "not what its shape takes"},
    {ONE("[4611686018427387905]", "[0,4]"), 4, "not what its shape takes"},
    /* offsets */
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "no data_offsets"},
    {ONE("[1]", "[0]"), 4, "no data_offsets"},
    {ONE("[1]", "[0,4,8]"), 8, "no data_offsets"},
    {ONE("[1]", "{\"0\":0,\"1\":4}"), 4, "no data_offsets"},
    {ONE("[1]", "[-4,0]"), 4, "no data_offsets"},
    {ONE("[1]", "[0,4.0]"), 4, "no data_offsets"},
    {ONE("[1]", "[0,8]"), 4, "outside"},
    {ONE("[1]", "[4,0]"), 4, "outside"},
    {ONE("[1]", "[4,8]"), 4, "outside"},
    {ONE("[1]", "[9223372036854775803,9223372036854775807]"), 4, "outside"},
    {ONE("[2305843009213693951]", "[0,9223372036854775804]"), 4, "outside"},
    {ONE("[1]", "[4,8]"), 8, "hole"},
    {ONE("[1]", "[2,6]"), 6, "multiple of 4"},
    {ONE("[1]", "[0,4]"), 8, "no tensor"},
    {ONE("[1]", "[0,4]"), 5, "no tensor"},
    {ONE("[0]", "[4,4]"), 4, "hole"},
    {"{}", 1, "no tensor"},
    {TWO("[0,8]", "[0,8]"), 8, "overlaps"},
    {TWO("[0,8]", "[4,12]"), 12, "overlaps"},
    {TWO("[0,8]", "[12,20]"), 20, "hole"},
    {"{\"a\":" F32("[4]", "[0,16]") ",\"b\":" F32("[1]", "[4,8]") "}", 16, "overlaps"},
    {"{\"a\":" F32("[2]", "[0,8]") ",\"b\":" F32("[0]", "[4,4]") "}", 8, "overlaps"},
};

static void each_fault_is_named(void **state) {
    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        put_header(cases[i].header, cases[i].data);
        swwae_status status = read_any();
        const char *message = cases[i].message;
        if (status != (message ? SWWAE_E_FORMAT : SWWAE_OK) ||
            (message && !strstr(swwae_last_error(), message)))
            fail_msg("%s with %zu bytes: status %d, %s", cases[i].header, cases[i].data, status,
                     swwae_last_error());
    }
}

static void deep_nesting_is_refused(void **state) {
    (void)state;
    enum { DEPTH = 1000000 };
    static char header[2 * DEPTH + 8];
    const int depths[] = {1000, 2047, 2048, 100000, DEPTH};
    for (size_t i = 0; i < LENGTH(depths); i++)
        for (int closed = 0; closed < 2; closed++) {
            size_t depth = (size_t)depths[i], used = 0;
            used += (size_t)sprintf(header, "{\"a\":");
            memset(header + used, '[', depth);
            used += depth;
            if (closed) memset(header + used, ']', depth);
            used += closed ? depth : 0;
            strcpy(header + used, "}");
            put_header(header, 0);
            assert_int_equal(read_any(), SWWAE_E_FORMAT);
        }
}

/* The format does not ask the header's length to be a multiple of anything. */
/* Looking up each of an architecture's tensors among a million would take long. */
static void too_many_tensors_are_refused(void **state) {
    (void)state;
    for (int count = 4096; count <= 4098; count++) {
        char *header = malloc((size_t)count * 80), *at = header;
        for (int i = 0; i < count; i++)
            at += sprintf(at, "%s\"%d\":" F32("[0]", "[0,0]"), i ? "," : "{", i);
        strcpy(at, "}");
        put_header(header, 0);
        assert_int_equal(read_any(), count > 4097 ? SWWAE_E_FORMAT : SWWAE_OK);
        free(header);
    }
    assert_non_null(strstr(swwae_last_error(), "4098 tensors found"));
}

static void data_is_aligned_for_any_header_length(void **state) {
    (void)state;
    char header[200];
    for (int spaces = 0; spaces < 16; spaces++) {
        struct safetensors found;
        snprintf(header, sizeof header, "%s%*s", ONE("[2]", "[0,8]"), spaces, "");
        put_header(header, 8);
        assert_int_equal(safetensors_read(&found, file), SWWAE_OK);
        assert_int_equal((uintptr_t)found.tensors[0].data % sizeof(float), 0);
        assert_memory_equal(found.tensors[0].data, "\0\1\2\3\4\5\6\7", 8);
        safetensors_free(&found);
    }
}

/* What could not be read back is not written, and the old file stays. */
static void bad_writes_are_refused(void **state) {
    (void)state;
    struct safetensor long_name = {.rank = 1, .shape = {1}, .data = one};
    memset(long_name.name, 'x', sizeof long_name.name); /* no zero byte */
    const struct safetensor bad[] = {
        long_name,
        {"__metadata__", 1, {1}, one},
        {"stage.1.weight", 1, {1}, one}, /* follows one of that name */
        {"\xff", 1, {1}, one},
        {"rank", 5, {1}, one},
        {"rank", -1, {1}, one},
        {"no data", 1, {1}, NULL},
        {"large", 1, {(size_t)1 << 33}, one},
        {"huge but empty", 2, {0, SIZE_MAX}, NULL},
        {"overflow", 2, {(size_t)1 << 32, (size_t)1 << 32}, one},
    };
    const char *const bad_metadata[][2][2] = {
        {{"a", "x"}, {"a", "y"}}, {{"a", "x"}, {"b", "\xff"}}, {{"a", "x"}, {"\xc3", "y"}}};
    assert_int_equal(write_sample(file), SWWAE_OK);
    for (size_t i = 0; i < LENGTH(bad); i++) {
        const struct safetensor two[2] = {sample[0], bad[i]};
        assert_int_equal(safetensors_write(file, two, 2, NULL, 0), SWWAE_E_ARGUMENT);
        assert_non_null(strstr(swwae_last_error(), file));
    }
    for (size_t i = 0; i < LENGTH(bad_metadata); i++) {
        assert_int_equal(safetensors_write(file, sample, 1, bad_metadata[i], 2), SWWAE_E_ARGUMENT);
        assert_non_null(strstr(swwae_last_error(), file));
    }
    char *large = malloc(16777217);
    assert_non_null(large);
    memset(large, 'x', 16777216);
    large[16777216] = 0;
    const char *const pair[1][2] = {{"a", large}};
    assert_int_equal(safetensors_write(file, sample, 1, pair, 1), SWWAE_E_ARGUMENT);
    free(large);
    assert_int_equal(safetensors_write("/no such folder/x", sample, 1, NULL, 0), SWWAE_E_IO);
    check_sample(file);
}

/* The stated checksum is zlib's of the file with zeros in its place; a change of any bit shows. */
static void checksum_is_checked(void **state) {
    (void)state;
    static const char *const pairs[][2] = {{"name", "\"crc32\":\"00000000\""}};
    struct safetensors found;
    char *bytes;
    size_t size;
    assert_int_equal(safetensors_write_checked(file, NULL, sample, 2, pairs, 1), SWWAE_OK);
    assert_int_equal(safetensors_read(&found, file), SWWAE_OK);
    char stated[9];
    assert_int_equal(strlen(safetensors_metadata(&found, "crc32")), 8);
    strcpy(stated, safetensors_metadata(&found, "crc32"));
    safetensors_free(&found);
    assert_int_equal(file_read(file, 1 << 20, &bytes, &size), SWWAE_OK);
    char *place = NULL;
    for (size_t i = 0; i + 8 <= size && !place; i++)
        if (!memcmp(bytes + i, stated, 8)) place = bytes + i;
    assert_non_null(place);
    memcpy(place, "00000000", 8);
    assert_int_equal(crc32(0, (const unsigned char *)bytes, (unsigned)size),
                     strtoul(stated, NULL, 16));
    memcpy(place, stated, 8);
    for (size_t i = 0; i < size; i++) {
        bytes[i] ^= (char)(1 << i % 8);
        unlink(file); /* some file systems flush a file that is cut to nothing and written again */
        put_raw(bytes, size);
        bytes[i] ^= (char)(1 << i % 8);
        if (safetensors_read(&found, file) != SWWAE_OK) continue;
        assert_null(
            safetensors_metadata(&found, "crc32")); /* the key was hit: readers ask for it */
        safetensors_free(&found);
    }
    put_raw(bytes, size);
    assert_int_equal(safetensors_read(&found, file), SWWAE_OK);
    safetensors_free(&found);
    free(bytes);
}

static void missing_file_is_named(void **state) {
    (void)state;
    struct safetensors found;
    assert_int_equal(safetensors_read(&found, "/no such folder/x"), SWWAE_E_IO);
    assert_non_null(strstr(swwae_last_error(), "/no such folder/x"));
}

static const char *given; /* the path of the second use */

static void given_sample_is_read(void **state) {
    (void)state;
    check_sample(given);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sample_comes_back),
        cmocka_unit_test(nothing_comes_back),
        cmocka_unit_test(cut_anywhere_is_refused),
        cmocka_unit_test(changed_bytes_do_no_harm),
        cmocka_unit_test(absurd_header_lengths_are_refused),
        cmocka_unit_test(each_fault_is_named),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(too_many_tensors_are_refused),
        cmocka_unit_test(data_is_aligned_for_any_header_length),
        cmocka_unit_test(bad_writes_are_refused),
        cmocka_unit_test(checksum_is_checked),
        cmocka_unit_test(missing_file_is_named),
    };
    const struct CMUnitTest read[] = {cmocka_unit_test(given_sample_is_read)};
    if (argc == 2) {
        swwae_status status = write_sample(argv[1]);
        if (status != SWWAE_OK) fprintf(stderr, "%s\n", swwae_last_error());
        return status != SWWAE_OK;
    }
    if (argc == 3) {
        given = argv[2];
        return cmocka_run_group_tests(read, NULL, NULL);
    }
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
