/* idx.h - the IDX files of MNIST and its relatives, plain or gzipped (docs/formats.md). */
#ifndef SWWAE_DATA_IDX_H
#define SWWAE_DATA_IDX_H

#include "base/status.h"

/* A gzipped file may become this many times its own size, and this many bytes in any case. MNIST's
 * files become 5 times as large; a file made to fill memory, 1000 times. */
#define IDX_GZIP_RATIO 100
#define IDX_GZIP_FREE ((size_t)16 << 20)

/* An unsigned-byte tensor of 1 to 4 dimensions. */
struct idx {
    uint8_t *data; /* product of size[0..rank-1] bytes; idx_free releases it */
    int rank;
    size_t size[4]; /* each at least 1; 1 past the rank */
};

/* Reads path (gzip is recognised by content; several gzip members in a row count as one). Cut
 * files, trailing bytes, damaged gzip, other element types, a rank out of 1..4, a size of zero or
 * more than 4 GiB of data, gzip that would become much larger than it is (above) are each
 * SWWAE_E_FORMAT with one sentence that names the file; a file that cannot be read is SWWAE_E_IO.
 * Memory grows with the bytes really read, not with what the header claims, and never beyond what
 * the header claims. */
swwae_status idx_read(struct idx *idx, const char *path);

/* Accepts NULL and a zeroed struct. */
void idx_free(struct idx *idx);

#endif
