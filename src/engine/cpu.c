/* cpu.c - the engine on processor cores: memory, and the training step. A batch is cut into shares
 * whose sums are kept apart and added in a fixed order; within a share, groups of images go
 * depth-first through each segment of the plan. */
#include "engine/cpu.h"

#include "engine/layers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* With more bytes than this in the gradient sums of all shares, only so many shares run at once as
 * there are threads. */
#define SUMS_BYTES (64u << 20)

static void book(struct engine *e) {
    e->packed = arena_take(&e->arena, e->plan.packed_size, sizeof(real));
    e->norm_values = arena_take(&e->arena, e->plan.norm_values, sizeof(real));
    if (e->plan.training) {
        e->total = arena_take(&e->arena, e->plan.sum_size, sizeof(real));
        for (int k = e->round == ENGINE_SHARES; k < e->round; k++)
            e->sum[k] = arena_take(&e->arena, e->plan.sum_size, sizeof(real));
        for (int k = 0; k < ENGINE_SHARES; k++)
            e->share[k].norm_sum = arena_take(&e->arena, e->plan.norm_sums, sizeof(double));
    }
    for (int k = 0; k < e->workers; k++)
        e->spare[k] = arena_take(&e->arena, 2 * e->plan.largest_weight, sizeof(real));
    for (int k = 0; k < e->workspaces; k++) plan_book(&e->workspace[k], &e->arena, &e->plan);
}

/* Everything but the memory of the arena. */
static swwae_status engine_plan(struct engine *e, const struct network *network,
                                const struct engine_options *options) {
    swwae_status status = SWWAE_OK;
    CHECK(kernels_get(&e->kernels, (enum cpu_isa)options->isa), SWWAE_E_ARGUMENT,
          "this machine or build has no %s kernels", cpu_isa_name((enum cpu_isa)options->isa));
    CHECK(options->precision == PRECISION_FP32 || e->kernels.conv_bf16, SWWAE_E_ARGUMENT,
          "precision bf16 was asked for, but %s",
          options->isa == CPU_AVX512 ? "this machine has no avx512_bf16 instructions"
                                     : "only the avx512 kernels have it and others are in use");
    TRY(plan_build(&e->plan, network, options, &e->kernels));
    e->workers = options->threads < 1               ? 1
                 : options->threads > ENGINE_SHARES ? ENGINE_SHARES
                                                    : options->threads;
    e->round =
        e->plan.sum_size * sizeof(real) * ENGINE_SHARES > SUMS_BYTES ? e->workers : ENGINE_SHARES;
    const int workspaces = e->plan.whole ? ENGINE_SHARES : e->workers;
    e->workspace = calloc((size_t)workspaces, sizeof *e->workspace);
    e->spare = calloc((size_t)e->workers, sizeof *e->spare);
    CHECK(e->workspace && e->spare, SWWAE_E_MEMORY, "cannot allocate an engine");
    e->workspaces = workspaces;
    for (int k = 0; k < workspaces; k++) {
        struct workspace *w = &e->workspace[k];
        w->value = calloc((size_t)e->plan.tensors, sizeof *w->value);
        w->gradient = calloc((size_t)e->plan.tensors, sizeof *w->gradient);
        CHECK(w->value && w->gradient, SWWAE_E_MEMORY, "cannot allocate an engine");
    }
fail:
    return status;
}

swwae_status engine_create(struct engine **engine, const struct network *network,
                           const struct engine_options *options) {
    swwae_status status = SWWAE_OK;
    struct engine *e = calloc(1, sizeof *e);
    CHECK(e, SWWAE_E_MEMORY, "cannot allocate an engine");
    if (options->objective) TRY(objective_check(options->objective, network));
    TRY(engine_plan(e, network, options));
    book(e);
    TRY(arena_allocate(&e->arena));
    book(e);
    e->pool = pool_create(e->workers);
    *engine = e;
    return SWWAE_OK;
fail:
    engine_free(e);
    return status;
}

void engine_free(struct engine *e) {
    if (!e) return;
    pool_free(e->pool);
    arena_free(&e->arena);
    for (int k = 0; k < e->workspaces; k++) {
        free(e->workspace[k].value);
        free(e->workspace[k].gradient);
    }
    free(e->workspace);
    free(e->spare);
    free(e->clock);
    plan_free(&e->plan);
    free(e);
}

/* Bytes outside the arena: the engine, its list of operations, its tables of maps. */
static size_t tables(const struct engine *e) {
    const size_t tensors = (size_t)e->plan.tensors;
    return sizeof *e + tensors * sizeof *e->plan.tensor + (size_t)e->plan.ops * sizeof *e->plan.op +
           (size_t)e->workspaces * (sizeof *e->workspace + 2 * tensors * sizeof(struct map));
}

swwae_status engine_memory_needed(size_t *bytes, const struct network *network,
                                  const struct engine_options *options) {
    swwae_status status = SWWAE_OK;
    struct engine *e = calloc(1, sizeof *e);
    CHECK(e, SWWAE_E_MEMORY, "cannot allocate an engine");
    TRY(engine_plan(e, network, options));
    book(e);
    *bytes = e->arena.overflowed ? SIZE_MAX : tables(e) + e->arena.used;
fail:
    engine_free(e);
    return status;
}

struct pool *engine_pool(struct engine *engine) {
    return engine->pool;
}

size_t engine_memory(const struct engine *engine) { return tables(engine) + engine->arena.size; }

/* ---- weights in, gradients out: one job a layer ---- */

struct layers_job {
    struct engine *e;
    const real *parameters;
    real *gradient;
};

static void pack_layer(void *context, int j, int worker) {
    const struct layers_job *job = context;
    struct engine *e = job->e;
    layers_pack(e->packed, &e->plan, j, job->parameters, e->kernels.group, e->spare[worker]);
    layers_norm(e->norm_values, &e->plan, j, job->parameters);
}

void engine_pack(struct engine *e, const real *parameters) {
    struct layers_job job = {.e = e, .parameters = parameters};
    pool_run(e->pool, e->plan.layers, pack_layer, &job);
}

static void read_layer(void *context, int j, int worker) {
    const struct layers_job *job = context;
    struct engine *e = job->e;
    layers_read(job->gradient, &e->plan, j, job->parameters, e->total, e->kernels.group,
                e->spare[worker]);
}

/* ---- one step ---- */

void engine_range(const struct pass *pass, struct range range) {
    for (int i = range.begin; i < range.end; i++) {
        const struct op *op = &pass->plan->op[i];
        op->kind->forward(pass, op);
    }
}

/* The moves of a step, numbered: every operation forward, then every one back, the last first. */
static const struct op *move_of(const struct plan *plan, int move, bool *back) {
    *back = move >= plan->ops;
    return &plan->op[*back ? 2 * plan->ops - 1 - move : move];
}

struct step_job {
    struct engine *e;
    const struct batch *batch;
    size_t labelled;
    int begin, end; /* moves of the segment */
    int first;      /* share of the round */
};

bool engine_has_gradient(const struct plan *plan, const struct op *op) {
    return op->out[0] < 0 || plan->tensor[op->out[0]].uses > 0;
}

static void step_group(const struct pass *pass, const struct step_job *job, int share) {
    const struct plan *plan = pass->plan;
    struct op_clock *clock = job->e->clock ? job->e->clock + share * plan->ops : NULL;
    for (int move = job->begin; move < job->end; move++) {
        bool back;
        const struct op *op = move_of(plan, move, &back);
        if (back && (!op->kind->back || !engine_has_gradient(plan, op))) continue;
        if (clock)
            profile_run(&clock[op - plan->op], pass, op, back);
        else
            (back ? op->kind->back : op->kind->forward)(pass, op);
        if (job->e->spot) fault_look(&job->e->spot[share], pass, op, back, move);
    }
}

/* The part of image i and those after it. */
static struct agreement agreement_from(const struct agreement *agreement, int i, int classes) {
    struct agreement from = *agreement;
    if (from.guesses) from.guesses += i;
    if (from.targets) from.targets += (size_t)i * (size_t)classes;
    return from;
}

/* Where a share adds up gradients. */
static real *sum_of(const struct engine *e, int share) {
    return share ? e->sum[share % e->round] : e->total;
}

/* The layer whose gradient a move of the segment sums up, NULL if none. */
static const struct layer *summed_by(const struct step_job *job, int move) {
    bool back;
    const struct op *op = move_of(&job->e->plan, move, &back);
    return back && engine_sums(op) ? op->layer : NULL;
}

static void clear_sums(const struct step_job *job, int share) {
    const struct engine *e = job->e;
    real *sum = sum_of(e, share);
    for (int move = job->begin; move < job->end; move++) {
        const struct layer *l = summed_by(job, move);
        if (l) memset(sum + l->sum, 0, (l->sum_end - l->sum) * sizeof *sum);
    }
}

static void step_share(void *context, int j, int worker) {
    const struct step_job *job = context;
    struct engine *e = job->e;
    j += job->first;
    const struct batch *batch = job->batch;
    const struct network *n = e->plan.network;
    const size_t pixels = (size_t)n->channels * (size_t)n->height * (size_t)n->width;
    struct share *share = &e->share[j];
    if (!job->begin) {
        if (!j) memset(e->total, 0, e->plan.sum_size * sizeof *e->total);
        memset(share->norm_sum, 0, e->plan.norm_sums * sizeof *share->norm_sum);
        share->terms = (struct term_sums){0};
    }
    if (j) clear_sums(job, j);
    struct pass pass = {.plan = &e->plan,
                        .kernels = &e->kernels,
                        .w = &e->workspace[e->plan.whole ? j : worker],
                        .packed = e->packed,
                        .norm_values = e->norm_values,
                        .seed = batch->seed,
                        .step = batch->step,
                        .batch = (size_t)batch->n,
                        .labelled = job->labelled,
                        .sum = sum_of(e, j),
                        .norm_sum = share->norm_sum,
                        .terms = &share->terms};
    const int begin = share_first(j, batch->n), end = share_first(j + 1, batch->n);
    for (int i = begin; i < end; i += pass.images) {
        pass.images = end - i < e->plan.group ? end - i : e->plan.group;
        pass.first = e->plan.whole ? i - begin : 0;
        pass.index = i;
        pass.input = batch->images + (size_t)i * pixels;
        pass.labels = batch->labels ? batch->labels + i : NULL;
        pass.agreement = agreement_from(&batch->agreement, i, n->classes);
        step_group(&pass, job, j);
    }
}

#define SUM_JOBS 16

/* total += the sums of the round's other shares, in their order: one piece of every layer a job. */
static void add_round(void *context, int j, int worker) {
    (void)worker;
    const struct step_job *job = context;
    const struct engine *e = job->e;
    for (int move = job->begin; move < job->end; move++) {
        const struct layer *l = summed_by(job, move);
        if (!l) continue;
        const size_t size = l->sum_end - l->sum;
        const size_t first = l->sum + size * (size_t)j / SUM_JOBS;
        const size_t end = l->sum + size * (size_t)(j + 1) / SUM_JOBS;
        for (int k = job->first; k < job->first + e->round && k < ENGINE_SHARES; k++) {
            real *restrict to = e->total;
            const real *restrict from = sum_of(e, k);
            for (size_t i = first; k && i < end; i++) to[i] += from[i];
        }
    }
}

/* The segment on every share, some at a time. */
static void run_segment(struct step_job *job) {
    struct engine *e = job->e;
    for (job->first = 0; job->first < ENGINE_SHARES; job->first += e->round) {
        const int left = ENGINE_SHARES - job->first;
        pool_run(e->pool, left < e->round ? left : e->round, step_share, job);
        if (job->end > e->plan.ops) pool_run(e->pool, SUM_JOBS, add_round, job);
    }
}

/* What ends the segment after a move: NULL, or what is then worked out for the whole batch. */
static void (*join_of(const struct op *op, bool back))(const struct join *, const struct op *) {
    return back ? op->kind->join_back : op->kind->join;
}

/* Segment by segment through every move. */
static void run_moves(struct step_job *job, const real *parameters, real *gradient) {
    struct engine *e = job->e;
    double *norm_sum[ENGINE_SHARES];
    for (int k = 0; k < ENGINE_SHARES; k++) norm_sum[k] = e->share[k].norm_sum;
    const struct join join = {.plan = &e->plan,
                              .norm_sum = norm_sum,
                              .norm_values = e->norm_values,
                              .parameters = parameters,
                              .gradient = gradient,
                              .n = job->batch->n};
    for (int begin = 0; begin < 2 * e->plan.ops; begin = job->end) {
        const struct op *op;
        bool back;
        job->begin = job->end = begin;
        do {
            op = move_of(&e->plan, job->end++, &back);
        } while (!join_of(op, back) && job->end < 2 * e->plan.ops);
        run_segment(job);
        if (join_of(op, back)) join_of(op, back)(&join, op);
    }
}

/* A term's mean, added to the total by its weight; NaN where it is off. */
static double term(struct losses *losses, double weight, double sum, double count) {
    if (!(weight > 0) || !(count > 0)) return NAN;
    losses->total += weight * (sum / count);
    return sum / count;
}

static void losses_total(struct losses *losses, const struct engine *e,
                         const struct step_job *job) {
    const struct objective *o = &e->plan.objective;
    const double n = job->batch->n;
    struct term_sums sums = {0};
    for (int k = 0; k < ENGINE_SHARES; k++) {
        const struct term_sums *t = &e->share[k].terms;
        sums.nll += t->nll;
        sums.rec += t->rec;
        sums.l1 += t->l1;
        sums.pseudo += t->pseudo;
        sums.consistency += t->consistency;
        sums.wrong += t->wrong;
        sums.guessed += t->guessed;
        for (int s = 0; s < NOTATION_STAGES; s++) sums.m[s] += t->m[s];
    }
    const struct agreement *agreement = &job->batch->agreement;
    const size_t unlabelled = (size_t)job->batch->n - job->labelled;
    *losses = (struct losses){.wrong = sums.wrong, .guessed = sums.guessed};
    if (agreement->pseudo > 0) losses->unlabelled = unlabelled;
    if (o->nll > 0) losses->labelled = job->labelled;
    losses->nll = term(losses, o->nll, sums.nll, (double)job->labelled);
    losses->rec = term(losses, o->rec, sums.rec, n);
    for (int s = 0; s < NOTATION_STAGES; s++)
        losses->m[s] =
            s < objective_boundaries(e->plan.network) ? term(losses, o->m[s], sums.m[s], n) : NAN;
    losses->l1 = term(losses, o->l1, sums.l1, n);
    losses->pseudo = term(losses, agreement->pseudo, sums.pseudo, (double)unlabelled);
    losses->consistency =
        term(losses, agreement->consistency, sums.consistency, (double)unlabelled);
}

static swwae_status check_agreement(const struct engine *e, const struct batch *batch) {
    swwae_status status = SWWAE_OK;
    const struct agreement *a = &batch->agreement;
    CHECK(!(a->pseudo > 0 || a->consistency > 0) || e->plan.objective.nll > 0, SWWAE_E_ARGUMENT,
          "guesses of classes are to be learned, but the classification term is off");
    CHECK((a->guesses || !(a->pseudo > 0)) && (a->targets || !(a->consistency > 0)),
          SWWAE_E_INTERNAL, "a step was given a weight for guesses, but none of them");
    for (int i = 0; a->guesses && a->pseudo > 0 && i < batch->n; i++)
        CHECK(a->guesses[i] < e->plan.network->classes, SWWAE_E_DATA,
              "guess %d found, but the architecture has %d classes", (int)a->guesses[i],
              e->plan.network->classes);
fail:
    return status;
}

swwae_status engine_step(struct engine *e, struct losses *losses, real *gradient,
                         const real *parameters, const struct batch *batch) {
    swwae_status status = SWWAE_OK;
    struct step_job step = {.e = e, .batch = batch};
    CHECK(e->plan.training, SWWAE_E_INTERNAL, "a forward-only engine was asked for a step");
    CHECK(batch->n >= 1, SWWAE_E_ARGUMENT, "a batch of %d images found, expected at least 1",
          batch->n);
    CHECK(!e->plan.whole || share_first(1, batch->n + ENGINE_SHARES - 1) <= e->plan.slots,
          SWWAE_E_ARGUMENT, "a batch of %d images found, more than the engine was made for",
          batch->n);
    if (batch->labels && e->plan.classifier)
        for (int i = 0; i < batch->n; i++) {
            CHECK(batch->labels[i] < e->plan.network->classes, SWWAE_E_DATA,
                  "label %d found, but the architecture has %d classes", (int)batch->labels[i],
                  e->plan.network->classes);
            step.labelled += batch->labels[i] >= 0;
        }
    TRY(check_agreement(e, batch));
    struct layers_job layers = {.e = e, .parameters = parameters, .gradient = gradient};
    engine_pack(e, parameters);
    run_moves(&step, parameters, gradient);
    pool_run(e->pool, e->plan.layers, read_layer, &layers);
    losses_total(losses, e, &step);
fail:
    return status;
}
