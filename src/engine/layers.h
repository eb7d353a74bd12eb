/* layers.h - layers with their weights and gradients: between the flat parameters and a plan's
 * packed arrays. */
#ifndef SWWAE_ENGINE_LAYERS_H
#define SWWAE_ENGINE_LAYERS_H

#include "engine/plan.h"

/* Lanes of the maps that hold images: 1 for up to four channels. */
int layers_image_lanes(const struct network *network);

/* Lays out every layer of plan->network. encoder, decoder (stages), mirror: which parts a loss
 * reaches; few: the kernels' sparse_few. */
void layers_plan(struct plan *plan, const bool encoder[], const bool decoder[], bool mirror,
                 bool (*few)(int pool, int kernel));

/* Packs layer j of the plan. group: of the kernels. spare: memory for plan->largest_weight values.
 * Forward-only plans get batch normalisation folded into weights and bias, but where a pool comes
 * between: the where of a window that ReLU leaves nothing of would be another. */
void layers_pack(real *packed, const struct plan *plan, int j, const real *parameters, int group,
                 real *spare);

/* The norm values of a normalisation that is not folded, from the running statistics:
 * forward-only plans. */
void layers_norm(real *values, const struct plan *plan, int j, const real *parameters);

/* A channel's factor in batch normalisation. */
double layers_scale(const struct layer *l, const real *parameters, size_t channel);

/* Writes the gradient of layer j's parameters, and of a tied decoder layer's into its partner's:
 * zeros for a layer without one, and then the running statistics themselves. What batch
 * normalisation leaves in the gradient stays. */
void layers_read(real *gradient, const struct plan *plan, int j, const real *parameters,
                 const real *sum, int group, real *spare);

#endif
