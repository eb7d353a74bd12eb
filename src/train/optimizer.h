/* optimizer.h - Adam and SGD over the flat parameters. */
#ifndef SWWAE_TRAIN_OPTIMIZER_H
#define SWWAE_TRAIN_OPTIMIZER_H

#include "base/parallel.h"
#include "model/network.h"
#include "train/options.h"

/* Adam (Kingma and Ba 2015): beta1 0.9, beta2 0.999, eps 1e-8, bias-corrected, weight decay
 * decoupled (Loshchilov and Hutter 2019), as torch.optim.AdamW; without decay torch.optim.Adam.
 * SGD: v = momentum v + g + decay p, p -= lr v, as torch.optim.SGD. Decay acts on weights only.
 * Tensors that --freeze names stay as they are, running statistics included.
 * Running statistics take no part in either: p += NORM_MOMENTUM (g - p), g being the batch's own,
 * and their m and v stay 0.
 *
 * Besides, a moving average of all parameters (Polyak and Juditsky 1992), running statistics
 * included: average += (1 - d) (p - average) after step t, d the smaller of the wanted share and
 * t / (t + 9), t from 0 on, so that the first steps do not weigh more than the later ones. */
struct optimizer {
    enum optimizer_kind kind;
    double momentum;     /* of SGD, 0 <= momentum < 1 */
    double weight_decay; /* >= 0 */
    size_t size;         /* values in each array */
    float *m;            /* (size) Adam's first moment, or SGD's velocity */
    float *v;            /* (size) Adam's second moment; NULL for SGD */
    float *average;      /* (size) the averaged parameters; NULL: none are kept */
    double keep;         /* share d that the average keeps in a step, once it is old enough */
    uint64_t step;       /* steps taken; a resumed run sets it together with m and v */
    struct optimizer_chunk *chunk;
    int chunks;
};

/* State zero. An average is kept where settings ask for one; the caller sets it to the initial
 * parameters. SWWAE_E_MEMORY. */
swwae_status optimizer_create(struct optimizer *optimizer, const struct network *network,
                              const struct settings *settings);
/* Accepts a zeroed struct. */
void optimizer_free(struct optimizer *optimizer);

/* The Euclidean norm of a gradient (size); running statistics take no part. Not finite when any of
 * its values is not, a running statistic included. The sum has one order, so the result does not
 * depend on the pool, which may be NULL. */
double optimizer_norm(struct optimizer *optimizer, const float *gradient, struct pool *pool);

/* gradient *= factor, running statistics aside. */
void optimizer_scale(const struct optimizer *optimizer, float *gradient, double factor);

/* The largest norm whose step optimizer_step can take: Adam squares each value in single
 * precision. */
double optimizer_largest_norm(const struct optimizer *optimizer);

/* One step at learning rate lr. Every value is worked out on its own, so the result does not
 * depend on the pool, which may be NULL. */
void optimizer_step(struct optimizer *optimizer, float *parameters, const float *gradient,
                    double lr, struct pool *pool);

/* Puts the averaged parameters, if an average is kept, in the place of the trained ones; the same
 * again puts them back. The averaged ones are validated, saved as the model, and teach. */
void optimizer_swap_average(struct optimizer *optimizer, float **parameters);

#endif
