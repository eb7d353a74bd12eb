/* npy.h - NumPy's .npy files: reading images. */
#ifndef SWWAE_DATA_NPY_H
#define SWWAE_DATA_NPY_H

#include "base/status.h"

struct npy {
    float *data;    /* values as float; uint8 is divided by 255 */
    int rank;       /* 1..4 */
    size_t size[4]; /* each at least 1; 1 past the rank */
};

/* Reads a C-order array of little-endian '<f4', '<f8' or '|u1' elements, format versions 1 to 3,
 * rank 1..4, no more than 4 GiB of data. Anything else, a file shorter or longer than its header
 * says, or an empty array is SWWAE_E_FORMAT with one sentence that names the file. Values are not
 * judged: they may be of any size, infinite or NaN. */
swwae_status npy_read(struct npy *npy, const char *path);

/* Accepts NULL and a zeroed struct. */
void npy_free(struct npy *npy);

#endif
