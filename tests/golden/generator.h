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

/* Value i of the flat array is (float)(scale * (2 hashed(i) - 1)), worked out in double, with scale
 * = sqrt(6 / fan_in) for a weight and 0.1 sqrt(6 / fan_in) for the bias beside it;
 * `generate_parameters` in tests/golden/reference_model.py. */
static inline void generate_parameters(float *parameters, const struct network *network) {
    double scale = 0;
    for (size_t v = 0; v < network->view_count; v++) {
        const struct view *view = &network->view[v];
        scale = view->fan_in ? sqrt(6.0 / view->fan_in) : 0.1 * scale;
        for (size_t i = view->offset; i < view->offset + view->size; i++)
            parameters[i] = (float)(scale * (2 * hashed(i, 0) - 1));
    }
}

#endif
