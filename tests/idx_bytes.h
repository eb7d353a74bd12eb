/* idx_bytes.h - making IDX files, plain and gzipped, for tests. */
#ifndef SWWAE_TESTS_IDX_BYTES_H
#define SWWAE_TESTS_IDX_BYTES_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "temporary.h"

/* An IDX file of unsigned bytes: header and data into out; its length. */
static inline size_t idx_bytes(uint8_t *out, int rank, const uint32_t *size, const uint8_t *data) {
    size_t n = 1, at = 4;
    memcpy(out, (uint8_t[4]){0, 0, 8, (uint8_t)rank}, 4);
    for (int d = 0; d < rank; d++) {
        for (int shift = 24; shift >= 0; shift -= 8) out[at++] = (uint8_t)(size[d] >> shift);
        n *= size[d];
    }
    memcpy(out + at, data, n);
    return at + n;
}

/* One gzip member; its length. out: room for compressBound(n) + 32 bytes. */
static inline size_t gzip_bytes(uint8_t *out, const uint8_t *data, size_t n) {
    z_stream z;
    memset(&z, 0, sizeof z);
    if (deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) abort();
    z.next_in = (Bytef *)(uintptr_t)data;
    z.avail_in = (uInt)n;
    z.next_out = out;
    z.avail_out = (uInt)(compressBound((uLong)n) + 32);
    if (deflate(&z, Z_FINISH) != Z_STREAM_END) abort();
    deflateEnd(&z);
    return z.total_out;
}

/* ---- files in the test's folder ---- */

/* Byte i of every test image. */
static inline uint8_t pixel(size_t i) { return (uint8_t)(i * 31 + i / 7); }

/* Writes a file, gzipped if its name ends in .gz. */
static inline void write_idx(const char *name, int rank, const uint32_t *size,
                             const uint8_t *data) {
    static uint8_t plain[65536], packed[70000];
    size_t n = idx_bytes(plain, rank, size, data), length = strlen(name);
    if (length > 3 && strcmp(name + length - 3, ".gz") == 0)
        temporary_write(name, packed, gzip_bytes(packed, plain, n));
    else
        temporary_write(name, plain, n);
}

/* n images of (h, w), or of (c, h, w) for rank 4. */
static inline void write_images(const char *name, int rank, uint32_t n, uint32_t c, uint32_t h,
                                uint32_t w) {
    uint8_t data[4096];
    for (size_t i = 0; i < sizeof data; i++) data[i] = pixel(i);
    uint32_t size[4] = {n, h, w, 0};
    if (rank == 4) memcpy(size, (uint32_t[4]){n, c, h, w}, sizeof size);
    write_idx(name, rank, size, data);
}

/* Labels 0, 1, ... classes - 1, 0, 1, ... */
static inline void write_labels(const char *name, uint32_t n, uint8_t classes) {
    uint8_t data[256];
    for (size_t i = 0; i < n; i++) data[i] = (uint8_t)(i % classes);
    write_idx(name, 1, &n, data);
}

#endif
