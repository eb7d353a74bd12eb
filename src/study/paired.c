/* paired.c - differences over the same draws; see paired.h. */
#include "study/paired.h"

#include <math.h>

/* Tabulated below 10 degrees of freedom, from there on the expansion in
 * 1/freedom (Abramowitz and Stegun 26.7.5). */
double paired_t(int freedom) {
    static const double few[] = {0,      12.7062, 4.3027, 3.1824, 2.7764,
                                 2.5706, 2.4469,  2.3646, 2.3060, 2.2622};
    const double z = 1.959964, n = freedom;
    if (freedom < 10) return freedom < 1 ? NAN : few[freedom];
    const double g1 = (pow(z, 3) + z) / 4, g2 = (5 * pow(z, 5) + 16 * pow(z, 3) + 3 * z) / 96;
    const double g3 = (3 * pow(z, 7) + 19 * pow(z, 5) + 17 * pow(z, 3) - 15 * z) / 384;
    return z + g1 / n + g2 / (n * n) + g3 / (n * n * n);
}

struct paired paired_difference(const double *a, const double *b, int count) {
    struct paired paired = {.mean = 0, .half = NAN};
    double squares = 0;
    for (int i = 0; i < count; i++)
        if (isfinite(a[i]) && isfinite(b[i])) {
            paired.mean += a[i] - b[i];
            paired.pairs++;
        }
    paired.mean = paired.pairs ? paired.mean / paired.pairs : NAN;
    if (paired.pairs < 2) return paired;
    for (int i = 0; i < count; i++)
        if (isfinite(a[i]) && isfinite(b[i])) squares += pow(a[i] - b[i] - paired.mean, 2);
    const double std = sqrt(squares / (paired.pairs - 1));
    paired.half = paired_t(paired.pairs - 1) * std / sqrt(paired.pairs);
    return paired;
}
