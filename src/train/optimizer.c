/* optimizer.c - Adam and SGD; see optimizer.h.
 *
 * The flat array is cut into chunks that lie inside one tensor, so that a loop knows whether its
 * values decay, or follow the batches, and has no branch inside. */
#include "train/optimizer.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 16384 /* values: 64 KiB of each of four arrays, about a core's second-level cache */

#define BETA1 0.9
#define BETA2 0.999
#define EPSILON 1e-8

struct optimizer_chunk {
    size_t begin, count;
    enum role role;
    bool frozen;
    double squares; /* optimizer_norm's part */
};

/* What one step is made of, for the jobs. */
struct step {
    const struct optimizer *optimizer;
    float *parameters;
    const float *gradient;
    double lr, correction1, correction2; /* 1 - beta^step */
    float approach;                      /* of the average: 1 - d */
};

static bool frozen(const struct view *view, enum frozen which) {
    return which == FROZEN_ENCODER && strncmp(view->name, "encoder.", 8) == 0;
}

swwae_status optimizer_create(struct optimizer *optimizer, const struct network *network,
                              const struct settings *settings) {
    swwae_status status = SWWAE_OK;
    struct optimizer made = {.kind = settings->optimizer,
                             .momentum = settings->momentum,
                             .weight_decay = settings->weight_decay,
                             .keep = settings->average,
                             .size = network->parameters};
    size_t chunks = 0;
    for (size_t i = 0; i < network->view_count; i++)
        chunks += (network->view[i].size + CHUNK - 1) / CHUNK;
    CHECK(chunks <= INT_MAX, SWWAE_E_MEMORY, "no memory for the optimizer's %zu values", made.size);
    made.m = calloc(made.size, sizeof *made.m);
    if (made.kind == OPTIMIZER_ADAM) made.v = calloc(made.size, sizeof *made.v);
    if (made.keep > 0) made.average = calloc(made.size, sizeof *made.average);
    made.chunk = calloc(chunks + 1, sizeof *made.chunk);
    CHECK(made.m && made.chunk && (made.v || made.kind != OPTIMIZER_ADAM) &&
              (made.average || !(made.keep > 0)),
          SWWAE_E_MEMORY, "no memory for the optimizer's %zu values", made.size);
    for (size_t i = 0; i < network->view_count; i++) {
        const struct view *view = &network->view[i];
        for (size_t at = 0; at < view->size; at += CHUNK) {
            size_t left = view->size - at;
            made.chunk[made.chunks++] =
                (struct optimizer_chunk){.begin = view->offset + at,
                                         .count = left < CHUNK ? left : CHUNK,
                                         .role = view->role,
                                         .frozen = frozen(view, settings->freeze)};
        }
    }
    *optimizer = made;
    return SWWAE_OK;
fail:
    optimizer_free(&made);
    return status;
}

void optimizer_free(struct optimizer *optimizer) {
    free(optimizer->m);
    free(optimizer->v);
    free(optimizer->average);
    free(optimizer->chunk);
    *optimizer = (struct optimizer){0};
}

/* base^n by squaring: the same bits everywhere and after a resume, unlike libm's pow. */
static double power(double base, uint64_t n) {
    double result = 1;
    for (; n; n >>= 1) {
        if (n & 1) result *= base;
        base *= base;
    }
    return result;
}

/* The order of roundings is PyTorch's: correct the square root, then add eps. */
static void adam(float *restrict p, float *restrict m, float *restrict v, const float *restrict g,
                 size_t count, float keep, float size, float root) {
    const float beta1 = (float)BETA1, rest1 = (float)(1 - BETA1);
    const float beta2 = (float)BETA2, rest2 = (float)(1 - BETA2), epsilon = (float)EPSILON;
    for (size_t i = 0; i < count; i++) {
        m[i] = m[i] * beta1 + g[i] * rest1;
        v[i] = v[i] * beta2 + g[i] * g[i] * rest2;
        p[i] = p[i] * keep - size * (m[i] / (sqrtf(v[i]) / root + epsilon));
    }
}

static void sgd(float *restrict p, float *restrict m, const float *restrict g, size_t count,
                float lr, float momentum, float decay) {
    for (size_t i = 0; i < count; i++) {
        m[i] = m[i] * momentum + (g[i] + p[i] * decay);
        p[i] -= lr * m[i];
    }
}

/* p moves to g by a share of the way. */
static void follow(float *restrict p, const float *restrict g, size_t count, float share) {
    for (size_t i = 0; i < count; i++) p[i] += share * (g[i] - p[i]);
}

/* ---- the gradient's norm ---- */

#define SUMS 16 /* sums side by side, which compilers turn into vectors; added in a fixed order */

static double squares(const float *values, size_t count) {
    double sum[SUMS] = {0}, total = 0;
    size_t i = 0;
    for (; i + SUMS <= count; i += SUMS)
        for (int k = 0; k < SUMS; k++) sum[k] += (double)values[i + k] * (double)values[i + k];
    for (; i < count; i++) sum[i % SUMS] += (double)values[i] * (double)values[i];
    for (int k = 0; k < SUMS; k++) total += sum[k];
    return total;
}

/* The squares of floats do not overflow a double: not finite only where a value is not. */
struct norm {
    struct optimizer *optimizer;
    const float *gradient;
};

static void norm_job(void *context, int j, int worker) {
    (void)worker;
    const struct norm *norm = context;
    struct optimizer_chunk *chunk = &norm->optimizer->chunk[j];
    chunk->squares = squares(norm->gradient + chunk->begin, chunk->count);
}

double optimizer_norm(struct optimizer *optimizer, const float *gradient, struct pool *pool) {
    struct norm norm = {.optimizer = optimizer, .gradient = gradient};
    double total = 0;
    pool_run(pool, optimizer->chunks, norm_job, &norm);
    for (int j = 0; j < optimizer->chunks; j++) {
        const struct optimizer_chunk *chunk = &optimizer->chunk[j];
        const bool counts = chunk->role != ROLE_RUNNING && !chunk->frozen;
        if (counts || !isfinite(chunk->squares)) total += chunk->squares;
    }
    return sqrt(total);
}

void optimizer_scale(const struct optimizer *optimizer, float *gradient, double factor) {
    for (int j = 0; j < optimizer->chunks; j++) {
        const struct optimizer_chunk *chunk = &optimizer->chunk[j];
        if (chunk->role == ROLE_RUNNING) continue;
        float *g = gradient + chunk->begin;
        for (size_t i = 0; i < chunk->count; i++) g[i] = (float)((double)g[i] * factor);
    }
}

double optimizer_largest_norm(const struct optimizer *optimizer) {
    return optimizer->kind == OPTIMIZER_ADAM ? 1e19 : INFINITY;
}

/* ---- steps ---- */

static void job(void *context, int j, int worker) {
    (void)worker;
    const struct step *step = context;
    const struct optimizer *o = step->optimizer;
    const struct optimizer_chunk *chunk = &o->chunk[j];
    size_t at = chunk->begin;
    /* the average began with the same values; statistics go on following the images, because it is
     * by those of the batch that training normalises */
    if (chunk->frozen && chunk->role != ROLE_RUNNING) return;
    double decay = chunk->role == ROLE_WEIGHT ? o->weight_decay : 0;
    if (chunk->role == ROLE_RUNNING) /* g holds the statistics of the batch */
        follow(step->parameters + at, step->gradient + at, chunk->count, (float)NORM_MOMENTUM);
    else if (o->kind == OPTIMIZER_ADAM)
        adam(step->parameters + at, o->m + at, o->v + at, step->gradient + at, chunk->count,
             (float)(1 - step->lr * decay), (float)(step->lr / step->correction1),
             (float)sqrt(step->correction2));
    else
        sgd(step->parameters + at, o->m + at, step->gradient + at, chunk->count, (float)step->lr,
            (float)o->momentum, (float)decay);
    if (o->average) follow(o->average + at, step->parameters + at, chunk->count, step->approach);
}

void optimizer_step(struct optimizer *optimizer, float *parameters, const float *gradient,
                    double lr, struct pool *pool) {
    const double age = (double)optimizer->step++, young = age / (age + 9);
    struct step step = {.optimizer = optimizer,
                        .gradient = gradient,
                        .lr = lr,
                        .correction1 = 1 - power(BETA1, optimizer->step),
                        .correction2 = 1 - power(BETA2, optimizer->step),
                        .approach =
                            (float)(1 - (young < optimizer->keep ? young : optimizer->keep))};
    step.parameters = parameters;
    pool_run(pool, optimizer->chunks, job, &step);
}

void optimizer_swap_average(struct optimizer *optimizer, float **parameters) {
    float *average = optimizer->average;
    if (!average) return;
    optimizer->average = *parameters;
    *parameters = average;
}
