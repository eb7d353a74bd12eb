/* layers.h - weights in, gradients out: between the flat parameters and a plan's packed arrays. */
#ifndef SWWAE_ENGINE_LAYERS_H
#define SWWAE_ENGINE_LAYERS_H

#include "engine/plan.h"

/* Packs layer j of the plan. group: of the kernels. spare: memory for plan->largest_weight values.
 * Forward-only plans get batch normalisation folded into weights and bias. */
void layers_pack(real *packed, const struct plan *plan, int j, const real *parameters, int group,
                 real *spare);

/* Writes the gradient of layer j's parameters, and of a tied decoder layer's into its partner's:
 * zeros for a layer without one, and then the running statistics themselves. What batch
 * normalisation leaves in the gradient stays. */
void layers_read(real *gradient, const struct plan *plan, int j, const real *parameters,
                 const real *sum, real *spare);

#endif
