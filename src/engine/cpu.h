/* cpu.h - the engine's own state, shared by its training step (cpu.c) and its forward passes
 * (forward.c). */
#ifndef SWWAE_ENGINE_CPU_H
#define SWWAE_ENGINE_CPU_H

#include "base/parallel.h"
#include "engine/op.h"

/* A fixed part of a batch: what it adds up is kept apart. */
struct share {
    double *norm_sum; /* (plan.norm_sums) */
    struct term_sums terms;
};

/* What the profile keeps of an operation in a share: profile.c. */
struct op_clock {
    double seconds[2]; /* forward, back */
    double entries;    /* values a sparse pass worked on */
    double images;
};

/* The earliest value of a share that is not finite: fault.c. */
struct fault_spot {
    bool found;
    int move, image; /* of the step; of the batch */
    const struct op *op;
    int part;
};

struct engine {
    struct plan plan;
    struct kernels kernels;
    struct arena arena;
    int workers;
    struct pool *pool;           /* of as many threads */
    int workspaces;              /* one a worker, or one a share where the plan is whole */
    real *packed;                /* (plan.packed_size) */
    real *norm_values;           /* (plan.norm_values) */
    struct workspace *workspace; /* (workspaces) */
    real **spare;                /* (workers): two layers' weights each */
    struct share share[ENGINE_SHARES];
    int round;                /* shares that run before their gradient sums are added up */
    real *total;              /* (plan.sum_size): the sums of share 0, and of all in the end */
    real *sum[ENGINE_SHARES]; /* (round) of (plan.sum_size): of the other shares of a round */
    struct op_clock *clock;   /* (ENGINE_SHARES, plan.ops); NULL: no profile */
    struct fault_spot *spot;  /* (ENGINE_SHARES), while engine_find_fault runs; else NULL */
};

/* Whether anything gives a gradient to what an operation wrote; a term writes nothing. */
bool engine_has_gradient(const struct plan *plan, const struct op *op);

/* Whether an operation, on the way back, adds up its layer's gradient. */
static inline bool engine_sums(const struct op *op) {
    return op->kind->back && op->layer && op->layer->trained && op->kind != &op_norm &&
           op->kind != &op_norm_sums;
}

/* Runs an operation under the clock. */
void profile_run(struct op_clock *clock, const struct pass *pass, const struct op *op, bool back);

/* Looks at what an operation left; move: its number in the step. */
void fault_look(struct fault_spot *spot, const struct pass *pass, const struct op *op, bool back,
                int move);

/* "encoder.0.1", "stage 1", or "" for an operation of neither. profile.c. */
void engine_name_layer(char *text, size_t size, const struct plan *plan, const struct op *op);

/* The first image of a share of n. */
static inline int share_first(int share, int n) {
    return (int)((long long)share * n / ENGINE_SHARES);
}

/* Packs every layer. */
void engine_pack(struct engine *engine, const real *parameters);

/* Runs the operations of a range forward for the pass's group. */
void engine_range(const struct pass *pass, struct range range);

#endif
