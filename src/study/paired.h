/* paired.h - how far two rows of a table are apart, measured on the same draws. */
#ifndef SWWAE_STUDY_PAIRED_H
#define SWWAE_STUDY_PAIRED_H

/* The mean of a - b over the pairs where both are finite, and the half-width of its 95 % confidence
 * interval by Student's t, which takes the differences of the draws as normal. Draws differ much
 * more from each other than methods do on one draw: pairs take the former out. */
struct paired {
    double mean, half; /* NaN: mean of no pair, half of fewer than two */
    int pairs;
};
struct paired paired_difference(const double *a, const double *b, int count);

/* The 97.5 % point of Student's t with `freedom` >= 1 degrees of freedom; within 1e-3. */
double paired_t(int freedom);

#endif
