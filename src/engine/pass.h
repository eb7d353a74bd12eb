/* pass.h - a group of images through the network, forward and back. */
#ifndef SWWAE_ENGINE_PASS_H
#define SWWAE_ENGINE_PASS_H

#include "engine/plan.h"

/* What one worker needs for one group. */
struct pass {
    const struct plan *plan;
    const struct kernels *kernels;
    struct workspace *w;
    const real *packed; /* weights, as the plan lays them out */
    int images;         /* of this group, at most plan->group */
};

/* What a batch asks of the backward pass. */
struct target {
    const int32_t *labels; /* (images of the group), -1: none; may be NULL */
    size_t batch;          /* images of the whole batch */
    size_t labelled;       /* labelled images of the whole batch */
    real *sum;             /* the share's gradient sums, as the plan lays them out */
};

/* Sums of raw terms over images, before the division by the batch. */
struct term_sums {
    double nll, rec, m[NOTATION_STAGES];
    size_t wrong;
};

/* Copies images (images, channels, height, width) into the input map. */
void pass_load(const struct pass *pass, const real *images);
/* Convolutions, ReLU, pools: leaves what and where of every stage. */
void pass_encode(const struct pass *pass);
/* The fc layers on the top what; logits are left in w->fc[last]. */
void pass_classify(const struct pass *pass);
/* Where the plan's decoder unpools, stage by stage: the group's switches, the first cells, or NULL
 * for every cell. */
uint8_t *const *pass_where(const struct pass *pass);
/* The decoder from the top what down to stage `bottom`, with the switches `where`, or copied to
 * every cell when where is NULL. */
void pass_decode(const struct pass *pass, uint8_t *const *where, int bottom);

/* Adds the group's terms to sums and its gradients to target->sum, after the forward passes. */
void pass_back(const struct pass *pass, const struct target *target, struct term_sums *sums);

#endif
