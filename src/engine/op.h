/* op.h - the operations of a plan, and what they see when they run.
 *
 * Each kind lives in one file, forward and back together. Tensors hold their gradients before a
 * ReLU: whoever adds the last part of one closes the gate (gradient_end). */
#ifndef SWWAE_ENGINE_OP_H
#define SWWAE_ENGINE_OP_H

#include "engine/plan.h"

/* Sums of raw terms over images, before the division by the batch. */
struct term_sums {
    double nll, rec, m[NOTATION_STAGES], l1, pseudo, consistency;
    size_t wrong, guessed;
};

/* What an operation sees: a group of images of a batch, in a worker's memory. */
struct pass {
    const struct plan *plan;
    const struct kernels *kernels;
    struct workspace *w;
    const real *packed;      /* weights, as the plan lays them out */
    const real *norm_values; /* as the plan lays them out */
    int first, images;       /* the group's place in the workspace, and its size */

    const real *input;          /* its images */
    const int32_t *labels;      /* its labels, -1: none; may be NULL */
    int index;                  /* its first image's number in the batch */
    uint64_t seed, step;        /* of what is drawn at random */
    size_t batch;               /* images of the whole batch */
    size_t labelled;            /* labelled images of the whole batch */
    struct agreement agreement; /* of its images without a label */
    real *sum;                  /* the share's gradient sums, as the plan lays them out */
    double *norm_sum;           /* and of its normalisations */
    struct term_sums *terms;

    const int *as_class; /* forward only: see struct forward */
};

/* What is worked out once every share has run an operation. */
struct join {
    const struct plan *plan;
    double *const *norm_sum; /* (ENGINE_SHARES) */
    real *norm_values;
    const real *parameters;
    real *gradient;
    int n; /* images of the batch */
};

struct op_kind {
    const char *name;
    void (*forward)(const struct pass *pass, const struct op *op);
    void (*back)(const struct pass *pass, const struct op *op);
    /* NULL, or what ends a segment after forward, or after back. */
    void (*join)(const struct join *join, const struct op *op);
    void (*join_back)(const struct join *join, const struct op *op);
};

/* op_conv.c: in[0] -> out[0], with bias and ReLU unless the layer is normed. */
extern const struct op_kind op_conv;
/* op_norm.c: sums of in[0], which give its mean and variance; then source = that tensor -> out[0]
 * of both, normalised, scaled, with bias and ReLU. */
extern const struct op_kind op_norm_sums, op_norm;
/* op_pool.c: in[0] -> out[0] = what, and the stage's where; with soft pooling out[1], out[2] = its
 * coordinates. */
extern const struct op_kind op_pool, op_soft_pool;
/* op_pool.c: in[0] -> out[0] by the stage's where; soft: in[1], in[2] are its coordinates. */
extern const struct op_kind op_unpool, op_soft_unpool;
/* op_sparse.c: op_conv and op_pool in one: in[0] -> out[0] = what, and the stage's where; op_unpool
 * and op_conv in one: in[0] -> out[0] by the stage's where; few: of few maps, and out[1] is between
 * the two. */
extern const struct op_kind op_conv_pool, op_unpool_conv, op_unpool_few;
/* op_linear.c: in[0] -> out[0], fully connected. op_classes: in[0] = logits -> out[0] = one-hot
 * label, or the softmax where there is none. op_sigmoid: in[0] -> out[0]. */
extern const struct op_kind op_linear, op_classes, op_sigmoid;
/* op_random.c: the batch's images -> out[0]; source -> out[0] with normal noise; dropout of in[0];
 * the stage's where, or in[0], in[1] -> out[0], out[1], with a share of it moved. */
extern const struct op_kind op_load, op_noise, op_dropout, op_move, op_soft_move;
/* op_terms.c: in[0] = logits; in[0] and in[1] are compared (in[1] or source); in[0] is made
 * sparse. */
extern const struct op_kind op_nll, op_distance, op_l1;

/* The group's images of a tensor. */
static inline struct map pass_at(const struct pass *pass, struct map map) {
    map.data += pass->first * map.image;
    return map;
}
static inline struct map pass_value(const struct pass *pass, int tensor) {
    return pass_at(pass, pass->w->value[tensor]);
}
static inline struct map pass_gradient(const struct pass *pass, int tensor) {
    return pass_at(pass, pass->w->gradient[tensor]);
}
static inline uint8_t *pass_where(const struct pass *pass, uint8_t *where, int stage) {
    return where + (size_t)pass->first * plan_switches(pass->plan, stage);
}

/* The convolution of an operation's layer, forward. What it reads may be pairs of bf16, which the
 * next call overwrites. */
struct conv op_conv_forward(const struct pass *pass, const struct op *op);

/* The where an operation unpools by: the encoder's, what noise left of it, or another image's.
 * Not for unpooling that fills every cell. */
uint8_t *op_where(const struct pass *pass, const struct op *op);

/* Writing an input's gradient: into begin's map, then end. gate is what the writer may close
 * itself, on its way: *gate is then not NULL, and *gated says it did. */
struct gradient {
    struct map map;  /* to write; every value of it */
    struct map open; /* the tensor, if the gate is to be closed by the writer */
    bool gated;      /* whether it is */
};
bool gradient_wanted(const struct pass *pass, const struct input *input);
struct gradient gradient_begin(const struct pass *pass, const struct input *input);
/* gated: the writer closed the gate. */
void gradient_end(const struct pass *pass, const struct input *input, bool gated);

#endif
