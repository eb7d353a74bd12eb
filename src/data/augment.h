/* augment.h - images turned, scaled, sheared, shifted, mirrored, bent, recoloured and partly erased
 * at random. */
#ifndef SWWAE_DATA_AUGMENT_H
#define SWWAE_DATA_AUGMENT_H

#include <stdbool.h>

#include "base/parallel.h"
#include "base/rng.h"
#include "base/status.h"

/* What may happen to an image, as bits. Sizes at strength 1; every one is drawn uniformly, and the
 * strength multiplies them all. */
enum augment_kind {
    AUGMENT_AFFINE = 1,  /* turned by +-15 degrees, scaled by +-15 %, sheared by +-0.2, moved by
                            +-1/16 of the sides */
    AUGMENT_SHIFT = 2,   /* moved by whole pixels, at most 1/16 of the sides (2 of 32) */
    AUGMENT_MIRROR = 4,  /* left and right swapped, every second time */
    AUGMENT_ELASTIC = 8, /* each knot of a grid of AUGMENT_KNOTS x AUGMENT_KNOTS moved by +-1/16 of
                           the sides, what is between with them (after Simard, Steinkraus and Platt
                           2003, whose fields are smoothed noise) */
    AUGMENT_COLOUR = 16, /* contrast about the image's mean +-40 %, brightness +-0.2, saturation
                           about the mean of a pixel's channels +-40 %, every channel +-20 %; then
                           clamped to 0..1 */
    AUGMENT_ERASE = 32   /* a rectangle of 3/8 of the sides about a random pixel becomes the mean of
                           its channel (after DeVries and Taylor 2017, "cutout", who make it 0) */
};
#define AUGMENT_KINDS 6
/* The kinds that move pixels and leave their values. */
#define AUGMENT_MOVES (AUGMENT_AFFINE | AUGMENT_SHIFT | AUGMENT_MIRROR | AUGMENT_ELASTIC)
#define AUGMENT_KNOTS 5
extern const char *const augment_names[AUGMENT_KINDS]; /* "affine" ... */

struct augment {
    unsigned kinds; /* AUGMENT_... added up; 0: images stay as they are */
    double strength;
    bool mirrored; /* outside, an image is its mirror image about its outermost pixels; else 0 */
    int channels, height, width;
    uint64_t seed;
    enum rng_purpose purpose; /* RNG_AUGMENT */
    float
        *scratch; /* (workers, augment_scratch): a plane with a border, and two of displacements */
};

/* workers: threads of the pool that will work, at least 1. SWWAE_E_MEMORY. */
swwae_status augment_create(struct augment *augment, int channels, int height, int width,
                            int workers);
/* Accepts a zeroed struct. */
void augment_free(struct augment *augment);

/* Changes images[0 .. n-1], (n, channels, height, width), by draws number first, first + 1, ... of
 * the seed and purpose: a draw's result depends on nothing else. Values between pixels are
 * interpolated bilinearly. Pixels are 0 to 1. pool may be NULL. */
void augment_images(const struct augment *augment, float *images, size_t n, uint64_t first,
                    struct pool *pool);

#endif
