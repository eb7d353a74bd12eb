/* generator.h - parameters and images that C and Python make alike, so that no file has to hold
 * them; the same functions stand in reference_model.py. */
#ifndef SWWAE_TESTS_GOLDEN_GENERATOR_H
#define SWWAE_TESTS_GOLDEN_GENERATOR_H

#include <math.h>
#include <stdint.h>

#include "model/network.h"

/* u[i] in [0, 1), i < count: a multiplicative hash of i + offset, all modulo 2^32, with the
 * constants and the avalanche of xxHash32; `hashed` in tests/golden/reference_model.py. */
static inline double hashed(size_t i, uint32_t offset) {
    uint32_t h = ((uint32_t)i + offset) * 2654435761u;
    h = (h ^ (h >> 15)) * 2246822519u;
    h = (h ^ (h >> 13)) * 3266489917u;
    return (h ^ (h >> 16)) / 4294967296.0;
}

/* With u = hashed(i, 0) for value i of the flat array, worked out in double and rounded:
 * r (2 u - 1) with r = sqrt(6 / fan_in) for a weight and 0.1 sqrt(6 / fan_in), of the last weight
 * before it, for a bias; 1 + 0.2 (2 u - 1) for a scale; running means are 0 and variances 1.
 * `generate_parameters` in tests/golden/reference_model.py. */
static inline void generate_parameters(float *parameters, const struct network *network) {
    double bound = 0;
    for (size_t v = 0; v < network->view_count; v++) {
        const struct view *view = &network->view[v];
        if (view->role == ROLE_WEIGHT) bound = sqrt(6.0 / view->fan_in);
        for (size_t i = view->offset; i < view->offset + view->size; i++) {
            const double u = 2 * hashed(i, 0) - 1;
            parameters[i] = (float)(view->role == ROLE_WEIGHT  ? bound * u
                                    : view->role == ROLE_BIAS  ? 0.1 * bound * u
                                    : view->role == ROLE_SCALE ? 1 + 0.2 * u
                                                               : (double)view->start);
        }
    }
}

/* Running statistics for a forward pass: means 0.1 (2 u - 1), variances 0.5 + u. */
static inline void generate_statistics(float *parameters, const struct network *network) {
    for (size_t v = 0; v < network->view_count; v++) {
        const struct view *view = &network->view[v];
        if (view->role != ROLE_RUNNING) continue;
        for (size_t i = view->offset; i < view->offset + view->size; i++) {
            const double u = hashed(i, 0);
            parameters[i] = (float)(view->start > 0 ? 0.5 + u : 0.1 * (2 * u - 1));
        }
    }
}

#endif
