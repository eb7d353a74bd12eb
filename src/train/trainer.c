/* trainer.c - the training loop and its run folder; see trainer.h.
 *
 * All that a step depends on is the parameters, the optimizer's arrays and the step number:
 * batches and learning rates are functions of the step. So a checkpoint of those, with the sums
 * since the last row of metrics.csv, goes on to the bit. */
#include "train/trainer.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cpu.h"
#include "data/augment.h"
#include "engine/fault.h"
#include "train/batches.h"
#include "train/checkpoint.h"
#include "train/contrast.h"
#include "train/evaluate.h"
#include "train/folder.h"
#include "train/memory.h"
#include "train/model_file.h"
#include "train/number.h"
#include "train/recipe.h"
#include "train/schedule.h"
#include "train/teacher.h"

/* A training step costs three forward passes, so one validated image for every four trained ones
 * is at most a twelfth of the time. */
#define VALIDATION_SHARE 4

/* A training and everything it holds. */
struct run {
    swwae_options *options; /* effective */
    const struct settings *settings;
    swwae_dataset *dataset;
    struct label_draw draw;
    struct objective objective;
    struct swwae_model *model; /* its engine is the one of validation */
    struct optimizer optimizer;
    struct batches batches;
    struct augment augment;
    struct teacher teacher;
    struct engine *engine; /* of the steps */
    struct folder folder;
    struct metrics metrics;
    struct progress_state state;
    struct reporter reporter;
    float *images;     /* (batch, channels, height, width) */
    uint32_t *indices; /* (batch) */
    int32_t *labels;   /* (batch) */
    float *gradient;   /* (parameters) */
    uint64_t steps;    /* in all */
    int threads;
    bool by_error;      /* the best model has the lowest error, else the lowest squared error */
    bool measure_error; /* at validation */
    bool measure_rec;
    bool resumed;   /* the run has a checkpoint */
    double start;   /* of this call, seconds */
    double earlier; /* seconds of earlier calls */
    double lr;      /* of the last step */
    uint64_t began; /* the step that this call, or going back, began at */
    double validated_error, validated_rec;
};

static void run_free(struct run *run) {
    swwae_options_free(run->options);
    swwae_dataset_free(run->dataset);
    labels_free(&run->draw);
    model_free(run->model);
    optimizer_free(&run->optimizer);
    batches_free(&run->batches);
    augment_free(&run->augment);
    teacher_free(&run->teacher);
    engine_free(run->engine);
    folder_free(&run->folder);
    metrics_free(&run->metrics);
    free(run->images);
    free(run->indices);
    free(run->labels);
    free(run->gradient);
}

/* ---- Preparing -------------------------------------------------------------------------- */

static bool decoder_on(const struct run *run) {
    return objective_decoder_on(&run->objective, &run->model->network);
}

static swwae_status make_model(struct run *run) {
    swwae_status status = SWWAE_OK;
    const swwae_dataset *d = run->dataset;
    TRY(recipe_model(&run->model, run->options, d->channels, d->height, d->width));
    struct swwae_model *model = run->model;
    model->pad = d->pad;
    model->held_out = d->held_out;
    model->threads = run->settings->threads;
    memcpy(model->data, d->name, sizeof model->data);
    if (d->classes && d->classes == model->network.classes)
        memcpy(model->class_names, d->class_names, (size_t)d->classes * sizeof *d->class_names);
fail:
    return status;
}

static swwae_status make_engine(struct run *run) {
    const char *complaint;
    struct engine_options options = {.objective = &run->objective,
                                     .batch = run->settings->batch,
                                     .threads = run->threads,
                                     .isa = (int)cpu_choose(&complaint),
                                     .dense = !cpu_sparse(),
                                     .direct = !cpu_winograd(),
                                     .precision = run->settings->precision};
    if (complaint) report_message(&run->reporter, "%s", complaint);
    return engine_create(&run->engine, &run->model->network, &options);
}

static uint64_t count_steps(const struct run *run) {
    if (run->settings->steps > 0) return (uint64_t)run->settings->steps;
    double steps = ceil(run->settings->epochs * (double)run->batches.steps_an_epoch - 1e-6);
    return steps < 1 ? 1 : (uint64_t)steps;
}

/* What validation measures, and what makes a model the best. */
static void choose_measures(struct run *run) {
    size_t labelled = 0;
    for (size_t i = 0; i < run->draw.validation_count && run->dataset->labels; i++)
        labelled += run->dataset->labels[run->draw.validation[i]] >= 0;
    run->measure_error = run->by_error = run->objective.nll > 0 && labelled > 0;
    run->measure_rec = decoder_on(run) || !run->measure_error;
}

static swwae_status book(struct run *run) {
    swwae_status status = SWWAE_OK;
    size_t batch = (size_t)run->settings->batch, values;
    CHECK(!__builtin_mul_overflow(batch, model_pixels(run->model), &values), SWWAE_E_MEMORY,
          "no memory for batches of %zu images", batch);
    run->images = calloc(values, sizeof *run->images);
    run->indices = calloc(batch, sizeof *run->indices);
    run->labels = calloc(batch, sizeof *run->labels);
    run->gradient = calloc(run->model->network.parameters, sizeof *run->gradient);
    CHECK(run->images && run->indices && run->labels && run->gradient, SWWAE_E_MEMORY,
          "no memory for batches of %zu images", batch);
fail:
    return status;
}

static swwae_status make_augment(struct run *run) {
    const swwae_dataset *d = run->dataset;
    swwae_status status =
        augment_create(&run->augment, d->channels, d->height, d->width, ENGINE_SHARES);
    run->augment.kinds = run->settings->augment;
    run->augment.strength = run->settings->augment_strength;
    run->augment.seed = run->settings->seed;
    return status;
}

/* Everything but the run folder: the same for a new run and for one that goes on. */
static swwae_status prepare(struct run *run) {
    swwae_status status = SWWAE_OK;
    const struct settings *s = run->settings = &run->options->settings;
    TRY(recipe_open(&run->dataset, run->options));
    TRY(memory_check(run->options, run->dataset, run->resumed));
    TRY(make_model(run));
    TRY(recipe_objective(&run->objective, run->options, &run->model->network, &run->reporter));
    TRY(recipe_check_classes(&run->objective, &run->model->network, run->dataset));
    TRY(recipe_draw(&run->draw, run->options, run->dataset, run->folder.draw));
    struct batches_options options = {.nll = run->objective.nll > 0,
                                      .unlabelled = decoder_on(run) || teacher_wanted(s),
                                      .size = s->batch,
                                      .labelled_share = s->labelled_share,
                                      .seed = s->seed};
    TRY(batches_create(&run->batches, &run->draw, run->dataset->labels, &options));
    TRY(optimizer_create(&run->optimizer, &run->model->network, s));
    TRY(teacher_create(&run->teacher, s, run->model->network.classes));
    TRY(book(run));
    run->threads = model_threads(run->model);
    TRY(make_augment(run));
    run->steps = count_steps(run);
    choose_measures(run);
    TRY(make_engine(run));
    TRY(model_engine(run->model, SWWAE_WHERE_OWN));
    char *text;
    TRY(options_json(&text, run->options, false));
    TRY(model_set_options(run->model, text));
fail:
    return status;
}

/* ---- Saving ----------------------------------------------------------------------------- */

static swwae_status check_parameters(const struct run *run) {
    const struct network *network = &run->model->network;
    for (size_t i = 0; i < network->view_count; i++) {
        const struct view *view = &network->view[i];
        for (size_t k = 0; k < view->size; k++)
            if (!isfinite(run->model->parameters[view->offset + k]))
                return status_set(SWWAE_E_NUMERIC,
                                  "step %llu: parameter %s is not finite any more; train with a "
                                  "lower --lr (%s holds the last good state)",
                                  (unsigned long long)run->state.step, view->name,
                                  run->folder.checkpoint);
    }
    const struct optimizer *o = &run->optimizer;
    for (size_t k = 0; k < o->size; k++)
        if (!isfinite(o->m[k]) || (o->v && !isfinite(o->v[k])))
            return status_set(SWWAE_E_NUMERIC,
                              "step %llu: the optimizer's state is not finite any more; train with "
                              "smaller weights of the loss (%s holds the last good state)",
                              (unsigned long long)run->state.step, run->folder.checkpoint);
    return SWWAE_OK;
}

static swwae_status save_checkpoint(struct run *run) {
    swwae_status status = SWWAE_OK;
    TRY(check_parameters(run));
    run->model->step = run->state.step;
    TRY(checkpoint_write(run->folder.checkpoint, run->model, &run->optimizer, &run->teacher,
                         &run->state));
fail:
    return status;
}

/* Puts the averaged parameters in the place of the trained ones, if an average is kept; the same
 * again puts them back. The averaged ones are validated, saved as the model, and teach. */
static void swap_average(struct run *run) {
    float *average = run->optimizer.average;
    if (!average) return;
    run->optimizer.average = run->model->parameters;
    run->model->parameters = average;
}

static swwae_status save_model(struct run *run) {
    run->model->step = run->state.step;
    swap_average(run);
    swwae_status status = model_write(run->model, run->folder.model, NULL);
    swap_average(run);
    return status;
}

/* ---- Progress --------------------------------------------------------------------------- */

static void tell(struct run *run, bool validated, bool best) {
    double spe = (double)run->batches.steps_an_epoch, batch = run->batches.size;
    struct means means = sums_means(&run->state.sums, &run->objective);
    struct swwae_progress p = report_blank("train");
    p.step = run->state.step;
    p.steps = run->steps;
    p.epoch = (double)p.step / spe;
    p.epochs = (double)p.steps / spe;
    p.images_per_second = report_rate(&run->reporter, (double)p.step * batch);
    if (p.images_per_second > 0)
        p.seconds_left = (double)(p.steps - p.step) * batch / p.images_per_second;
    p.loss = means.loss;
    p.nll = means.nll;
    p.rec = means.rec;
    p.m = means.m;
    p.validated = validated;
    if (validated) {
        p.validation_error = run->validated_error;
        p.validation_rec = run->validated_rec;
        p.best = best;
    }
    if (run->state.best) {
        p.best_score = run->state.best_score;
        p.best_step = run->state.best_step;
        p.best_by_error = run->by_error;
    }
    report_send(&run->reporter, &p);
}

/* The callback asked to stop: everything is saved. */
static swwae_status interrupted(struct run *run) {
    swwae_status status = SWWAE_OK;
    TRY(save_checkpoint(run));
    if (!run->draw.validation_count) TRY(save_model(run));
    status = status_set(
        SWWAE_E_INTERRUPTED, "stopped after step %llu of %llu; go on with --resume %s",
        (unsigned long long)run->state.step, (unsigned long long)run->steps, run->folder.path);
fail:
    return status;
}

/* ---- Steps and epochs ------------------------------------------------------------------- */

/* printf writes "-nan" or "nan", as the machine left the sign. */
static const char *not_finite(double value) { return isnan(value) ? "not a number" : "infinite"; }

/* What of a step is not finite: a term of the loss, the loss, or the gradient. */
static const char *diverged_part(double *value, const struct objective *o,
                                 const struct losses *losses, double norm) {
    *value = losses->nll;
    if (o->nll > 0 && losses->labelled && !isfinite(losses->nll)) return "classification term";
    *value = losses->rec;
    if (o->rec > 0 && !isfinite(losses->rec)) return "reconstruction term";
    *value = losses->pseudo + losses->consistency; /* a sum over no image is not a number */
    if (isinf(losses->pseudo) || isinf(losses->consistency))
        return "agreement of unlabelled images";
    *value = losses->l1;
    if (o->l1 > 0 && !isfinite(losses->l1)) return "sparsity term";
    for (int b = 0; b < NOTATION_STAGES; b++) {
        *value = losses->m[b];
        if (o->m[b] > 0 && !isfinite(losses->m[b])) return "intermediate term";
    }
    *value = losses->total;
    if (!isfinite(losses->total)) return "weighted sum of the terms";
    *value = norm;
    return "gradient";
}

/* The sentence for a step that cannot be taken; where it began is looked for only now. */
static swwae_status diverged(struct run *run, const struct batch *batch,
                             const struct losses *losses, double norm) {
    struct fault fault = {0};
    char cause[192] = "";
    double value;
    const char *part = diverged_part(&value, &run->objective, losses, norm);
    const swwae_status status =
        engine_find_fault(run->engine, &fault, run->gradient, run->model->parameters, batch);
    if (status == SWWAE_OK && fault.found)
        snprintf(cause, sizeof cause, ", first in %s", fault.place);
    return status_set(
        SWWAE_E_NUMERIC,
        "step %llu: the %s is %s%s; train with a lower --lr than %g or with --clip-norm (%s holds "
        "the last good state)",
        (unsigned long long)run->state.step + 1, part,
        isfinite(value) ? "too large" : not_finite(value), cause, run->lr, run->folder.checkpoint);
}

static swwae_status ask_teacher(struct run *run, struct agreement *agreement) {
    swap_average(run);
    swwae_status status =
        teacher_ask(&run->teacher, agreement, run->model, run->images, run->batches.labelled,
                    run->batches.size, run->state.step, run->steps);
    swap_average(run);
    return status;
}

/* Changes the batch's images, after the teacher saw them. An image's draw is numbered by its step
 * and its place in the batch, of at most 65536. */
static void augment(struct run *run) {
    const struct batches *b = &run->batches;
    const enum augmented which = run->settings->augmented;
    const int labelled = b->regime == REGIME_SUPERVISED ? b->size : b->labelled;
    const int first = which == AUGMENTED_UNLABELLED ? labelled : 0;
    const int end = which == AUGMENTED_LABELLED ? labelled : b->size;
    augment_images(&run->augment, run->images + (size_t)first * model_pixels(run->model),
                   (size_t)(end - first), run->state.step * 65536 + (uint64_t)first,
                   engine_pool(run->engine));
}

/* Last: model_forward does it to what the teacher and every evaluation look at. */
static void standardise(struct run *run) {
    const size_t pixels = model_pixels(run->model);
    for (int i = 0; i < run->batches.size; i++) {
        float *image = run->images + (size_t)i * pixels;
        contrast_apply(image, image, contrast_of(image, pixels), pixels);
    }
}

/* The schedule's rate, halved as often as the training went back. */
static double rate_at(const struct run *run, uint64_t step) {
    return ldexp(schedule_lr(run->settings, step, run->steps, run->batches.steps_an_epoch),
                 -(int)run->state.rewinds);
}

static swwae_status take_step(struct run *run) {
    swwae_status status = SWWAE_OK;
    struct losses losses;
    size_t pixels = model_pixels(run->model);
    int batch = run->batches.size;
    run->lr = rate_at(run, run->state.step);
    batches_fill(&run->batches, run->state.step, run->indices, run->labels);
    for (int i = 0; i < batch; i++)
        dataset_image(run->dataset, run->indices[i], run->images + (size_t)i * pixels);
    struct batch drawn = {.images = run->images,
                          .labels = run->labels,
                          .n = batch,
                          .seed = run->settings->seed,
                          .step = run->state.step};
    if (run->teacher.targets && run->batches.regime == REGIME_SEMI_SUPERVISED)
        TRY(ask_teacher(run, &drawn.agreement));
    augment(run);
    if (run->model->contrast) standardise(run);
    TRY(engine_step(run->engine, &losses, run->gradient, run->model->parameters, &drawn));
    const double norm = optimizer_norm(&run->optimizer, run->gradient, engine_pool(run->engine));
    const double clip = run->settings->clip_norm;
    const double most = clip > 0 ? DBL_MAX : optimizer_largest_norm(&run->optimizer);
    if (!isfinite(losses.total) || !(norm <= most)) return diverged(run, &drawn, &losses, norm);
    if (clip > 0 && norm > clip) optimizer_scale(&run->optimizer, run->gradient, clip / norm);
    optimizer_step(&run->optimizer, run->model->parameters, run->gradient, run->lr,
                   engine_pool(run->engine));
    sums_add(&run->state.sums, &losses);
    run->state.step++;
fail:
    return status;
}

/* Validates; *best: this is the lowest score so far. */
static swwae_status validate(struct run *run, bool *best) {
    swwae_status status = SWWAE_OK;
    struct swwae_evaluation found = {0};
    struct evaluate evaluate = {.model = run->model,
                                .dataset = run->dataset,
                                .indices = run->draw.validation,
                                .count = run->draw.validation_count,
                                .error = run->measure_error,
                                .rec = run->measure_rec,
                                .what = "validate"};
    double start = report_now();
    swap_average(run);
    status = evaluate_run(&found, &evaluate, &run->reporter);
    swap_average(run);
    if (status != SWWAE_OK) goto fail;
    run->reporter.away += report_now() - start;
    run->validated_error = run->measure_error ? found.error : NAN;
    run->validated_rec = run->measure_rec ? found.rec : NAN;
    double score = run->by_error ? found.error : found.rec;
    *best = !run->state.best || score < run->state.best_score;
    if (*best) {
        run->state.best = true;
        run->state.best_score = score;
        run->state.best_step = run->state.step;
    }
fail:
    return status;
}

/* Measures, keeps the best model, adds a row, saves. */
static swwae_status take_stock(struct run *run) {
    swwae_status status = SWWAE_OK;
    bool validation = run->draw.validation_count > 0, best = !validation;
    double spe = (double)run->batches.steps_an_epoch;
    run->validated_error = run->validated_rec = NAN;
    TRY(check_parameters(run));
    if (validation) {
        status = validate(run, &best);
        if (status == SWWAE_E_INTERRUPTED) return interrupted(run);
        if (status != SWWAE_OK) goto fail;
    }
    if (best) TRY(save_model(run));
    struct row row = {.epoch = (double)run->state.step / spe,
                      .step = run->state.step,
                      .lr = run->lr,
                      .train = sums_means(&run->state.sums, &run->objective),
                      .validation_error = run->validated_error,
                      .validation_rec = run->validated_rec,
                      .seconds = run->earlier + report_now() - run->start};
    TRY(metrics_add(&run->metrics, &row));
    run->state.row_step = run->state.step;
    struct sums sums = run->state.sums;
    run->state.sums = (struct sums){0};
    TRY(save_checkpoint(run));
    struct sums next = run->state.sums;
    run->state.sums = sums; /* the report is on what the row is on */
    if (validation || run->state.step == run->steps || report_due(&run->reporter))
        tell(run, validation, validation && best);
    run->state.sums = next;
fail:
    return status;
}

/* Whether to take stock now: at the end of the training, and of the first epoch that ends after
 * every VALIDATION_SHARE * validation_count training images, so of every epoch unless it is
 * small beside the validation set. With a hundred labels an epoch is two steps, and measuring
 * 5000 images after each would take nearly all of the time. From the step alone, so that a
 * resumed run does it where an uninterrupted one does. */
static bool stock_due(const struct run *run) {
    uint64_t size = (uint64_t)run->batches.size;
    uint64_t interval = VALIDATION_SHARE * (uint64_t)run->draw.validation_count;
    uint64_t epoch = run->batches.steps_an_epoch, step = run->state.step;
    if (step == run->steps) return true;
    if (step % epoch != 0) return false;
    return !interval || step * size / interval != (step - epoch) * size / interval;
}

static swwae_status train(struct run *run) {
    swwae_status status = SWWAE_OK;
    run->earlier = run->metrics.seconds;
    run->began = run->state.step;
    report_rate(&run->reporter, (double)run->state.step * run->batches.size);
    /* a training that was stopped during its validation */
    if (run->state.step && stock_due(run) && run->state.row_step != run->state.step) {
        run->lr = rate_at(run, run->state.step - 1);
        TRY(take_stock(run));
    }
    while (run->state.step < run->steps && !run->reporter.stop) {
        TRY(take_step(run));
        if (stock_due(run))
            TRY(take_stock(run));
        else if (report_due(&run->reporter))
            tell(run, false, false);
    }
    if (run->reporter.stop && run->state.step < run->steps) status = interrupted(run);
fail:
    return status;
}

/* ---- Going back ---------------------------------------------------------------------------
 */

#define REWINDS_LIMIT 20 /* a millionth of the rate */

/* After a step that cannot be taken: the run to go on with from its checkpoint. */
struct rewind {
    char *path;     /* its folder, malloc'ed; NULL: training does not go back */
    uint64_t times; /* that it will have gone back */
};

/* A step straight after the checkpoint does not depend on the rate, so that going back would
 * come to the same. */
static void ask_rewind(struct rewind *rewind, struct run *run, swwae_status status) {
    if (status != SWWAE_E_NUMERIC || run->settings->on_nan != ON_NAN_REWIND ||
        run->state.step == run->began || run->state.rewinds >= REWINDS_LIMIT)
        return;
    report_message(&run->reporter, "%s", swwae_last_error());
    rewind->path = strdup(run->folder.path);
    rewind->times = run->state.rewinds + 1;
}

/* ---- Starting and going on -------------------------------------------------------------- */

static void tell_about_validation(struct run *run) {
    if (!run->draw.validation_count)
        report_message(&run->reporter,
                       "there is no validation set, so " MODEL_FILE " holds the last model, not "
                       "the best one");
}

/* The weights of step 0. A run that goes on has them from its checkpoint, so that it needs the
 * model that it began with no more. */
static swwae_status first_weights(struct run *run) {
    swwae_status status = recipe_init(run->model, run->options, &run->reporter);
    if (status == SWWAE_OK && run->optimizer.average)
        memcpy(run->optimizer.average, run->model->parameters,
               run->optimizer.size * sizeof *run->optimizer.average);
    return status;
}

static swwae_status begin(struct rewind *rewind, const swwae_options *options,
                          swwae_progress_fn progress, void *user) {
    swwae_status status = SWWAE_OK;
    struct run run = {.reporter = report_begin(progress, user), .start = report_now()};
    bool started = false;
    TRY(options_copy(&run.options, options));
    TRY(folder_check(run.options)); /* before the work of reading data */
    TRY(prepare(&run));
    TRY(first_weights(&run));
    TRY(folder_claim(&run.folder, run.options, run.dataset));
    report_message(&run.reporter, "run folder: %s", run.folder.path);
    TRY(folder_write_config(&run.folder, run.options));
    TRY(folder_write_labels(&run.folder, &run.draw, run.dataset, recipe_label_seed(run.settings)));
    TRY(metrics_create(&run.metrics, run.folder.metrics));
    TRY(save_checkpoint(&run)); /* so that a run can be resumed from its first moment */
    started = true;
    tell_about_validation(&run);
    TRY(train(&run));
fail:
    if (status != SWWAE_OK && !started) folder_discard(&run.folder);
    if (started) ask_rewind(rewind, &run, status);
    run_free(&run);
    return status;
}

/* The same text or the same number. */
static bool same_value(const char *a, const char *b) {
    double x, y;
    return !strcmp(a, b) || (number_parse(&x, a) && number_parse(&y, b) && x == y);
}

/* Takes the options of `more` that may change; the others must be as they are. */
static swwae_status override(swwae_options *options, const swwae_options *more, bool *changed) {
    swwae_status status = SWWAE_OK;
    const swwae_option_info *info;
    for (size_t i = 0; (info = swwae_option_info_at(i)); i++) {
        const char *name = info->name, *now = swwae_options_get(options, name);
        if (!options_given(more, name)) continue;
        const char *wanted = swwae_options_get(more, name);
        if (same_value(now, wanted)) continue;
        CHECK(!strcmp(name, "epochs") || !strcmp(name, "steps") || !strcmp(name, "threads"),
              SWWAE_E_ARGUMENT,
              "option --%s: \"%.200s\" found, but the run has \"%.200s\" and only --epochs, "
              "--steps and --threads may change when it goes on",
              name, wanted, now);
        TRY(swwae_options_set(options, name, wanted));
        *changed = true;
    }
    /* steps go before epochs: new epochs replace old steps */
    if (options_given(more, "epochs") && !options_given(more, "steps") && options->settings.steps) {
        TRY(swwae_options_set(options, "steps", "0"));
        *changed = true;
    }
fail:
    return status;
}

static swwae_status go_on(struct rewind *rewind, const char *path, const swwae_options *more,
                          swwae_progress_fn progress, void *user) {
    swwae_status status = SWWAE_OK;
    struct run run = {.reporter = report_begin(progress, user), .start = report_now()};
    bool changed = false, trained = false;
    struct stat about;
    CHECK(stat(path, &about) || S_ISDIR(about.st_mode), SWWAE_E_IO,
          "%.400s: a file found, expected the folder of a run (the one with " CHECKPOINT_FILE
          " and config.json)",
          path);
    TRY(folder_name(&run.folder, path));
    TRY(swwae_options_create(&run.options));
    TRY(swwae_options_load(run.options, run.folder.config));
    if (more) TRY(override(run.options, more, &changed));
    run.resumed = true;
    TRY(prepare(&run));
    TRY(folder_check_labels(&run.folder, &run.draw, run.dataset, recipe_label_seed(run.settings)));
    TRY(checkpoint_read(run.model, &run.optimizer, &run.teacher, &run.state,
                        run.folder.checkpoint));
    if (run.state.step >= run.steps && run.state.row_step == run.state.step) {
        run.steps = run.state.step; /* fewer may have been asked for */
        tell(&run, false, false);   /* how far it came, and its best */
        report_message(
            &run.reporter, "%.300s is complete with its %llu steps; ask for more --%s to go on",
            path, (unsigned long long)run.state.step, run.settings->steps > 0 ? "steps" : "epochs");
        goto fail;
    }
    if (changed) TRY(folder_write_config(&run.folder, run.options));
    TRY(metrics_resume(&run.metrics, run.folder.metrics, run.state.row_step));
    if (rewind->times) {
        run.state.rewinds = rewind->times;
        TRY(save_checkpoint(&run));
        report_message(&run.reporter, "going back to step %llu with a rate of %g",
                       (unsigned long long)run.state.step, rate_at(&run, run.state.step));
    } else {
        tell_about_validation(&run);
    }
    trained = true;
    TRY(train(&run));
fail:
    *rewind = (struct rewind){0};
    if (trained) ask_rewind(rewind, &run, status);
    run_free(&run);
    return status;
}

/* Goes back as often as is asked for. */
static swwae_status rewind_on(struct rewind *rewind, swwae_status status,
                              swwae_progress_fn progress, void *user) {
    while (rewind->path) {
        char *path = rewind->path;
        status = go_on(rewind, path, NULL, progress, user);
        free(path);
    }
    return status;
}

swwae_status trainer_train(const swwae_options *options, swwae_progress_fn progress, void *user) {
    struct rewind rewind = {0};
    const swwae_status status = begin(&rewind, options, progress, user);
    return rewind_on(&rewind, status, progress, user);
}

swwae_status trainer_resume(const char *path, const swwae_options *more, swwae_progress_fn progress,
                            void *user) {
    struct rewind rewind = {0};
    const swwae_status status = go_on(&rewind, path, more, progress, user);
    return rewind_on(&rewind, status, progress, user);
}
