/* safetensors.h - named float tensors and text metadata in one file (docs/formats.md).
 *
 * The format of the Python package `safetensors`: an 8-byte little-endian header length, a JSON
 * header, raw little-endian data. Written header is padded with spaces to a multiple of 8. */
#ifndef SWWAE_IO_SAFETENSORS_H
#define SWWAE_IO_SAFETENSORS_H

#include "base/status.h"

#define SAFETENSORS_RANK 4

struct safetensor {
    char name[128];                 /* UTF-8 */
    int rank;                       /* 0..SAFETENSORS_RANK */
    size_t shape[SAFETENSORS_RANK]; /* sizes may be 0; past rank: 0 after reading */
    const float *data;              /* row-major; inside the file's memory after reading */
};

struct safetensors {
    struct safetensor *tensors;
    size_t count;
    char *(*metadata)[2]; /* (metadata_count) key, value */
    size_t metadata_count;
    void *memory; /* the file's bytes, owned */
};

/* Reads and checks everything before use: header length (up to 16 MiB) against file size (up to
 * 16 GiB), JSON, duplicate names, dtype (F32 only), shapes against offsets with overflow-safe
 * arithmetic, offsets in range and contiguous from 0 to the end of the file without holes or
 * overlaps (which makes them multiples of 4), and the checksum if the metadata states one. Each
 * fault is SWWAE_E_FORMAT with one sentence that names the file; SWWAE_E_IO and SWWAE_E_MEMORY as
 * file_read. Tensors come in the order of their data, and data is aligned for float whatever the
 * header's length. */
swwae_status safetensors_read(struct safetensors *file, const char *path);
/* Accepts a zeroed struct. */
void safetensors_free(struct safetensors *file);

/* NULL if there is none. */
const struct safetensor *safetensors_find(const struct safetensors *file, const char *name);
const char *safetensors_metadata(const struct safetensors *file, const char *key);

/* Writes tensors (data pointers may point anywhere; NULL for an empty tensor) and metadata pairs,
 * atomically. SWWAE_E_ARGUMENT for what safetensors_read would refuse: names and keys that repeat
 * or are not UTF-8, sizes over its limits. */
swwae_status safetensors_write(const char *path, const struct safetensor *tensors, size_t count,
                               const char *const (*metadata)[2], size_t metadata_count);

/* The same with a checksum: metadata "crc32", eight hexadecimal digits, is zlib's crc32 of the
 * whole file with "00000000" in its own place. previous: NULL, or where the file that path holds
 * is kept. */
swwae_status safetensors_write_checked(const char *path, const char *previous,
                                       const struct safetensor *tensors, size_t count,
                                       const char *const (*metadata)[2], size_t metadata_count);

#endif
