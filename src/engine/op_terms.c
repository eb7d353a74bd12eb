/* op_terms.c - the terms of the loss and their gradients; docs/math.md. They run on the way back
 * only, where each term is added up along with its gradient. */
#include "engine/op.h"

#include <math.h>
#include <string.h>

static void nothing(const struct pass *p, const struct op *op) {
    (void)p;
    (void)op;
}

/* The class of an image's largest logit, and the sum of exp(z - z[best]), which never overflows. */
static int largest(double *total, const real *z, int classes) {
    int best = 0;
    for (int k = 1; k < classes; k++)
        if (z[k] > z[best]) best = k;
    *total = 0;
    for (int k = 0; k < classes; k++) *total += exp((double)z[k] - (double)z[best]);
    return best;
}

/* Softmax cross-entropy to a class, which is returned; its slopes go to d. */
static double cross_entropy(real *d, const real *z, int class, int classes, double scale) {
    double total;
    const int best = largest(&total, z, classes);
    for (int k = 0; k < classes; k++)
        d[k] = (real)(scale * (exp((double)z[k] - (double)z[best]) / total - (k == class)));
    return log(total) + (double)z[best] - (double)z[class];
}

/* |softmax(z) - t|^2, which is returned; its slopes, 2 p (p - t - <p, p - t>), are added to d. */
static double square(real *d, const real *z, const real *t, int classes, double scale) {
    double total, squared = 0, mean = 0;
    const int best = largest(&total, z, classes);
    for (int k = 0; k < classes; k++) {
        const double p = exp((double)z[k] - (double)z[best]) / total, off = p - (double)t[k];
        squared += off * off;
        mean += p * off;
    }
    for (int k = 0; k < classes; k++) {
        const double p = exp((double)z[k] - (double)z[best]) / total, off = p - (double)t[k];
        d[k] += (real)(scale * 2 * p * (off - mean));
    }
    return squared;
}

/* The terms of the logits and their gradient: zero rows where an image has neither a label nor
 * something to agree with. */
static void nll_back(const struct pass *p, const struct op *op) {
    const int classes = p->plan->network->classes;
    const struct map logits = pass_value(p, op->in[0].tensor);
    const struct gradient dz = gradient_begin(p, &op->in[0]);
    const struct agreement *a = &p->agreement;
    const double unlabelled = (double)(p->batch - p->labelled);
    for (int n = 0; n < p->images; n++) {
        const real *z = logits.data + n * logits.image;
        real *d = dz.map.data + n * dz.map.image;
        memset(d, 0, (size_t)dz.map.image * sizeof *d);
        const int label = p->labels ? p->labels[n] : -1;
        if (label >= 0) {
            double total;
            p->terms->wrong += largest(&total, z, classes) != label;
            p->terms->nll += cross_entropy(d, z, label, classes, op->weight / (double)p->labelled);
            continue;
        }
        if (a->pseudo > 0 && a->guesses[n] >= 0) {
            p->terms->pseudo += cross_entropy(d, z, a->guesses[n], classes, a->pseudo / unlabelled);
            p->terms->guessed++;
        }
        if (a->consistency > 0)
            p->terms->consistency += square(d, z, a->targets + (size_t)n * (size_t)classes, classes,
                                            a->consistency / unlabelled);
    }
    gradient_end(p, &op->in[0], false);
}

const struct op_kind op_nll = {.name = "nll", .forward = nothing, .back = nll_back};

/* ---- distances ---- */

/* The raw term of one image from the sum of its squared differences. */
static double term_of(enum reduction reduction, double squared, size_t elements) {
    switch (reduction) {
    case REDUCTION_SUM: return squared;
    case REDUCTION_NORM: return sqrt(squared);
    default: return squared / (double)elements;
    }
}

/* The factor of (a - b) in the derivative of that term with respect to a. */
static double term_slope(enum reduction reduction, double squared, size_t elements) {
    switch (reduction) {
    case REDUCTION_SUM: return 2;
    case REDUCTION_NORM: return squared > 0 ? 1 / sqrt(squared) : 0; /* 0 at the kink */
    default: return 2 / (double)elements;
    }
}

static size_t elements_of(const struct map *map) {
    return (size_t)map->channels * (size_t)map->height * (size_t)map->width;
}

/* Of decoder (in[0]) and encoder (in[1], or the image as source). */
static void distance_back(const struct pass *p, const struct op *op) {
    const enum reduction reduction = p->plan->objective.reduction;
    const int other = op->source >= 0 ? op->source : op->in[1].tensor;
    const struct map a = pass_value(p, op->in[0].tensor), b = pass_value(p, other);
    struct gradient da = gradient_begin(p, &op->in[0]);
    const size_t elements = elements_of(&a);
    double *term = op->source >= 0 ? &p->terms->rec : &p->terms->m[op->stage];
    double slope[PLAN_GROUP];
    for (int n = 0; n < p->images; n++) {
        const double squared = p->kernels->squared_distance(&a, &b, n);
        *term += term_of(reduction, squared, elements);
        slope[n] = op->weight * term_slope(reduction, squared, elements) / (double)p->batch;
        p->kernels->difference(&da.map, &a, &b, (real)slope[n], n);
    }
    gradient_end(p, &op->in[0], false);
    if (op->source >= 0) return;
    struct gradient db = gradient_begin(p, &op->in[1]);
    for (int n = 0; n < p->images; n++) p->kernels->difference(&db.map, &a, &b, (real)-slope[n], n);
    gradient_end(p, &op->in[1], false);
}

const struct op_kind op_distance = {.name = "distance", .forward = nothing, .back = distance_back};

/* ---- sparsity ---- */

/* |what| = what, since it passed a ReLU. */
static void l1_back(const struct pass *p, const struct op *op) {
    const struct map x = pass_value(p, op->in[0].tensor);
    const struct gradient dx = gradient_begin(p, &op->in[0]);
    const bool mean = p->plan->objective.reduction == REDUCTION_MEAN;
    const double share = mean ? 1 / (double)elements_of(&x) : 1;
    const real slope = (real)(op->weight * share / (double)p->batch);
    double sum = 0;
    for (int n = 0; n < p->images; n++)
        for (int b = 0; b < map_blocks(&x); b++)
            for (int i = 0; i < x.height; i++) {
                const real *row = map_at(&x, n, b * x.lanes, i, 0);
                real *to = map_at(&dx.map, n, b * x.lanes, i, 0);
                for (int k = 0; k < x.width * x.lanes; k++) {
                    sum += (double)row[k];
                    to[k] = row[k] > 0 ? slope : 0;
                }
            }
    p->terms->l1 += sum * share;
    gradient_end(p, &op->in[0], false);
}

const struct op_kind op_l1 = {.name = "l1", .forward = nothing, .back = l1_back};
