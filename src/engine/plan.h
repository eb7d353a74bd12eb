/* plan.h - everything about running a network that is known before the first step.
 *
 * A network and a loss become a list of operations on numbered tensors, in the order of the forward
 * pass: load, encoder, classifier, decoder, terms of the loss. The gradient runs the same list
 * backwards. Operations that no term reaches are not in the list. Between two joins (op.h) the
 * operations form a segment: a group of images goes through all of it before the next group starts,
 * so that its maps stay in cache. */
#ifndef SWWAE_ENGINE_PLAN_H
#define SWWAE_ENGINE_PLAN_H

#include "base/arena.h"
#include "engine/engine.h"
#include "kernels/kernels.h"
#include "kernels/pack.h"

/* One layer with parameters. Offsets are values into the packed arrays. */
struct layer {
    size_t weight, bias;          /* in the flat parameters */
    size_t scale, mean, variance; /* the same; normed only */
    int out, in, kernel;          /* kernel 0: fully connected */
    int lanes;                    /* of a convolution's input map */
    struct pack_side from, to;    /* of a fully connected layer */
    bool few;                     /* few output maps: planar output, conv_few */
    bool normed;                  /* batch normalisation follows; bias is added after it */
    bool pool_first;              /* normed, and the pool comes between */
    bool folded;                  /* normed, and its weights hold the normalisation */
    bool conv_pool, unpool_conv;  /* runs in one with its pool, or its unpooling */
    bool unpool_few;              /* few, and its gradients run in one with its unpooling's */
    bool sparse_sum;              /* its gradient sums are in the order of pack_sparse */
    bool bf16, bf16_back;         /* its dense pass forward, that to its input, multiply bf16 */
    bool bf16_outer;              /* the same for that to its weights */
    bool winograd;                /* its dense passes run by Winograd's filtering */
    bool trained;                 /* a term of the loss reaches it */
    bool tied;                    /* weight is its mirror image's, transposed */
    struct layer *partner;        /* whose weight a tied decoder layer shares, here that layer */
    size_t packed, packed_bias;   /* in the packed weights */
    size_t packed_back;           /* the same for the gradient to the input; trained only */
    size_t sum, bias_sum;         /* in a share's gradient sums; trained only */
    size_t sum_end;               /* where these end */
    size_t norm_sum;              /* normed and trained: in a share's norm sums */
    size_t norm_value;            /* normed and not folded: in the norm values */
};

/* What a normalisation keeps for each channel once a batch's sums are known. Norm values are
 * (NORM_VALUES, channels padded to lanes); norm sums (4, channels padded): of x, x^2, and on the
 * way back of d, d (x - mean). */
enum { NORM_MEAN, NORM_FACTOR, NORM_BIAS, NORM_TILT, NORM_SLOPE, NORM_VALUES };

/* An activation of one image, and its gradient. */
struct tensor {
    struct map map;    /* shape, ring and strides; no memory */
    bool relu;         /* passed a ReLU: its gradient is that before the ReLU, 0 where it is 0 */
    bool gradient;     /* wanted: something before it is trained */
    int gradient_ring; /* the ring of its gradient */
    int uses;          /* gradients that add up to its own */
};

/* A tensor that an operation reads and gives a gradient to. */
struct input {
    int tensor;       /* -1: none */
    bool first, last; /* of the tensor's gradients, in the order of the backward pass */
};

struct op;

#define OP_INPUTS 3

/* An operation of the list. What the fields mean is up to its kind: op.h. */
struct op {
    const struct op_kind *kind;
    struct input in[OP_INPUTS];
    int out[OP_INPUTS]; /* tensors it writes, -1: none */
    int source;         /* a tensor it reads and gives no gradient to; -1: none */
    struct layer *layer;
    int stage; /* whose pool or term */
    bool relu;
    double weight; /* of a term, times its constant factors; a share or deviation of noise */
};

/* The operations of a part of the net. */
struct range {
    int begin, end;
};

#define PLAN_LAYERS (NOTATION_STAGES * NOTATION_CONVS * 2 + NOTATION_FCS * 2)

/* The most images of a group. */
#define PLAN_GROUP 4

struct plan {
    const struct network *network;
    struct objective objective; /* all weights 0 for an engine without a loss */
    bool training;
    bool classifier; /* the fc layers run */
    int lowest;      /* lowest decoder stage that runs; stages: none */
    int slots;       /* images a workspace holds */
    int group;       /* images that go through a segment together */
    bool whole;      /* joins: a workspace holds a whole share of the batch */
    bool every_cell; /* unpooling fills every cell of a window, whatever the where */
    bool other;      /* another image's where unpools; forward only */
    bool sparse;     /* passes may use the switches' sparsity */
    bool bf16;       /* dense convolutions multiply bf16 */
    bool winograd;   /* dense 3x3 convolutions may run by Winograd's filtering */
    bool failed;     /* there was no memory for a part of it */

    struct tensor *tensor; /* malloc'ed, as op */
    int tensors;
    struct op *op;
    int ops;
    struct range encoder, classify, decoder, terms;
    int image, logits, rebuilt;                               /* tensors, -1: none */
    int what[NOTATION_STAGES];                                /* the same */
    int px[NOTATION_STAGES], py[NOTATION_STAGES];             /* soft pooling only, else -1 */
    int px_other[NOTATION_STAGES], py_other[NOTATION_STAGES]; /* another image's; plan.other only */

    struct layer encoder_layer[NOTATION_STAGES][NOTATION_CONVS];
    struct layer decoder_layer[NOTATION_STAGES][NOTATION_CONVS];
    struct layer fc[NOTATION_FCS], mirror[NOTATION_FCS];
    struct layer *layer[PLAN_LAYERS]; /* all of them */
    int layers;
    size_t packed_size, sum_size; /* values */
    size_t norm_sums, norm_values;
    size_t largest_weight; /* of any layer, values */
};

/* The memory of one worker, or of one share where the plan is whole. */
struct workspace {
    struct map *value, *gradient; /* (tensors) */
    real *scratch; /* one gradient more, of any tensor with several, or one map before
                      a pool */
    void *work;    /* what one call of a kernel keeps: lists of entries, patches */
    real *pairs;   /* the maps that a convolution in bf16 reads */
    uint8_t *where[NOTATION_STAGES];
    uint8_t *where_moved[NOTATION_STAGES]; /* what noise leaves of it */
    uint8_t *where_other[NOTATION_STAGES]; /* another image's; plan.other only */
    uint8_t *where_first;                  /* all zero, for every stage; UNPOOL_FIXED only */
};

/* SWWAE_E_MEMORY. plan_free accepts a zeroed plan. */
swwae_status plan_build(struct plan *plan, const struct network *network,
                        const struct engine_options *options, const struct kernels *kernels);
void plan_free(struct plan *plan);

/* Books one workspace; called once to measure and once to place. Its arrays of maps exist. */
void plan_book(struct workspace *workspace, struct arena *arena, const struct plan *plan);

/* Bytes of the switches of stage s for one image. */
size_t plan_switches(const struct plan *plan, int stage);

#endif
