/* linear.h - reading something out of codes by a linear map: ridge regression. */
#ifndef SWWAE_STUDY_LINEAR_H
#define SWWAE_STUDY_LINEAR_H

#include "base/status.h"

/* A linear map of features to targets; linear_free accepts a zeroed struct. */
struct linear {
    int features, targets;
    double *weights; /* (features, targets) */
    double *offset;  /* (targets) */
};

/* Least squares over n rows of x (n, features) and y (n, targets), with `ridge` (above 0) times n
 * times the squared weights added, where every feature is first brought to mean 0 and deviation 1.
 * A feature that never changes gets no weight. SWWAE_E_MEMORY, SWWAE_E_NUMERIC. */
swwae_status linear_fit(struct linear *linear, const float *x, const float *y, size_t n,
                        int features, int targets, double ridge);
void linear_free(struct linear *linear);

/* out (targets) for one row x (features). */
void linear_apply(double *out, const struct linear *linear, const float *x);

#endif
