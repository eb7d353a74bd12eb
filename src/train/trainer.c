/* trainer.c - preparing a run, and the training loop; see run.h.
 *
 * All that a step depends on is the parameters, the optimizer's arrays and the step number:
 * batches and learning rates are functions of the step. So a checkpoint of those, with the sums
 * since the last row of metrics.csv, goes on to the bit. */
#include "train/run.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cpu.h"
#include "engine/fault.h"
#include "train/augmented.h"
#include "train/batches.h"
#include "train/checkpoint.h"
#include "train/contrast.h"
#include "train/evaluate.h"
#include "train/folder.h"
#include "train/memory.h"
#include "train/model_file.h"
#include "train/number.h"
#include "train/recipe.h"
#include "train/saver.h"
#include "train/schedule.h"
#include "train/teacher.h"

/* A training step costs three forward passes, so one validated image for every four trained ones
 * is at most a twelfth of the time. */
#define VALIDATION_SHARE 4

void run_free(struct run *run) {
    saver_free(run->saver); /* first: it reads the rest */
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
    size_t labelled = 0, *images = &run->draw.validation_count;
    for (size_t i = 0; i < run->draw.validation_count && run->dataset->labels; i++)
        labelled += run->dataset->labels[run->draw.validation[i]] >= 0;
    run->measure_error = run->by_error = run->objective.nll > 0 && labelled > 0;
    run->measure_rec = decoder_on(run);
    if (*images && !run->measure_error && !run->measure_rec) {
        report_message(&run->reporter,
                       "none of the %zu validation images has a label, and nothing "
                       "else is learned that they could measure",
                       *images);
        *images = 0;
    }
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

/* The run's own copy of the labels it was given; NULL before there is one. */
static const char *drawn_before(const struct run *run) {
    const char *copy = run->folder.draw;
    return copy && !access(copy, F_OK) ? copy : NULL;
}

swwae_status run_prepare(struct run *run) {
    swwae_status status = SWWAE_OK;
    const struct settings *s = run->settings = &run->options->settings;
    TRY(recipe_open(&run->dataset, run->options));
    TRY(recipe_fit(run->options, run->dataset, drawn_before(run)));
    TRY(memory_check(run->options, run->dataset, run->resumed));
    TRY(make_model(run));
    TRY(recipe_objective(&run->objective, run->options, &run->model->network, &run->reporter));
    TRY(recipe_check_classes(&run->objective, &run->model->network, run->dataset));
    TRY(recipe_draw(&run->draw, run->options, run->dataset, drawn_before(run)));
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
    TRY(augmented_create(&run->augment, run->settings, run->dataset->channels, run->dataset->height,
                         run->dataset->width, ENGINE_SHARES));
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

swwae_status run_make_saver(struct run *run, bool newest_damaged) {
    const struct saver_source source = {.folder = &run->folder,
                                        .model = run->model,
                                        .optimizer = &run->optimizer,
                                        .teacher = &run->teacher,
                                        .state = &run->state,
                                        .metrics = &run->metrics,
                                        .every = run->settings->save_every,
                                        .newest_damaged = newest_damaged};
    return saver_create(&run->saver, &source);
}

/* The averaged parameters, if an average is kept, in the place of the trained ones, and back. */
static void swap_average(struct run *run) {
    optimizer_swap_average(&run->optimizer, &run->model->parameters);
}

swwae_status run_save(struct run *run, bool best) {
    run->unsaved = false;
    return saver_save(run->saver, best || (!run->draw.validation_count && run->state.step));
}

/* Saves in the course of training: what --checkpoint-every asks for, and rows as soon as that costs
 * next to nothing. */
static swwae_status save_if_due(struct run *run) {
    swwae_status status;
    const enum saver_advice advice = saver_advise(run->saver, &status);
    if (status != SWWAE_OK) return status;
    if (advice == SAVER_MUST || (advice == SAVER_MAY && run->unsaved)) return run_save(run, false);
    return SWWAE_OK;
}

/* ---- Progress --------------------------------------------------------------------------- */

void run_tell(struct run *run, bool validated, bool best) {
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
    if (run->settings->pseudo_labels > 0) p.confident = means.confident;
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
    TRY(run_save(run, false));
    TRY(saver_wait(run->saver));
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

/* The batch's images from the place `from` on, as the data has them. */
static void fill_images(struct run *run, int from) {
    const size_t pixels = model_pixels(run->model);
    for (int i = from; i < run->batches.size; i++)
        dataset_image(run->dataset, run->indices[i], run->images + (size_t)i * pixels);
}

/* Changes the batch's images from the place `from` on. An image's draw is numbered by its step and
 * its place in the batch, of at most 65536. A teacher sees all of an image in its own colours, to
 * be surer than who learns from it (Sohn and others 2020). */
static void augment(struct run *run, enum rng_purpose purpose, double strength, int from) {
    run->augment.purpose = purpose;
    run->augment.kinds = run->settings->augment;
    if (purpose == RNG_TEACHER) run->augment.kinds &= AUGMENT_MOVES;
    run->augment.strength = strength;
    const struct batches *b = &run->batches;
    const enum augmented which = run->settings->augmented;
    const int labelled = b->regime == REGIME_SUPERVISED ? b->size : b->labelled;
    const int first = which == AUGMENTED_UNLABELLED && labelled > from ? labelled : from;
    const int end = which == AUGMENTED_LABELLED ? labelled : b->size;
    if (first >= end) return;
    augment_images(&run->augment, run->images + (size_t)first * model_pixels(run->model),
                   (size_t)(end - first), run->state.step * 65536 + (uint64_t)first,
                   engine_pool(run->engine));
}

static swwae_status ask_teacher(struct run *run, struct agreement *agreement) {
    const double part = run->settings->augment ? run->settings->teacher_augment : 0;
    const int labelled = run->batches.labelled; /* of these nothing is asked */
    if (part > 0) augment(run, RNG_TEACHER, part * run->settings->augment_strength, labelled);
    swap_average(run);
    swwae_status status = teacher_ask(&run->teacher, agreement, run->model, run->images, labelled,
                                      run->batches.size, run->state.step, run->steps);
    swap_average(run);
    if (part > 0) fill_images(run, labelled);
    return status;
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
double run_rate(const struct run *run, uint64_t step) {
    return ldexp(schedule_lr(run->settings, step, run->steps, run->batches.steps_an_epoch),
                 -(int)run->state.rewinds);
}

static swwae_status take_step(struct run *run) {
    swwae_status status = SWWAE_OK;
    struct losses losses;
    int batch = run->batches.size;
    run->lr = run_rate(run, run->state.step);
    batches_fill(&run->batches, run->state.step, run->indices, run->labels);
    fill_images(run, 0);
    struct batch drawn = {.images = run->images,
                          .labels = run->labels,
                          .n = batch,
                          .seed = run->settings->seed,
                          .step = run->state.step};
    if (run->teacher.targets && run->batches.regime == REGIME_SEMI_SUPERVISED)
        TRY(ask_teacher(run, &drawn.agreement));
    augment(run, RNG_AUGMENT, run->settings->augment_strength, 0);
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

/* Validates; *best: no score so far is lower. */
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
    /* Of equal errors the later model, which rebuilds better. */
    *best = !run->state.best || score <= run->state.best_score;
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
    bool validation = run->draw.validation_count > 0, best = false;
    double spe = (double)run->batches.steps_an_epoch;
    run->validated_error = run->validated_rec = NAN;
    TRY(checkpoint_check(run->model, &run->optimizer, &run->state, run->folder.checkpoint));
    if (validation) {
        status = validate(run, &best);
        if (status == SWWAE_E_INTERRUPTED) {
            run_tell(run, false, false); /* the step it stopped at: the last report is older */
            return interrupted(run);
        }
        if (status != SWWAE_OK) goto fail;
    }
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
    if (best) TRY(run_save(run, true));
    run->unsaved = !best;
    struct sums next = run->state.sums;
    run->state.sums = sums; /* the report is on what the row is on */
    if (validation || run->state.step == run->steps || report_due(&run->reporter))
        run_tell(run, validation, best);
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

swwae_status run_train(struct run *run) {
    swwae_status status = SWWAE_OK;
    run->earlier = run->metrics.seconds;
    run->began = run->state.step;
    report_rate(&run->reporter, (double)run->state.step * run->batches.size);
    /* a training that was stopped during its validation */
    if (run->state.step && stock_due(run) && run->state.row_step != run->state.step) {
        run->lr = run_rate(run, run->state.step - 1);
        TRY(take_stock(run));
    }
    while (run->state.step < run->steps && !run->reporter.stop) {
        TRY(take_step(run));
        if (stock_due(run))
            TRY(take_stock(run));
        else if (report_due(&run->reporter))
            run_tell(run, false, false);
        TRY(save_if_due(run));
    }
    if (run->reporter.stop && run->state.step < run->steps) return interrupted(run);
    if (run->unsaved) TRY(run_save(run, false));
    TRY(saver_wait(run->saver));
fail:
    return status;
}
