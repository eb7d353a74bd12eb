/* npy.c - reading NumPy's .npy files; see npy.h.
 *
 * Format (NumPy enhancement proposal 1): "\x93NUMPY", version, the header's length, the header (a
 * Python dictionary as text with the keys descr, fortran_order and shape), data. */
#include "data/npy.h"

#include "data/input.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_LIMIT 65536
#define DATA_LIMIT ((uint64_t)1 << 32) /* 4 GiB */

enum element { ELEMENT_U1 = 1, ELEMENT_F4 = 4, ELEMENT_F8 = 8 }; /* value: bytes */

/* Reading position in the header's text, which ends in a zero byte. */
struct cursor {
    const char *at;
};

static void skip_space(struct cursor *c) { c->at += strspn(c->at, " \t\r\n"); }

/* Takes a character, with white space around it, if it comes next. */
static bool take(struct cursor *c, char wanted) {
    skip_space(c);
    if (*c->at != wanted) return false;
    c->at++;
    skip_space(c);
    return true;
}

static bool take_word(struct cursor *c, const char *word) {
    skip_space(c);
    size_t n = strlen(word);
    if (strncmp(c->at, word, n) != 0) return false;
    c->at += n;
    return true;
}

/* A quoted string without escapes, shorter than `size`. */
static bool take_string(struct cursor *c, char *text, size_t size) {
    skip_space(c);
    char quote = *c->at;
    if (quote != '\'' && quote != '"') return false;
    const char *end = strchr(c->at + 1, quote);
    if (!end) return false;
    size_t n = (size_t)(end - c->at - 1);
    if (n >= size || memchr(c->at + 1, '\\', n)) return false;
    memcpy(text, c->at + 1, n);
    text[n] = 0;
    c->at = end + 1;
    return true;
}

static bool take_number(struct cursor *c, size_t *number) {
    skip_space(c);
    if (*c->at < '0' || *c->at > '9') return false;
    size_t n = 0;
    for (; *c->at >= '0' && *c->at <= '9'; c->at++)
        if (__builtin_mul_overflow(n, (size_t)10, &n) ||
            __builtin_add_overflow(n, (size_t)(*c->at - '0'), &n))
            return false;
    if (*c->at == 'L') c->at++; /* Python 2 wrote long integers */
    *number = n;
    return true;
}

/* "(3, 4)", "(3,)" or "()". A rank over 4 is counted, not stored. */
static bool take_shape(struct cursor *c, struct npy *npy) {
    if (!take(c, '(')) return false;
    npy->rank = 0;
    while (!take(c, ')')) {
        size_t number;
        if (npy->rank > 64 || !take_number(c, &number)) return false;
        if (npy->rank < 4) npy->size[npy->rank] = number;
        npy->rank++;
        if (!take(c, ',')) {
            if (!take(c, ')')) return false;
            break;
        }
    }
    return true;
}

static swwae_status parse_header(const char *text, const char *path, struct npy *npy,
                                 enum element *element) {
    swwae_status status = SWWAE_OK;
    struct cursor c = {text};
    char key[16], descr[16] = "";
    bool has_descr = false, has_order = false, has_shape = false, fortran = false, good;
    good = take(&c, '{');
    while (good && !take(&c, '}')) {
        good = take_string(&c, key, sizeof key) && take(&c, ':');
        if (!good) break;
        if (strcmp(key, "descr") == 0 && !has_descr) {
            has_descr = true;
            skip_space(&c);
            CHECK(*c.at != '[', SWWAE_E_FORMAT,
                  "%s holds records, expected elements of type <f4, <f8 or |u1", path);
            good = take_string(&c, descr, sizeof descr);
        } else if (strcmp(key, "fortran_order") == 0 && !has_order) {
            has_order = true;
            fortran = take_word(&c, "True");
            good = fortran || take_word(&c, "False");
        } else if (strcmp(key, "shape") == 0 && !has_shape) {
            has_shape = true;
            good = take_shape(&c, npy);
        } else {
            good = false;
        }
        if (good && !take(&c, ',')) {
            good = take(&c, '}');
            break;
        }
    }
    skip_space(&c);
    CHECK(good && *c.at == 0 && has_descr && has_order && has_shape, SWWAE_E_FORMAT,
          "%s has a header that is not NumPy's (descr, fortran_order and shape)", path);
    if (strcmp(descr, "|u1") == 0)
        *element = ELEMENT_U1;
    else if (strcmp(descr, "<f4") == 0)
        *element = ELEMENT_F4;
    else if (strcmp(descr, "<f8") == 0)
        *element = ELEMENT_F8;
    else
        CHECK(false, SWWAE_E_FORMAT, "%s holds elements of type %s, expected <f4, <f8 or |u1", path,
              descr);
    CHECK(!fortran, SWWAE_E_FORMAT,
          "%s is in Fortran order, expected C order (numpy.ascontiguousarray)", path);
    CHECK(npy->rank >= 1 && npy->rank <= 4, SWWAE_E_FORMAT, "%s has %d dimensions, expected 1 to 4",
          path, npy->rank);
fail:
    return status;
}

static uint64_t little_endian(const uint8_t *bytes, int count) {
    uint64_t value = 0;
    for (int i = 0; i < count; i++) value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

static float convert(const uint8_t *bytes, enum element element) {
    if (element == ELEMENT_U1) return (float)*bytes / 255.0f;
    if (element == ELEMENT_F4) {
        uint32_t bits = (uint32_t)little_endian(bytes, 4);
        float value;
        memcpy(&value, &bits, sizeof value);
        return value;
    }
    uint64_t bits = little_endian(bytes, 8);
    double value;
    memcpy(&value, &bits, sizeof value);
    /* outside float's range the conversion would be undefined */
    return value > FLT_MAX ? INFINITY : value < -FLT_MAX ? -INFINITY : (float)value;
}

/* Reads the header as text; *left: bytes of the file after it. */
static swwae_status read_header(FILE *file, uint64_t file_size, const char *path, char **text,
                                uint64_t *left) {
    swwae_status status = SWWAE_OK;
    uint8_t start[12];
    CHECK(fread(start, 1, 8, file) == 8 && memcmp(start, "\x93NUMPY", 6) == 0, SWWAE_E_FORMAT,
          "%s is not a .npy file: it does not begin as one", path);
    CHECK(start[6] >= 1 && start[6] <= 3, SWWAE_E_FORMAT,
          "%s is of .npy version %d, expected 1 to 3", path, start[6]);
    size_t width = start[6] == 1 ? 2 : 4;
    CHECK(fread(start + 8, 1, width, file) == width, SWWAE_E_FORMAT,
          "%s is cut off inside its header", path);
    uint64_t length = little_endian(start + 8, (int)width);
    CHECK(length <= HEADER_LIMIT, SWWAE_E_FORMAT,
          "%s has a header of %llu bytes, expected at most %d", path, (unsigned long long)length,
          HEADER_LIMIT);
    CHECK(8 + width + length <= file_size, SWWAE_E_FORMAT, "%s is cut off inside its header", path);
    *text = malloc((size_t)length + 1);
    CHECK(*text, SWWAE_E_MEMORY, "not enough memory to read %s", path);
    CHECK(fread(*text, 1, (size_t)length, file) == length, SWWAE_E_FORMAT,
          "%s is cut off inside its header", path);
    (*text)[length] = 0;
    CHECK(strlen(*text) == length, SWWAE_E_FORMAT, "%s has a zero byte in its header", path);
    uint64_t header = 8 + width + length;
    *left = file_size > header ? file_size - header : 0;
fail:
    return status;
}

static swwae_status read_data(FILE *file, const char *path, enum element element, size_t count,
                              float *data) {
    uint8_t bytes[8192];
    size_t each = (size_t)element, piece = sizeof bytes / each;
    for (size_t done = 0; done < count; done += piece) {
        size_t n = count - done < piece ? count - done : piece;
        if (fread(bytes, each, n, file) != n) {
            if (ferror(file))
                return status_set(SWWAE_E_IO, "cannot read %s: %s", path, strerror(errno));
            return status_set(SWWAE_E_FORMAT, "%s became shorter while it was read", path);
        }
        for (size_t i = 0; i < n; i++) data[done + i] = convert(bytes + i * each, element);
    }
    return SWWAE_OK;
}

swwae_status npy_read(struct npy *npy, const char *path) {
    swwae_status status = SWWAE_OK;
    struct npy result = {.size = {1, 1, 1, 1}};
    FILE *file = NULL;
    char *text = NULL;
    uint64_t file_size, left = 0, total;
    enum element element = ELEMENT_U1;
    TRY(input_open(&file, &file_size, path));
    TRY(read_header(file, file_size, path, &text, &left));
    CHECK(text, SWWAE_E_INTERNAL, "the header of %s was read as nothing", path);
    TRY(parse_header(text, path, &result, &element));
    total = (uint64_t)element;
    for (int d = 0; d < result.rank; d++) {
        CHECK(result.size[d] > 0, SWWAE_E_FORMAT, "%s is an empty array: dimension %d is 0", path,
              d + 1);
        CHECK(!__builtin_mul_overflow(total, (uint64_t)result.size[d], &total) &&
                  total <= DATA_LIMIT,
              SWWAE_E_FORMAT, "%s has a header that promises more than 4 GiB of data", path);
    }
    CHECK(left == total, SWWAE_E_FORMAT,
          "%s holds %llu bytes of data, its header promises %llu; write it again", path,
          (unsigned long long)left, (unsigned long long)total);
    /* no more than 4 bytes of memory for each byte that is there */
    size_t count = (size_t)(total / (uint64_t)element);
    CHECK(count > 0 && count <= SIZE_MAX / sizeof(float), SWWAE_E_MEMORY,
          "not enough memory for %s", path);
    result.data = malloc(count * sizeof(float));
    CHECK(result.data, SWWAE_E_MEMORY, "not enough memory for the %zu values of %s", count, path);
    TRY(read_data(file, path, element, count, result.data));
    free(text);
    fclose(file);
    *npy = result;
    return SWWAE_OK;
fail:
    npy_free(&result);
    free(text);
    if (file) fclose(file);
    return status;
}

void npy_free(struct npy *npy) {
    if (!npy) return;
    free(npy->data);
    *npy = (struct npy){0};
}
