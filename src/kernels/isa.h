/* isa.h - what the kernels of one instruction set share.
 *
 * Files that include this are compiled once per set with SWWAE_ISA defined as plain, avx2 or
 * avx512, and with the machine flags that go with it. */
#ifndef SWWAE_KERNELS_ISA_H
#define SWWAE_KERNELS_ISA_H

#include "kernels/isa_name.h"
#include "kernels/kernels.h"
#include "kernels/pack.h"
#include "kernels/vec.h"

/* Each kernel file writes its own entries into the table. */
void ISA(conv_install)(struct kernels *table);
void ISA(conv_few_install)(struct kernels *table);
void ISA(conv_outer_install)(struct kernels *table);
void ISA(conv_pool_install)(struct kernels *table);
void ISA(conv_scatter_install)(struct kernels *table);
void ISA(conv_winograd_install)(struct kernels *table);
void ISA(winograd_outer_install)(struct kernels *table);
void ISA(sparse_outer_install)(struct kernels *table);
void ISA(sparse_few_install)(struct kernels *table);
void ISA(pool_install)(struct kernels *table);
void ISA(linear_install)(struct kernels *table);
void ISA(elementwise_install)(struct kernels *table);
void ISA(soft_pool_install)(struct kernels *table);
void ISA(norm_install)(struct kernels *table);
void ISA(spin_install)(struct kernels *table);

/* The planar forms of sparse_outer, sparse_dot and sparse_outer_dot: sum or what is NULL where not
 * wanted. */
void ISA(sparse_few_run)(real *sum, struct map *what, const struct sparse *s,
                         const struct map *dense, const real *weight, int kernel, int images);

/* kernels->pool. */
void ISA(pool_run)(struct map *what, uint8_t *where, const struct map *x, int pool, int images);

/* Accumulators a tile may hold, in v16, leaving registers for operands: 28 of 32 with AVX-512, 12
 * of 16 half-width ones with AVX2, 12 of 16 quarter-width ones elsewhere. */
#if VEC == 16
#define TILE_PIXELS 14
#define TILE_VECTORS 2
#define TILE_SCALARS 8 /* of an outer product */
#elif VEC == 8
#define TILE_PIXELS 6
#define TILE_VECTORS 1
#define TILE_SCALARS 5
#else
#define TILE_PIXELS 3
#define TILE_VECTORS 1
#define TILE_SCALARS 2
#endif

/* Keeps the compiler from holding loaded values for later steps of an unrolled loop: where sums
 * fill the registers, it would put others on the stack. */
INLINE void load_again(void) { __asm__ volatile("" ::: "memory"); }

/* Length of the next of the equal pieces, at most `most` each, that `left` is cut into: 32 pixels
 * in tiles of at most 14 are 11, 11 and 10, not 14, 14 and 4. */
INLINE int tile_length(int left, int most) {
    const int pieces = (left + most - 1) / most;
    return (left + pieces - 1) / pieces;
}

#endif
