/* scatter_band.h - the part of a sparse map that scatter works on at a time. */
#ifndef SWWAE_KERNELS_SCATTER_BAND_H
#define SWWAE_KERNELS_SCATTER_BAND_H

#include "kernels/sparse_list.h"

#define PARTS (LANES / VEC)

struct band {
    const struct scatter *s;
    int image, images, row, rows; /* windows */
    ptrdiff_t width, slot;        /* values of a row of sums, of an image's sums */
    float *sums;
    float *carry;  /* per block the last kernel - 1 rows, to which the next band adds */
    float *weight; /* room for copies */
    void *lists;   /* as scatter_wide.h and scatter_narrow.h say */
};

#endif
