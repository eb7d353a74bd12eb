/* contrast.c - contrast normalisation; see contrast.h. */
#include "train/contrast.h"

#include <math.h>

struct contrast contrast_of(const float *image, size_t pixels) {
    double sum = 0, squares = 0;
    for (size_t i = 0; i < pixels; i++) sum += (double)image[i];
    const double mean = sum / (double)pixels;
    for (size_t i = 0; i < pixels; i++) {
        const double off = (double)image[i] - mean;
        squares += off * off;
    }
    const float deviation = (float)sqrt(squares / (double)pixels);
    return (struct contrast){(float)mean, fmaxf(deviation, CONTRAST_LEAST)};
}

void contrast_apply(float *to, const float *image, struct contrast contrast, size_t pixels) {
    const float scale = 1 / contrast.deviation;
    for (size_t i = 0; i < pixels; i++) to[i] = (image[i] - contrast.mean) * scale;
}

void contrast_undo(float *image, struct contrast contrast, size_t pixels) {
    for (size_t i = 0; i < pixels; i++) image[i] = image[i] * contrast.deviation + contrast.mean;
}
