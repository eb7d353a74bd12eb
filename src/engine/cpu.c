/* cpu.c - the engine on processor cores: shares of a batch, depth-first groups of images, private
 * gradient sums added in a fixed order. */
#include "base/parallel.h"
#include "engine/pass.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct share {
    real *sum; /* (plan.sum_size) */
    struct term_sums terms;
};

struct engine {
    struct plan plan;
    struct kernels kernels;
    struct arena arena;
    int workers;
    real *packed;                /* (plan.packed_size) */
    struct workspace *workspace; /* (workers) */
    struct share share[ENGINE_SHARES];
};

static void book(struct engine *e) {
    e->packed = arena_take(&e->arena, e->plan.packed_size, sizeof(real));
    if (e->plan.training)
        for (int k = 0; k < ENGINE_SHARES; k++)
            e->share[k].sum = arena_take(&e->arena, e->plan.sum_size, sizeof(real));
    for (int k = 0; k < e->workers; k++) plan_book(&e->workspace[k], &e->arena, &e->plan);
}

/* Everything but the memory. */
static swwae_status engine_plan(struct engine *e, const struct network *network,
                                const struct engine_options *options) {
    swwae_status status = SWWAE_OK;
    plan_build(&e->plan, network, options);
    e->workers = options->threads < 1               ? 1
                 : options->threads > ENGINE_SHARES ? ENGINE_SHARES
                                                    : options->threads;
    e->workspace = calloc((size_t)e->workers, sizeof *e->workspace);
    CHECK(e->workspace, SWWAE_E_MEMORY, "cannot allocate an engine");
fail:
    return status;
}

swwae_status engine_create(struct engine **engine, const struct network *network,
                           const struct engine_options *options) {
    swwae_status status = SWWAE_OK;
    struct engine *e = calloc(1, sizeof *e);
    CHECK(e, SWWAE_E_MEMORY, "cannot allocate an engine");
    if (options->objective) TRY(objective_check(options->objective, network));
    CHECK(kernels_get(&e->kernels, (enum cpu_isa)options->isa), SWWAE_E_ARGUMENT,
          "this machine or build has no %s kernels", cpu_isa_name((enum cpu_isa)options->isa));
    TRY(engine_plan(e, network, options));
    book(e);
    TRY(arena_allocate(&e->arena));
    book(e);
    *engine = e;
    return SWWAE_OK;
fail:
    engine_free(e);
    return status;
}

void engine_free(struct engine *engine) {
    if (!engine) return;
    arena_free(&engine->arena);
    free(engine->workspace);
    free(engine);
}

size_t engine_memory_needed(const struct network *network, const struct engine_options *options) {
    size_t bytes = 0;
    struct engine *e = calloc(1, sizeof *e);
    if (e && engine_plan(e, network, options) == SWWAE_OK) {
        book(e);
        if (!e->arena.overflowed) bytes = sizeof *e + e->arena.used;
    }
    engine_free(e);
    return bytes;
}

size_t engine_memory(const struct engine *engine) { return sizeof *engine + engine->arena.size; }

/* ---- weights in, gradients out: one job a layer ---- */

struct layers_job {
    struct engine *e;
    const real *parameters;
    real *gradient;
    bool back; /* the gradient to the inputs will be needed */
};

static void pack_layer(void *context, int j, int worker) {
    (void)worker;
    const struct layers_job *job = context;
    const struct layer *l = job->e->plan.layer[j];
    real *packed = job->e->packed;
    const real *weight = job->parameters + l->weight;
    const int group = job->e->kernels.group;
    const size_t padded = (size_t)pack_blocks(l->out) * LANES;
    memset(packed + l->packed_bias, 0, padded * sizeof *packed);
    memcpy(packed + l->packed_bias, job->parameters + l->bias, (size_t)l->out * sizeof *packed);
    if (!l->kernel)
        pack_linear(packed + l->packed, weight, l->out, l->in, l->pixels);
    else if (l->few)
        pack_conv_few(packed + l->packed, weight, l->out, l->in, l->kernel);
    else
        pack_conv(packed + l->packed, weight, l->out, l->in, l->kernel, l->lanes, group, false);
    if (job->back && l->packed_back)
        pack_conv(packed + l->packed_back, weight, l->out, l->in, l->kernel, l->few ? 1 : LANES,
                  group, true);
}

static void unpack_layer(void *context, int j, int worker) {
    (void)worker;
    const struct layers_job *job = context;
    const struct layer *l = job->e->plan.layer[j];
    const real *sum = job->e->share[0].sum;
    const size_t weights =
        (size_t)l->out * (size_t)l->in * (size_t)(l->kernel ? l->kernel * l->kernel : 1);
    real *weight = job->gradient + l->weight, *bias = job->gradient + l->bias;
    if (!l->trained) {
        memset(weight, 0, weights * sizeof *weight);
        memset(bias, 0, (size_t)l->out * sizeof *bias);
        return;
    }
    memcpy(bias, sum + l->bias_sum, (size_t)l->out * sizeof *bias);
    if (l->kernel)
        pack_outer_read(weight, sum + l->sum, l->out, l->in, l->kernel, l->few);
    else
        pack_linear_read(weight, sum + l->sum, l->out, l->in, l->pixels);
}

/* ---- one step ---- */

struct step_job {
    struct engine *e;
    const real *images;
    const int32_t *labels;
    int n;
    size_t labelled;
};

static int share_first(int share, int n) { return (int)((long long)share * n / ENGINE_SHARES); }

static void step_share(void *context, int j, int worker) {
    const struct step_job *job = context;
    struct engine *e = job->e;
    const struct network *network = e->plan.network;
    const size_t pixels =
        (size_t)network->channels * (size_t)network->height * (size_t)network->width;
    struct share *share = &e->share[j];
    memset(share->sum, 0, e->plan.sum_size * sizeof *share->sum);
    share->terms = (struct term_sums){0};
    struct pass pass = {
        .plan = &e->plan, .kernels = &e->kernels, .w = &e->workspace[worker], .packed = e->packed};
    const int end = share_first(j + 1, job->n);
    for (int i = share_first(j, job->n); i < end; i += pass.images) {
        pass.images = end - i < e->plan.group ? end - i : e->plan.group;
        const struct target target = {.labels = job->labels ? job->labels + i : NULL,
                                      .batch = (size_t)job->n,
                                      .labelled = job->labelled,
                                      .sum = share->sum};
        pass_load(&pass, job->images + (size_t)i * pixels);
        pass_encode(&pass);
        if (e->plan.classifier) pass_classify(&pass);
        pass_decode(&pass, pass_where(&pass), e->plan.decoder_bottom);
        pass_back(&pass, &target, &share->terms);
    }
}

#define SUM_JOBS 16

/* share 0 += shares 1.., one piece of the array a job */
static void add_shares(void *context, int j, int worker) {
    (void)worker;
    struct engine *e = context;
    const size_t size = e->plan.sum_size;
    const size_t first = size * (size_t)j / SUM_JOBS, end = size * (size_t)(j + 1) / SUM_JOBS;
    for (int k = 1; k < ENGINE_SHARES; k++) {
        real *restrict to = e->share[0].sum;
        const real *restrict from = e->share[k].sum;
        for (size_t i = first; i < end; i++) to[i] += from[i];
    }
}

static void losses_total(struct losses *losses, const struct engine *e,
                         const struct step_job *job) {
    const struct objective *objective = &e->plan.objective;
    const int stages = e->plan.network->stages;
    struct term_sums sums = {0};
    for (int k = 0; k < ENGINE_SHARES; k++) {
        const struct term_sums *t = &e->share[k].terms;
        sums.nll += t->nll;
        sums.rec += t->rec;
        sums.wrong += t->wrong;
        for (int s = 0; s < stages; s++) sums.m[s] += t->m[s];
    }
    *losses = (struct losses){.total = 0, .nll = NAN, .rec = NAN, .wrong = sums.wrong};
    if (objective->nll > 0) {
        losses->labelled = job->labelled;
        if (job->labelled) {
            losses->nll = sums.nll / (double)job->labelled;
            losses->total += objective->nll * losses->nll;
        }
    }
    if (objective->rec > 0) {
        losses->rec = sums.rec / job->n;
        losses->total += objective->rec * losses->rec;
    }
    for (int s = 0; s < NOTATION_STAGES; s++) {
        losses->m[s] = NAN;
        if (s + 1 >= stages || !(objective->m[s] > 0)) continue;
        losses->m[s] = sums.m[s] / job->n;
        losses->total += objective->m[s] * losses->m[s];
    }
}

swwae_status engine_step(struct engine *e, struct losses *losses, real *gradient,
                         const real *parameters, const struct batch *batch) {
    swwae_status status = SWWAE_OK;
    const int32_t *labels = batch->labels;
    const int n = batch->n;
    struct step_job step = {.e = e, .images = batch->images, .labels = labels, .n = n};
    CHECK(e->plan.training, SWWAE_E_INTERNAL, "a forward-only engine was asked for a step");
    CHECK(n >= 1, SWWAE_E_ARGUMENT, "a batch of %d images found, expected at least 1", n);
    if (labels && e->plan.classifier)
        for (int i = 0; i < n; i++) {
            CHECK(labels[i] < e->plan.network->classes, SWWAE_E_DATA,
                  "label %d found, but the architecture has %d classes", (int)labels[i],
                  e->plan.network->classes);
            step.labelled += labels[i] >= 0;
        }
    struct layers_job layers = {
        .e = e, .parameters = parameters, .gradient = gradient, .back = true};
    parallel_run(e->workers, e->plan.layers, pack_layer, &layers);
    parallel_run(e->workers, ENGINE_SHARES, step_share, &step);
    parallel_run(e->workers, SUM_JOBS, add_shares, e);
    parallel_run(e->workers, e->plan.layers, unpack_layer, &layers);
    losses_total(losses, e, &step);
fail:
    return status;
}

/* ---- forward only ---- */

struct forward_job {
    struct engine *e;
    const struct forward *forward;
    const real *images;
    int n;
};

/* Copies a planar or blocked map to (images, channels, height, width). */
static void unload(real *to, const struct map *from, int images) {
    for (int n = 0; n < images; n++)
        for (int c = 0; c < from->channels; c++)
            for (int i = 0; i < from->height; i++) {
                const real *row = map_at(from, n, c, i, 0);
                for (int j = 0; j < from->width; j++) *to++ = row[j * from->lanes];
            }
}

/* Copies switches, stored as kernels want them, to (images, channels, height, width). */
static void unload_switches(uint8_t *to, const uint8_t *from, const struct map *what, int images) {
    const size_t windows = (size_t)what->height * (size_t)what->width;
    for (int n = 0; n < images; n++) {
        for (int c = 0; c < what->channels; c++)
            for (size_t w = 0; w < windows; w++)
                *to++ = from[((size_t)(c / LANES) * windows + w) * LANES + (size_t)(c % LANES)];
        from += (size_t)map_blocks(what) * windows * LANES;
    }
}

/* The switches of the images after i.. (wrapping), into where_other. */
static void encode_others(struct pass *pass, const struct forward_job *job, int i, size_t pixels) {
    const int images = pass->images, stages = pass->plan->network->stages;
    struct pass one = *pass;
    one.images = 1;
    for (int k = 0; k < images; k++) {
        pass_load(&one, job->images + (size_t)((i + k + 1) % job->n) * pixels);
        pass_encode(&one);
        for (int s = 0; s < stages; s++) {
            const size_t size = plan_switches(pass->plan, s);
            memcpy(pass->w->where_other[s] + (size_t)k * size, pass->w->where[s], size);
        }
    }
}

static void forward_share(void *context, int j, int worker) {
    const struct forward_job *job = context;
    struct engine *e = job->e;
    const struct forward *forward = job->forward;
    const struct network *network = e->plan.network;
    const size_t pixels =
        (size_t)network->channels * (size_t)network->height * (size_t)network->width;
    struct workspace *w = &e->workspace[worker];
    struct pass pass = {.plan = &e->plan, .kernels = &e->kernels, .w = w, .packed = e->packed};
    const int end = share_first(j + 1, job->n);
    for (int i = share_first(j, job->n); i < end; i += pass.images) {
        pass.images = end - i < e->plan.group ? end - i : e->plan.group;
        const bool other = forward->reconstruction && forward->where == SWWAE_WHERE_OTHER &&
                           e->plan.network->variant.unpooling == UNPOOL_SWITCHES;
        if (other) encode_others(&pass, job, i, pixels);
        pass_load(&pass, job->images + (size_t)i * pixels);
        pass_encode(&pass);
        if (forward->logits && network->fcs) {
            pass_classify(&pass);
            const int width = pack_blocks(network->classes) * LANES;
            for (int n = 0; n < pass.images; n++)
                memcpy(forward->logits + (size_t)(i + n) * (size_t)network->classes,
                       w->fc[network->fcs - 1] + (size_t)n * (size_t)width,
                       (size_t)network->classes * sizeof(real));
        }
        const struct map *code = &w->what[forward->stage];
        const size_t size = (size_t)code->channels * (size_t)code->height * (size_t)code->width;
        if (forward->what) unload(forward->what + (size_t)i * size, code, pass.images);
        if (forward->switches)
            unload_switches(forward->switches + (size_t)i * size, w->where[forward->stage], code,
                            pass.images);
        if (!forward->reconstruction) continue;
        uint8_t *const *where = pass_where(&pass);
        if (other) where = w->where_other;
        if (forward->where == SWWAE_WHERE_NONE) where = NULL;
        pass_decode(&pass, where, 0);
        unload(forward->reconstruction + (size_t)i * pixels, &w->decoded[0][0], pass.images);
    }
}

swwae_status engine_forward(struct engine *e, const struct forward *forward, const real *parameters,
                            const real *images, int n) {
    swwae_status status = SWWAE_OK;
    CHECK(!e->plan.training, SWWAE_E_INTERNAL, "a training engine was asked for a forward pass");
    CHECK(n >= 1, SWWAE_E_ARGUMENT, "%d images found, expected at least 1", n);
    struct layers_job layers = {.e = e, .parameters = parameters};
    struct forward_job job = {.e = e, .forward = forward, .images = images, .n = n};
    parallel_run(e->workers, e->plan.layers, pack_layer, &layers);
    parallel_run(e->workers, ENGINE_SHARES, forward_share, &job);
fail:
    return status;
}
