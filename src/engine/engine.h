/* engine.h - runs a network: loss and gradient of a batch, and forward passes.
 *
 * The same seed and data give the same bits with any number of threads: a batch is cut into
 * ENGINE_SHARES shares whose gradients are kept apart and summed in a fixed order. Nothing is
 * allocated after engine_create. */
#ifndef SWWAE_ENGINE_ENGINE_H
#define SWWAE_ENGINE_ENGINE_H

#include "base/parallel.h"
#include "model/objective.h"

#define ENGINE_SHARES 8

struct engine;

/* What the passes of dense convolutions multiply: PRECISION_BF16 rounds their inputs, weights and
 * gradients to bf16, for Winograd's filtering after its transformations, and sums in fp32.
 * Everything else is fp32 in both. */
enum precision { PRECISION_FP32 = 0, PRECISION_BF16 };

/* The raw terms of a batch, not multiplied by their weights, and the weighted total. A term that
 * was not computed is NaN. */
struct losses {
    double total;
    double nll, rec;
    double m[NOTATION_STAGES];
    double l1;
    double pseudo, consistency;
    size_t labelled;   /* images that entered nll */
    size_t wrong;      /* of these, classified wrongly */
    size_t unlabelled; /* images that could have entered pseudo */
    size_t guessed;    /* of these, that did */
};

/* objective NULL: forward passes only (no gradient memory), by the given where. threads >= 1; more
 * than ENGINE_SHARES are not used. isa: which kernels. dense: do not use the sparsity of
 * switches; direct: no convolutions by Winograd's filtering. SWWAE_E_ARGUMENT for a precision that
 * the kernels lack. */
struct engine_options {
    const struct objective *objective; /* may be NULL; copied */
    int batch;                         /* the most images of a step; unused without objective */
    swwae_where where;                 /* of the decoder; unused with objective */
    int threads;
    int isa; /* enum cpu_isa */
    bool dense;
    bool direct;
    enum precision precision;
};

/* network must outlive the engine. */
swwae_status engine_create(struct engine **engine, const struct network *network,
                           const struct engine_options *options);
void engine_free(struct engine *engine);

/* Bytes that engine_create would allocate; SIZE_MAX when they do not fit into a size_t. Errors of
 * engine_create. */
swwae_status engine_memory_needed(size_t *bytes, const struct network *network,
                                  const struct engine_options *options);

/* The engine's threads, for other work between its calls; may be NULL: one thread. */
struct pool *engine_pool(struct engine *engine);

/* Bytes the engine holds. */
size_t engine_memory(const struct engine *engine);

/* What images without a label are to agree with: someone's guess of their class, learned as a label
 * is, and someone's probabilities, by the squared distance to the softmax. Both terms are means
 * over all images without a label, those without a guess counting 0. They stand beside the
 * objective because their weights change from step to step; they need its classification term. */
struct agreement {
    const int32_t *guesses; /* (n), -1 for none; NULL where pseudo is 0 */
    const real *targets;    /* (n, classes); NULL where consistency is 0 */
    double pseudo;          /* weight of the guesses, at least 0 */
    double consistency;     /* weight of the probabilities, at least 0 */
};

/* One batch. images (n, channels, height, width); labels (n), -1 for none, below network->classes
 * otherwise; may be NULL when no term and no decoder looks at them. 1 <= n <= options.batch. What
 * dropout and noise draw is a function of seed and step. */
struct batch {
    const real *images;
    const int32_t *labels;
    int n;
    uint64_t seed, step;
    struct agreement agreement;
};

/* Loss and gradient of one batch. A term that is 0 is left out. gradient receives (parameters)
 * values: zeros for parameters no term reaches, and for running statistics the batch's own mean and
 * (unbiased) variance. */
swwae_status engine_step(struct engine *engine, struct losses *losses, real *gradient,
                         const real *parameters, const struct batch *batch);

/* What a forward pass should leave. Pointers may be NULL. */
struct forward {
    const int *as_class;  /* a decoder that starts from the classes starts from this one; NULL:
                             from what the classifier says */
    real *logits;         /* (n, classes) */
    real *reconstruction; /* (n, channels, height, width) */
    int stage;            /* whose codes the next take */
    real *what;           /* (n, maps, pooled height, pooled width) */
    uint8_t *switches;    /* the same shape; max pooling only */
    real *positions;      /* (n, maps, pooled height, pooled width, 2): x, y in -1 .. 1; soft
                             pooling only */
};
swwae_status engine_forward(struct engine *engine, const struct forward *forward,
                            const real *parameters, const real *images, int n);

#endif
