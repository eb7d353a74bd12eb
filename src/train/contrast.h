/* contrast.h - contrast normalisation of natural images, as the paper has it for CIFAR: before the
 * network sees an image, its values are moved and scaled to mean 0 and standard deviation 1, over
 * all its pixels and channels together. The inverse brings a reconstruction back to the image's
 * values. */
#ifndef SWWAE_TRAIN_CONTRAST_H
#define SWWAE_TRAIN_CONTRAST_H

#include <stddef.h>

/* The standard deviation is taken to be no less: an even image stays even, and the rounding of
 * bytes (0.3 of 1/255) does not become a picture. */
#define CONTRAST_LEAST (1 / 255.f)

struct contrast {
    float mean, deviation;
};

struct contrast contrast_of(const float *image, size_t pixels);

/* to may be image. */
void contrast_apply(float *to, const float *image, struct contrast contrast, size_t pixels);
void contrast_undo(float *image, struct contrast contrast, size_t pixels);

#endif
