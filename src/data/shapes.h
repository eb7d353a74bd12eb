/* shapes.h - "shapes": synthetic images whose truth is known.
 *
 * Sprites of known identity drawn with anti-aliasing at a sub-pixel position and scale, so that
 * what a network keeps of identity and of position can be measured exactly. Generated from a
 * seed; image i depends on (seed, split, i) only, and is the same on every machine. */
#ifndef SWWAE_DATA_SHAPES_H
#define SWWAE_DATA_SHAPES_H

#include "data/dataset.h"

struct shapes_truth {
    float x, y;  /* centre (and centroid) in pixels from the image's top-left corner, before
                    padding: the centre of the first pixel is (0.5, 0.5) */
    float scale; /* radius in pixels, 4..8: no part of the sprite is further away along x or y */
    float brightness; /* 0.5..1 */
    int32_t shape;    /* class */
};

#define SHAPES_CLASSES 10 /* disc, ring, square, ...: names in shapes.c */
#define SHAPES_SIDE 32

/* What swwae_dataset_open("shapes") generates. */
#define SHAPES_SEED 20150608u /* the day of arXiv 1506.02351 */
#define SHAPES_TRAIN_COUNT 10000
#define SHAPES_TEST_COUNT 2000

/* count images (at least 1) of SHAPES_SIDE x SHAPES_SIDE, one channel; fills labels and truth.
 * Every ten images in a row, from the first, hold each class once in a shuffled order: classes
 * come in equal numbers up to a remainder, and fewer images are a prefix of more. */
swwae_status shapes_generate(struct swwae_dataset **dataset, uint64_t seed, swwae_split split,
                             size_t count);

#endif
