/* idx.c - reading IDX files, plain or gzipped; see idx.h.
 *
 * Format (http://yann.lecun.com/exdb/mnist): bytes 0 0, element type (8: unsigned byte), rank,
 * one big-endian 32-bit size a dimension, then the data in row-major order. */
#include "data/idx.h"

#include "data/input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define DATA_LIMIT ((uint64_t)1 << 32) /* 4 GiB */
#define FIRST_PIECE ((size_t)1 << 16)

/* A byte stream from a plain or gzipped file. */
struct source {
    const char *path;
    FILE *file;
    uint64_t size; /* bytes of the file */
    bool gzip;
    bool inside;  /* within a gzip member: the file may not end here */
    bool further; /* a first member is complete */
    z_stream z;
    unsigned char input[16384]; /* compressed bytes */
};

static swwae_status source_open(struct source *source, const char *path) {
    swwae_status status = SWWAE_OK;
    memset(source, 0, sizeof *source);
    source->path = path;
    TRY(input_open(&source->file, &source->size, path));
    unsigned char start[2];
    size_t n = fread(start, 1, 2, source->file);
    CHECK(!ferror(source->file) && fseek(source->file, 0, SEEK_SET) == 0, SWWAE_E_IO,
          "cannot read %s: %s", path, strerror(errno));
    CHECK(n > 0, SWWAE_E_FORMAT, "%s is empty, expected an IDX file", path);
    if (n == 2 && start[0] == 0x1f && start[1] == 0x8b) {
        CHECK(inflateInit2(&source->z, 15 + 16) == Z_OK, SWWAE_E_MEMORY,
              "not enough memory to decompress %s", path);
        source->gzip = true;
        source->inside = true;
    }
    return SWWAE_OK;
fail:
    if (source->file) fclose(source->file);
    source->file = NULL;
    return status;
}

static void source_close(struct source *source) {
    if (source->gzip) inflateEnd(&source->z);
    if (source->file) fclose(source->file);
}

/* Makes sure there are compressed bytes to inflate; *end: the file is over, in a good place. */
static swwae_status source_fill(struct source *source, bool *end) {
    *end = false;
    if (source->z.avail_in > 0) return SWWAE_OK;
    size_t n = fread(source->input, 1, sizeof source->input, source->file);
    if (ferror(source->file))
        return status_set(SWWAE_E_IO, "cannot read %s: %s", source->path, strerror(errno));
    if (n == 0 && source->inside)
        return status_set(SWWAE_E_FORMAT,
                          "%s is cut off: its gzip stream stops before its end; get it again",
                          source->path);
    *end = n == 0;
    source->z.next_in = source->input;
    source->z.avail_in = (uInt)n;
    return SWWAE_OK;
}

static swwae_status source_inflate(struct source *source, uint8_t *bytes, size_t want,
                                   size_t *got) {
    z_stream *z = &source->z;
    z->next_out = bytes;
    z->avail_out = (uInt)want;
    while (z->avail_out > 0) {
        bool end;
        swwae_status status = source_fill(source, &end);
        if (status != SWWAE_OK) return status;
        if (end) break;
        if (!source->inside) { /* bytes after a member: another member or rubbish */
            inflateReset(z);
            source->inside = true;
        }
        int result = inflate(z, Z_NO_FLUSH);
        if (result == Z_STREAM_END) {
            source->inside = false;
            source->further = true;
        } else if (result == Z_MEM_ERROR) {
            return status_set(SWWAE_E_MEMORY, "not enough memory to decompress %s", source->path);
        } else if (result != Z_OK && result != Z_BUF_ERROR) {
            if (source->further && z->total_out == 0)
                return status_set(SWWAE_E_FORMAT,
                                  "%s has bytes after the end of its gzip stream; get it again",
                                  source->path);
            return status_set(SWWAE_E_FORMAT, "%s is damaged (gzip: %s); get it again",
                              source->path, z->msg ? z->msg : "bad data");
        }
    }
    *got = want - z->avail_out;
    return SWWAE_OK;
}

/* Up to `want` bytes (below 4 GiB); fewer only at the end of the file. */
static swwae_status source_read(struct source *source, uint8_t *bytes, size_t want, size_t *got) {
    if (source->gzip) return source_inflate(source, bytes, want, got);
    *got = fread(bytes, 1, want, source->file);
    if (ferror(source->file))
        return status_set(SWWAE_E_IO, "cannot read %s: %s", source->path, strerror(errno));
    return SWWAE_OK;
}

static swwae_status read_header(struct source *source, struct idx *idx, uint64_t *total) {
    swwae_status status = SWWAE_OK;
    uint8_t b[16];
    size_t got = 0;
    TRY(source_read(source, b, 4, &got));
    CHECK(got == 4, SWWAE_E_FORMAT,
          "%s ends after %zu bytes, inside the 4 bytes an IDX file "
          "begins with",
          source->path, got);
    CHECK(b[0] == 0 && b[1] == 0, SWWAE_E_FORMAT,
          "%s is not an IDX file: it begins with bytes %02x %02x, expected 00 00", source->path,
          b[0], b[1]);
    CHECK(b[2] == 8, SWWAE_E_FORMAT,
          "%s holds elements of IDX type 0x%02x, expected 0x08 (unsigned byte)", source->path,
          b[2]);
    CHECK(b[3] >= 1 && b[3] <= 4, SWWAE_E_FORMAT, "%s has %d dimensions, expected 1 to 4",
          source->path, b[3]);
    idx->rank = b[3];
    size_t sizes = 4 * (size_t)idx->rank;
    TRY(source_read(source, b, sizes, &got));
    CHECK(got == sizes, SWWAE_E_FORMAT, "%s ends after %zu of the %zu bytes of its header",
          source->path, 4 + got, 4 + sizes);
    *total = 1;
    for (int d = 0; d < 4; d++) idx->size[d] = 1;
    for (int d = 0; d < idx->rank; d++) {
        const uint8_t *p = b + 4 * d;
        uint32_t size = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
        CHECK(size > 0, SWWAE_E_FORMAT, "%s is empty: dimension %d of its header is 0",
              source->path, d + 1);
        /* total stays at or below 2^32 and size below it: no overflow */
        *total *= size;
        CHECK(*total <= DATA_LIMIT && *total <= SIZE_MAX, SWWAE_E_FORMAT,
              "%s has a header that promises more than 4 GiB of data; it is probably damaged",
              source->path);
        idx->size[d] = size;
    }
    CHECK(!source->gzip || *total <= IDX_GZIP_FREE ||
              (*total - IDX_GZIP_FREE) / IDX_GZIP_RATIO <= source->size,
          SWWAE_E_FORMAT,
          "%s would become %llu bytes from %llu of gzip, more than %d times as many; if you trust "
          "it, unpack it with gunzip first",
          source->path, (unsigned long long)*total, (unsigned long long)source->size,
          IDX_GZIP_RATIO);
fail:
    return status;
}

static swwae_status read_data(struct source *source, struct idx *idx, size_t total) {
    swwae_status status = SWWAE_OK;
    size_t capacity = 0, have = 0, got = 0, want;
    /* a plain file needs one piece, a packed one some */
    const size_t first = source->size < FIRST_PIECE ? FIRST_PIECE : (size_t)source->size;
    while (have < total) {
        if (have == capacity) {
            capacity = capacity == 0 ? first : capacity > total / 2 ? total : 2 * capacity;
            if (capacity > total) capacity = total;
            uint8_t *grown = realloc(idx->data, capacity);
            CHECK(grown, SWWAE_E_MEMORY, "not enough memory for the %zu bytes of %s", total,
                  source->path);
            idx->data = grown;
        }
        want = capacity - have;
        if (want > (size_t)1 << 30) want = (size_t)1 << 30; /* zlib counts in unsigned int */
        TRY(source_read(source, idx->data + have, want, &got));
        have += got;
        CHECK(got == want, SWWAE_E_FORMAT,
              "%s is cut off: it ends after %zu of the %zu data bytes its header promises; get it "
              "again",
              source->path, have, total);
    }
    /* The byte too many; for gzip this also reads and checks the stream's trailer. */
    uint8_t more;
    TRY(source_read(source, &more, 1, &got));
    CHECK(got == 0, SWWAE_E_FORMAT, "%s has trailing bytes after the %zu its header promises",
          source->path, total);
fail:
    return status;
}

swwae_status idx_read(struct idx *idx, const char *path) {
    struct source source;
    struct idx result = {0};
    uint64_t total = 0;
    swwae_status status = source_open(&source, path);
    if (status != SWWAE_OK) return status;
    TRY(read_header(&source, &result, &total));
    TRY(read_data(&source, &result, (size_t)total));
    source_close(&source);
    *idx = result;
    return SWWAE_OK;
fail:
    idx_free(&result);
    source_close(&source);
    return status;
}

void idx_free(struct idx *idx) {
    if (!idx) return;
    free(idx->data);
    *idx = (struct idx){0};
}
