/* benchmark.c - timing steps and forward passes on made-up images; see benchmark.h.
 *
 * Everything is measured in turn, repetition by repetition, so that a slow spell of the machine
 * falls on all of it alike; medians are reported. */
#include "train/benchmark.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/json.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "engine/profile.h"
#include "kernels/kernels.h"
#include "train/optimizer.h"
#include "train/recipe.h"

#define WARM_UP 2
#define SPIN_SECONDS 0.02

struct bench {
    swwae_options *options;
    struct swwae_model *model;
    struct objective objective;
    struct optimizer optimizer;
    struct kernels kernels;
    struct engine *training, *profiled, *forward;
    float *images, *gradient, *logits, *rebuilt;
    int32_t *labels;
    int batch, threads, isa, repetitions;
    double *train_seconds, *forward_seconds, *spin_rate; /* (repetitions) */
};

static void bench_free(struct bench *b) {
    swwae_options_free(b->options);
    engine_free(b->training);
    engine_free(b->profiled);
    engine_free(b->forward);
    optimizer_free(&b->optimizer);
    model_free(b->model);
    free(b->images);
    free(b->gradient);
    free(b->logits);
    free(b->rebuilt);
    free(b->labels);
    free(b->train_seconds);
    free(b->forward_seconds);
    free(b->spin_rate);
}

/* Images of noise; of a batch that is not all labelled, the labelled share comes first. */
static void make_batch(struct bench *b) {
    const struct settings *s = &b->options->settings;
    const size_t values = (size_t)b->batch * model_pixels(b->model);
    struct rng rng = rng_stream(s->seed, RNG_SHAPES, 0);
    for (size_t i = 0; i < values; i++) b->images[i] = (float)rng_uniform(&rng);
    const bool decoder = objective_decoder_on(&b->objective, &b->model->network);
    const double share = !(b->objective.nll > 0) ? 0 : decoder ? s->labelled_share : 1;
    for (int i = 0; i < b->batch; i++)
        b->labels[i] = i < share * b->batch ? i % b->model->network.classes : -1;
}

static swwae_status prepare(struct bench *b, const swwae_options *options, int channels, int height,
                            int width, struct reporter *reporter) {
    swwae_status status = SWWAE_OK;
    const char *complaint;
    TRY(options_copy(&b->options, options));
    TRY(recipe_model(&b->model, b->options, channels, height, width));
    TRY(recipe_objective(&b->objective, b->options, &b->model->network, reporter));
    const struct network *n = &b->model->network;
    b->batch = b->options->settings.batch;
    b->isa = (int)cpu_choose(&complaint);
    if (complaint) report_message(reporter, "%s", complaint);
    kernels_get(&b->kernels, (enum cpu_isa)b->isa);
    b->threads =
        b->options->settings.threads ? b->options->settings.threads : parallel_processors();
    struct engine_options engine = {.objective = &b->objective,
                                    .batch = b->batch,
                                    .threads = b->threads,
                                    .isa = b->isa,
                                    .dense = !cpu_sparse(),
                                    .direct = !cpu_winograd(),
                                    .precision = b->options->settings.precision};
    TRY(engine_create(&b->training, n, &engine));
    TRY(engine_create(&b->profiled, n, &engine));
    TRY(engine_profile(b->profiled));
    engine.objective = NULL;
    engine.precision = PRECISION_FP32; /* as forward passes of models */
    TRY(engine_create(&b->forward, n, &engine));
    TRY(optimizer_create(&b->optimizer, n, &b->options->settings));
    const size_t batch = (size_t)b->batch, runs = (size_t)b->repetitions;
    b->images = calloc(batch * model_pixels(b->model), sizeof *b->images);
    b->rebuilt = calloc(batch * model_pixels(b->model), sizeof *b->rebuilt);
    b->gradient = calloc(n->parameters, sizeof *b->gradient);
    b->logits = calloc(batch * (size_t)n->classes + 1, sizeof *b->logits);
    b->labels = calloc(batch, sizeof *b->labels);
    b->train_seconds = calloc(runs, sizeof *b->train_seconds);
    b->forward_seconds = calloc(runs, sizeof *b->forward_seconds);
    b->spin_rate = calloc(runs, sizeof *b->spin_rate);
    CHECK(b->images && b->rebuilt && b->gradient && b->logits && b->labels && b->train_seconds &&
              b->forward_seconds && b->spin_rate,
          SWWAE_E_MEMORY, "no memory for batches of %d images", b->batch);
    make_batch(b);
fail:
    return status;
}

/* ---- what is timed ---- */

static swwae_status step(struct bench *b, struct engine *engine, uint64_t number) {
    swwae_status status = SWWAE_OK;
    struct losses losses;
    const struct batch batch = {
        .images = b->images, .labels = b->labels, .n = b->batch, .seed = 1, .step = number};
    TRY(engine_step(engine, &losses, b->gradient, b->model->parameters, &batch));
    CHECK(isfinite(losses.total), SWWAE_E_NUMERIC, "step %llu: the loss is not finite",
          (unsigned long long)number);
    optimizer_step(&b->optimizer, b->model->parameters, b->gradient, 1e-4, engine_pool(engine));
fail:
    return status;
}

/* A pass as the loss has it: without a decoder where none was trained. */
static swwae_status forward(struct bench *b) {
    const bool decoder = objective_decoder_on(&b->objective, &b->model->network);
    const struct forward asked = {.logits = b->objective.nll > 0 ? b->logits : NULL,
                                  .reconstruction = decoder ? b->rebuilt : NULL};
    return engine_forward(b->forward, &asked, b->model->parameters, b->images, b->batch);
}

struct spin {
    const struct kernels *kernels;
    double rate[256];
};

static void spin_job(void *context, int j, int worker) {
    (void)worker;
    struct spin *spin = context;
    float out[LANES];
    double flops = 0, start = parallel_clock(), seconds;
    do {
        flops += spin->kernels->spin(out, 100000);
        seconds = parallel_clock() - start;
    } while (seconds < SPIN_SECONDS);
    spin->rate[j] = flops / seconds;
}

/* Multiply-adds a second on as many threads as a step uses, by their own processor time. */
static double spin_rate(const struct bench *b) {
    struct spin spin = {.kernels = &b->kernels};
    const int jobs = b->threads < ENGINE_SHARES ? b->threads : ENGINE_SHARES;
    double rate = 0;
    pool_run(engine_pool(b->training), jobs, spin_job, &spin);
    for (int j = 0; j < jobs; j++) rate += spin.rate[j];
    return rate;
}

static swwae_status measure(struct bench *b, struct reporter *reporter) {
    swwae_status status = SWWAE_OK;
    const double start = report_now();
    for (int r = -WARM_UP; r < b->repetitions; r++) {
        const uint64_t number = (uint64_t)r + WARM_UP;
        const double begin = report_now();
        TRY(step(b, b->training, number));
        const double stepped = report_now();
        TRY(forward(b));
        const double done = report_now();
        if (r == 0) TRY(engine_profile(b->profiled)); /* forgets the warm-up */
        TRY(step(b, b->profiled, number));
        if (r >= 0) {
            b->train_seconds[r] = stepped - begin;
            b->forward_seconds[r] = done - stepped;
            b->spin_rate[r] = spin_rate(b);
            if (report_due(reporter))
                report_count(reporter, "bench", (size_t)(r + 1) * (size_t)b->batch,
                             (size_t)b->repetitions * (size_t)b->batch, start);
        }
        CHECK(!reporter->stop, SWWAE_E_INTERRUPTED, "stopped");
    }
fail:
    return status;
}

/* ---- the result ---- */

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count) {
    qsort(values, (size_t)count, sizeof *values, by_value);
    return values[count / 2];
}

static json_t *timing(const struct bench *b, double *seconds) {
    const double middle = median(seconds, b->repetitions);
    return json_pack("{s:f, s:f, s:f, s:f}", "seconds", middle, "fastest", seconds[0], "slowest",
                     seconds[b->repetitions - 1], "images_per_second", b->batch / middle);
}

static json_t *passes(const struct bench *b, double peak_a_thread, double *flops,
                      double *flops_dense) {
    json_t *array = json_array();
    *flops = *flops_dense = 0;
    for (int i = 0; array && i < engine_passes(b->profiled); i++) {
        const struct engine_pass p = engine_pass_at(b->profiled, i);
        const double runs = b->repetitions;
        const double rate = p.seconds > 0 ? p.flops / p.seconds : 0;
        *flops += p.flops / runs;
        *flops_dense += p.flops_dense / runs;
        json_array_append_new(array,
                              json_pack("{s:s, s:s, s:s, s:f, s:f, s:f, s:f, s:s}", "layer",
                                        p.layer, "direction", p.back ? "back" : "forward", "kernel",
                                        p.kernel, "seconds", p.seconds / runs, "flops",
                                        p.flops / runs, "flops_dense", p.flops_dense / runs,
                                        "share_of_peak", rate / peak_a_thread, "reason", p.reason));
    }
    return array;
}

static swwae_status result(struct bench *b, char **json) {
    swwae_status status = SWWAE_OK;
    const struct network *n = &b->model->network;
    const double peak = median(b->spin_rate, b->repetitions);
    const int used = b->threads < ENGINE_SHARES ? b->threads : ENGINE_SHARES;
    const size_t weights = n->parameters * sizeof(float);
    const size_t memory_train = engine_memory(b->training) + (b->optimizer.v ? 4 : 3) * weights;
    const size_t memory_forward = engine_memory(b->forward) + weights;
    double flops, flops_dense;
    char arch[NOTATION_TEXT], *text = NULL;
    notation_print(arch, &n->notation);
    json_t *list = passes(b, peak / used, &flops, &flops_dense);
    json_t *root = json_pack(
        "{s:s, s:[i,i,i], s:i, s:i, s:s, s:s, s:i, s:f, s:o, s:o, s:I, s:I, s:f, s:f, s:o}",
        "architecture", arch, "image", n->channels, n->height, n->width, "batch", b->batch,
        "threads", b->threads, "isa", cpu_isa_name((enum cpu_isa)b->isa), "precision",
        swwae_options_get(b->options, "precision"), "repetitions", b->repetitions, "peak_flops",
        peak, "train", timing(b, b->train_seconds), "forward", timing(b, b->forward_seconds),
        "memory_train", (json_int_t)memory_train, "memory_forward", (json_int_t)memory_forward,
        "flops", flops, "flops_dense", flops_dense, "passes", list);
    text = json_text(root, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    json_decref(root);
    CHECK(text, SWWAE_E_MEMORY, "no memory for the result of the benchmark");
    *json = text;
fail:
    return status;
}

swwae_status benchmark(const swwae_options *options, int channels, int height, int width,
                       int repetitions, struct reporter *reporter, char **json) {
    swwae_status status = SWWAE_OK;
    struct bench b = {.repetitions = repetitions};
    TRY(prepare(&b, options, channels, height, width, reporter));
    TRY(measure(&b, reporter));
    TRY(result(&b, json));
fail:
    bench_free(&b);
    return status;
}
