/* safetensors.c - model and checkpoint files, checked before use; see safetensors.h.
 *
 * Format: https://github.com/huggingface/safetensors, "Format". Inside, sentences do not name the
 * file: safetensors_read and safetensors_write put it in front. */
#include "io/safetensors.h"

#include "io/file.h"

#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "safetensors.c moves data as it is: it needs a little-endian machine"
#endif

#define PREFIX 8              /* bytes of the header length */
#define HEADER_LIMIT 16777216 /* bytes; hostile JSON takes about 40 times its size in memory */
#define FILE_LIMIT (SIZE_MAX / 4 < 0x400000000 ? SIZE_MAX / 4 : 0x400000000) /* 16 GiB */
#define TENSOR_LIMIT 4096 /* in a file; the largest architecture has 1500 */
#define METADATA "__metadata__"
#define CHECKSUM "crc32"
#define CHECKSUM_DIGITS 8
#define CHECKSUM_NONE "00000000" /* stands in the file while the sum is made */

/* Bytes of a tensor's data; false if they do not fit into size_t. */
static bool tensor_bytes(const struct safetensor *tensor, size_t *bytes) {
    *bytes = sizeof(float);
    for (int i = 0; i < tensor->rank; i++)
        if (__builtin_mul_overflow(*bytes, tensor->shape[i], bytes)) return false;
    return true;
}

/* ---- The checksum ---------------------------------------------------------------------- */

static uint32_t sum(uint32_t before, const void *data, size_t size) {
    return (uint32_t)crc32_z(before, data, size);
}

/* The place of the checksum's digits in a header as it is written; NULL for none. A quote inside a
 * JSON string has a backslash before it, so no value looks like this. */
static char *find_checksum(char *header, size_t length, const char *digits) {
    char pair[sizeof CHECKSUM + CHECKSUM_DIGITS + 5];
    size_t size = (size_t)snprintf(pair, sizeof pair, "\"" CHECKSUM "\":\"%s\"", digits);
    for (size_t i = 0; size < sizeof pair && i + size <= length; i++)
        if (!memcmp(header + i, pair, size)) return header + i + size - 1 - CHECKSUM_DIGITS;
    return NULL;
}

/* Compares the checksum that the metadata states, if it does, with the file's bytes. */
static swwae_status check_sum(const json_t *header, char *bytes, size_t size, size_t length) {
    swwae_status status = SWWAE_OK;
    const char *stated =
        json_string_value(json_object_get(json_object_get(header, METADATA), CHECKSUM));
    char digits[CHECKSUM_DIGITS + 1], *place;
    if (!stated) return SWWAE_OK;
    place =
        strlen(stated) == CHECKSUM_DIGITS ? find_checksum(bytes + PREFIX, length, stated) : NULL;
    CHECK(place, SWWAE_E_FORMAT,
          "its checksum \"%.20s\" is not one that swwae writes; the file is "
          "damaged or another program wrote it",
          stated);
    for (int i = 0; i < CHECKSUM_DIGITS; i++) place[i] = CHECKSUM_NONE[i];
    snprintf(digits, sizeof digits, "%08" PRIx32, sum(0, bytes, size));
    memcpy(place, stated, CHECKSUM_DIGITS);
    CHECK(!memcmp(digits, stated, CHECKSUM_DIGITS), SWWAE_E_FORMAT,
          "its bytes have the checksum %s, not the %s it states; the file is damaged", digits,
          stated);
fail:
    return status;
}

/* ---- Reading --------------------------------------------------------------------------- */

/* A size or offset: an integer that is not negative. */
static bool read_size(const json_t *json, size_t *value) {
    if (!json_is_integer(json) || json_integer_value(json) < 0) return false;
    *value = (size_t)json_integer_value(json);
    return (json_int_t)*value == json_integer_value(json);
}

/* One entry of the header: {"dtype": "F32", "shape": [..], "data_offsets": [begin, end]}. */
static swwae_status read_tensor(struct safetensor *tensor, const char *name, const json_t *entry,
                                const char *data, size_t size) {
    swwae_status status = SWWAE_OK;
    const json_t *shape = json_object_get(entry, "shape");
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    size_t begin, end, bytes;
    CHECK(strlen(name) < sizeof tensor->name, SWWAE_E_FORMAT,
          "a tensor's name has %zu bytes, more than the %zu allowed", strlen(name),
          sizeof tensor->name - 1);
    memcpy(tensor->name, name, strlen(name) + 1);
    CHECK(dtype, SWWAE_E_FORMAT, "tensor %s has no dtype", name);
    CHECK(!strcmp(dtype, "F32"), SWWAE_E_FORMAT,
          "tensor %s is of dtype %.20s, only F32 can be read; convert it", name, dtype);
    CHECK(json_is_array(shape) && json_array_size(shape) <= SAFETENSORS_RANK, SWWAE_E_FORMAT,
          "tensor %s has no shape of 0 to %d sizes", name, SAFETENSORS_RANK);
    tensor->rank = (int)json_array_size(shape);
    for (int i = 0; i < tensor->rank; i++)
        CHECK(read_size(json_array_get(shape, (size_t)i), &tensor->shape[i]), SWWAE_E_FORMAT,
              "tensor %s has a size that is not an integer of 0 or more", name);
    CHECK(json_array_size(offsets) == 2 && read_size(json_array_get(offsets, 0), &begin) &&
              read_size(json_array_get(offsets, 1), &end),
          SWWAE_E_FORMAT, "tensor %s has no data_offsets of two integers of 0 or more", name);
    CHECK(begin <= end && end <= size, SWWAE_E_FORMAT,
          "tensor %s has data_offsets %zu to %zu, outside the file's %zu bytes of data; the file "
          "may be cut short",
          name, begin, end, size);
    CHECK(tensor_bytes(tensor, &bytes) && bytes == end - begin, SWWAE_E_FORMAT,
          "tensor %s has %zu bytes of data, which is not what its shape takes", name, end - begin);
    CHECK(begin % sizeof(float) == 0, SWWAE_E_FORMAT,
          "tensor %s begins at byte %zu of the data, not a multiple of %zu", name, begin,
          sizeof(float));
    tensor->data = (const float *)(const void *)(data + begin);
fail:
    return status;
}

static swwae_status read_metadata(struct safetensors *file, json_t *object) {
    swwae_status status = SWWAE_OK;
    const char *key;
    json_t *value;
    CHECK(json_is_object(object), SWWAE_E_FORMAT, METADATA " is not a JSON object");
    file->metadata = calloc(json_object_size(object) + 1, sizeof *file->metadata);
    CHECK(file->metadata, SWWAE_E_MEMORY, "no memory for the metadata");
    json_object_foreach(object, key, value) {
        CHECK(json_is_string(value), SWWAE_E_FORMAT,
              "the value of %.100s in " METADATA " is not a string", key);
        char **pair = file->metadata[file->metadata_count++];
        pair[0] = strdup(key);
        pair[1] = strdup(json_string_value(value));
        CHECK(pair[0] && pair[1], SWWAE_E_MEMORY, "no memory for the metadata");
    }
fail:
    return status;
}

/* By place of the data; an empty tensor before the one that begins where it is. */
static int compare_places(const void *a, const void *b) {
    const struct safetensor *x = a, *y = b;
    size_t x_bytes, y_bytes;
    if (x->data != y->data) return x->data < y->data ? -1 : 1;
    tensor_bytes(x, &x_bytes);
    tensor_bytes(y, &y_bytes);
    if (x_bytes != y_bytes) return x_bytes < y_bytes ? -1 : 1;
    return strcmp(x->name, y->name);
}

static swwae_status read_header(struct safetensors *file, json_t *header, const char *data,
                                size_t size) {
    swwae_status status = SWWAE_OK;
    const char *name, *next = data;
    json_t *entry, *metadata = json_object_get(header, METADATA);
    CHECK(json_is_object(header), SWWAE_E_FORMAT, "the header is not a JSON object");
    CHECK(json_object_size(header) <= TENSOR_LIMIT + 1, SWWAE_E_FORMAT,
          "%zu tensors found, expected at most %d", json_object_size(header), TENSOR_LIMIT);
    file->tensors = calloc(json_object_size(header) + 1, sizeof *file->tensors);
    CHECK(file->tensors, SWWAE_E_MEMORY, "no memory for %zu tensors", json_object_size(header));
    if (metadata) TRY(read_metadata(file, metadata));
    json_object_foreach(header, name, entry) {
        if (!strcmp(name, METADATA)) continue;
        TRY(read_tensor(&file->tensors[file->count++], name, entry, data, size));
    }
    qsort(file->tensors, file->count, sizeof *file->tensors, compare_places);
    for (size_t i = 0, bytes; i < file->count; i++) {
        const struct safetensor *tensor = &file->tensors[i];
        CHECK((const char *)tensor->data == next, SWWAE_E_FORMAT,
              "the data of tensor %s %s the data before it", tensor->name,
              (const char *)tensor->data < next ? "overlaps" : "leaves a hole after");
        tensor_bytes(tensor, &bytes);
        next += bytes;
    }
    CHECK(next == data + size, SWWAE_E_FORMAT, "%zu bytes at the end belong to no tensor",
          (size_t)(data + size - next));
fail:
    return status;
}

static swwae_status read_bytes(struct safetensors *file, char *bytes, size_t size) {
    swwae_status status = SWWAE_OK;
    uint64_t length = 0;
    json_t *header = NULL;
    json_error_t error;
    CHECK(size >= PREFIX, SWWAE_E_FORMAT,
          "has %zu bytes, too few for a safetensors file; it may be cut short", size);
    memcpy(&length, bytes, PREFIX);
    CHECK(length <= size - PREFIX && length <= HEADER_LIMIT, SWWAE_E_FORMAT,
          "its header should have %llu bytes, but the file has %zu and a header at most %d; it is "
          "cut short or not a safetensors file",
          (unsigned long long)length, size, HEADER_LIMIT);
    header = json_parse(bytes + PREFIX, (size_t)length, JSON_REJECT_DUPLICATES, &error);
    CHECK(header || json_at_fault(&error), SWWAE_E_MEMORY, "no memory to read its header");
    CHECK(header, SWWAE_E_FORMAT, "its header is not valid JSON (byte %d: %s)", error.position,
          error.text);
    TRY(check_sum(header, bytes, size, (size_t)length));
    /* The header is in `header` now: data moves to the front, where it is aligned. */
    size -= PREFIX + (size_t)length;
    memmove(bytes, bytes + PREFIX + length, size);
    TRY(read_header(file, header, bytes, size));
fail:
    json_decref(header);
    return status;
}

swwae_status safetensors_read(struct safetensors *file, const char *path) {
    struct safetensors found = {0};
    char *bytes;
    size_t size;
    swwae_status status = file_read(path, FILE_LIMIT, &bytes, &size);
    if (status != SWWAE_OK) return status;
    found.memory = bytes;
    status = read_bytes(&found, bytes, size);
    if (status != SWWAE_OK) {
        safetensors_free(&found);
        return status_prefix(status, "%s", path);
    }
    *file = found;
    return SWWAE_OK;
}

void safetensors_free(struct safetensors *file) {
    for (size_t i = 0; i < file->metadata_count; i++) {
        free(file->metadata[i][0]);
        free(file->metadata[i][1]);
    }
    free(file->metadata);
    free(file->tensors);
    free(file->memory);
    *file = (struct safetensors){0};
}

const struct safetensor *safetensors_find(const struct safetensors *file, const char *name) {
    for (size_t i = 0; i < file->count; i++)
        if (!strcmp(file->tensors[i].name, name)) return &file->tensors[i];
    return NULL;
}

const char *safetensors_metadata(const struct safetensors *file, const char *key) {
    for (size_t i = 0; i < file->metadata_count; i++)
        if (!strcmp(file->metadata[i][0], key)) return file->metadata[i][1];
    return NULL;
}

/* ---- Writing --------------------------------------------------------------------------- */

/* Adds {key: value, ..} to the header. */
static swwae_status add_metadata(json_t *header, const char *const (*metadata)[2], size_t count) {
    swwae_status status = SWWAE_OK;
    json_t *object = json_object();
    for (size_t i = 0; i < count; i++) {
        const char *key = metadata[i][0];
        CHECK(!json_object_get(object, key), SWWAE_E_ARGUMENT, "metadata %.100s is there twice",
              key);
        CHECK(!json_object_set_new(object, key, json_string(metadata[i][1])), SWWAE_E_ARGUMENT,
              "metadata %.100s is not UTF-8 or there is no memory for it", key);
    }
    CHECK(!json_object_set(header, METADATA, object), SWWAE_E_MEMORY, "no memory for the header");
fail:
    json_decref(object);
    return status;
}

/* Adds a tensor to the header; *offset: where its data begins, moved to its end. */
static swwae_status add_tensor(json_t *header, const struct safetensor *tensor, size_t *offset) {
    swwae_status status = SWWAE_OK;
    const char *name = tensor->name;
    json_t *entry = NULL, *shape = json_array();
    size_t bytes, begin = *offset;
    CHECK(memchr(name, 0, sizeof tensor->name), SWWAE_E_ARGUMENT,
          "tensor %.20s... has a name of more than %zu bytes", name, sizeof tensor->name - 1);
    CHECK(strcmp(name, METADATA) != 0 && !json_object_get(header, name), SWWAE_E_ARGUMENT,
          "the tensor name %s is taken", name);
    CHECK(tensor->rank >= 0 && tensor->rank <= SAFETENSORS_RANK, SWWAE_E_ARGUMENT,
          "tensor %s has rank %d, not 0 to %d", name, tensor->rank, SAFETENSORS_RANK);
    CHECK(tensor_bytes(tensor, &bytes) && bytes <= FILE_LIMIT - PREFIX - HEADER_LIMIT - begin,
          SWWAE_E_ARGUMENT, "tensor %s makes the file larger than %zu bytes", name,
          (size_t)FILE_LIMIT);
    CHECK(tensor->data || !bytes, SWWAE_E_ARGUMENT, "tensor %s has no data", name);
    for (int i = 0; i < tensor->rank; i++) {
        CHECK(tensor->shape[i] <= INT64_MAX, SWWAE_E_ARGUMENT, "tensor %s has a size over 2^63 - 1",
              name);
        CHECK(!json_array_append_new(shape, json_integer((json_int_t)tensor->shape[i])),
              SWWAE_E_MEMORY, "no memory for the header");
    }
    *offset = begin + bytes;
    entry = json_pack("{s:s, s:O, s:[I, I]}", "dtype", "F32", "shape", shape, "data_offsets",
                      (json_int_t)begin, (json_int_t)*offset);
    CHECK(entry, SWWAE_E_MEMORY, "no memory for the header");
    CHECK(!json_object_set(header, name, entry), SWWAE_E_ARGUMENT,
          "the tensor name %s is not UTF-8 or there is no memory for it", name);
fail:
    json_decref(shape);
    json_decref(entry);
    return status;
}

/* The header as JSON, padded to a multiple of PREFIX so that the data is aligned in the file. */
static swwae_status make_header(char **text, const struct safetensor *tensors, size_t count,
                                const char *const (*metadata)[2], size_t metadata_count) {
    swwae_status status = SWWAE_OK;
    char *json = NULL;
    size_t offset = 0, length;
    json_t *header = json_object();
    CHECK(header, SWWAE_E_MEMORY, "no memory for the header");
    if (metadata_count) TRY(add_metadata(header, metadata, metadata_count));
    for (size_t i = 0; i < count; i++) TRY(add_tensor(header, &tensors[i], &offset));
    /* Measured, then printed: json_dumps loses keys without a word when its buffer cannot grow. */
    length = json_dumpb(header, NULL, 0, JSON_COMPACT);
    CHECK(length <= HEADER_LIMIT - PREFIX, SWWAE_E_ARGUMENT,
          "names and metadata take %zu bytes, more than %d", length, HEADER_LIMIT - PREFIX);
    json = malloc(length + PREFIX);
    CHECK(length && json && json_dumpb(header, json, length, JSON_COMPACT) == length,
          SWWAE_E_MEMORY, "no memory for the header");
    while (length % PREFIX) json[length++] = ' ';
    json[length] = 0;
    *text = json;
    json = NULL;
fail:
    free(json);
    json_decref(header);
    return status;
}

/* Puts the checksum of prefix, header and data into the header. */
static void state_sum(char *header, uint64_t length, const struct safetensor *tensors,
                      size_t count) {
    char digits[CHECKSUM_DIGITS + 1];
    uint32_t crc = sum(sum(0, &length, PREFIX), header, (size_t)length);
    for (size_t i = 0, bytes; i < count; i++) {
        tensor_bytes(&tensors[i], &bytes);
        if (bytes) crc = sum(crc, tensors[i].data, bytes); /* NULL would begin a new sum */
    }
    snprintf(digits, sizeof digits, "%08" PRIx32, crc);
    memcpy(find_checksum(header, (size_t)length, CHECKSUM_NONE), digits, CHECKSUM_DIGITS);
}

static swwae_status write_file(const char *path, const char *previous, const char *header,
                               const struct safetensor *tensors, size_t count) {
    swwae_status status = SWWAE_OK;
    struct file_writer writer = {0};
    uint64_t length = strlen(header);
    TRY(file_begin(&writer, path));
    writer.previous = previous;
    TRY(file_put(&writer, &length, PREFIX));
    TRY(file_put(&writer, header, (size_t)length));
    for (size_t i = 0, bytes; i < count; i++) {
        tensor_bytes(&tensors[i], &bytes);
        TRY(file_put(&writer, tensors[i].data, bytes));
    }
    TRY(file_commit(&writer));
fail:
    file_abandon(&writer);
    return status;
}

swwae_status safetensors_write(const char *path, const struct safetensor *tensors, size_t count,
                               const char *const (*metadata)[2], size_t metadata_count) {
    char *header = NULL;
    swwae_status status = make_header(&header, tensors, count, metadata, metadata_count);
    if (status != SWWAE_OK) return status_prefix(status, "%s", path);
    status = write_file(path, NULL, header, tensors, count);
    free(header);
    return status;
}

swwae_status safetensors_write_checked(const char *path, const char *previous,
                                       const struct safetensor *tensors, size_t count,
                                       const char *const (*metadata)[2], size_t metadata_count) {
    swwae_status status = SWWAE_OK;
    char *header = NULL;
    const char *(*pairs)[2] = calloc(metadata_count + 1, sizeof *pairs);
    CHECK(pairs, SWWAE_E_MEMORY, "no memory for the metadata");
    for (size_t i = 0; i < metadata_count; i++) {
        pairs[i][0] = metadata[i][0];
        pairs[i][1] = metadata[i][1];
    }
    pairs[metadata_count][0] = CHECKSUM;
    pairs[metadata_count][1] = CHECKSUM_NONE;
    TRY(make_header(&header, tensors, count, (const char *const(*)[2])pairs, metadata_count + 1));
    state_sum(header, strlen(header), tensors, count);
    status = write_file(path, previous, header, tensors, count);
    free(header);
    free(pairs);
    return status;
fail:
    free(pairs);
    return status_prefix(status, "%s", path);
}
