/* profile.h - where the time of a training step goes, operation by operation. */
#ifndef SWWAE_ENGINE_PROFILE_H
#define SWWAE_ENGINE_PROFILE_H

#include "engine/engine.h"

/* One operation in one direction, over the steps since engine_profile. */
struct engine_pass {
    char layer[48];     /* "encoder.0.0", "stage 1", "" */
    const char *kernel; /* "conv-pool" */
    const char *reason; /* why it runs so and not otherwise; "" where there is no choice */
    bool back;
    double seconds;     /* summed over threads */
    double flops;       /* done: a multiply-add is 2 */
    double flops_dense; /* what dense passes would have done */
};

/* Starts counting from zero, with a clock around every operation. SWWAE_E_MEMORY. */
swwae_status engine_profile(struct engine *engine);

/* How many passes a step has, and the i-th of them, in the order they run. */
int engine_passes(const struct engine *engine);
struct engine_pass engine_pass_at(const struct engine *engine, int i);

#endif
