/* api.c - the public functions on models, measurements and training: argument checks, nothing
 * else. Those on data stand in data/, those on options in train/options.c. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "data/dataset.h"
#include "study/study.h"
#include "train/augmented.h"
#include "train/benchmark.h"
#include "train/encode.h"
#include "train/evaluate.h"
#include "train/model.h"
#include "train/model_file.h"
#include "train/recipe.h"
#include "train/trainer.h"

/* In a function with `swwae_status status` and a label `fail`. */
#define NEED(pointer) \
    CHECK(pointer, SWWAE_E_ARGUMENT, "%s: " #pointer " is NULL, expected a pointer", __func__)

/* ---- Data that a model must fit ------------------------------------------------------------ */

swwae_status swwae_dataset_open_files(swwae_dataset **dataset, const char *const *paths,
                                      size_t count, const swwae_model *model) {
    swwae_status status = SWWAE_OK;
    NEED(dataset);
    NEED(paths);
    NEED(model);
    for (size_t i = 0; i < count; i++) NEED(paths[i]);
    TRY(dataset_open_files(dataset, paths, count, model->network.channels, model->network.height,
                           model->network.width, model->pad));
fail:
    return status;
}

swwae_status swwae_dataset_check_held_out(const swwae_dataset *dataset, const swwae_model *model) {
    swwae_status status = SWWAE_OK;
    NEED(dataset);
    NEED(model);
    CHECK(model->held_out == dataset->held_out, SWWAE_E_DATA,
          "the test images held out of %s are not those of the model's training: the data has "
          "changed since, or --test-count is another, and some may have been trained on; bring the "
          "data back as it was, leave out --test-count, or name other test images with --data",
          dataset->name);
fail:
    return status;
}

/* ---- Models ----------------------------------------------------------------------------- */

swwae_status swwae_model_create(swwae_model **model, const char *arch, int channels, int height,
                                int width, uint64_t seed) {
    swwae_status status = SWWAE_OK;
    NEED(model);
    NEED(arch);
    TRY(model_create(model, arch, channels, height, width, NULL));
    network_initialise((*model)->parameters, &(*model)->network, seed);
fail:
    return status;
}

swwae_status swwae_model_create_from(swwae_model **model, const swwae_options *options,
                                     int channels, int height, int width) {
    swwae_status status = SWWAE_OK;
    NEED(model);
    NEED(options);
    TRY(recipe_model(model, options, channels, height, width));
fail:
    return status;
}

swwae_status swwae_model_load(swwae_model **model, const char *path) {
    swwae_status status = SWWAE_OK;
    NEED(model);
    NEED(path);
    TRY(model_read(model, path));
fail:
    return status;
}

swwae_status swwae_model_save(const swwae_model *model, const char *path) {
    swwae_status status = SWWAE_OK;
    NEED(model);
    NEED(path);
    TRY(model_write(model, path, NULL));
fail:
    return status;
}

void swwae_model_free(swwae_model *model) { model_free(model); }

swwae_status swwae_model_set_threads(swwae_model *model, int threads) {
    swwae_status status = SWWAE_OK;
    NEED(model);
    CHECK(
        threads >= 0 && threads <= 256, SWWAE_E_ARGUMENT,
        "swwae_model_set_threads: %d threads found, expected 1 to 256, or 0 for one per processor",
        threads);
    if (threads == model->threads) return SWWAE_OK;
    model->threads = threads;
    model_drop_engines(model); /* made anew when needed */
fail:
    return status;
}

void swwae_model_image_size(const swwae_model *model, int *channels, int *height, int *width) {
    if (channels) *channels = model ? model->network.channels : 0;
    if (height) *height = model ? model->network.height : 0;
    if (width) *width = model ? model->network.width : 0;
}

int swwae_model_classes(const swwae_model *model) { return model ? model->network.classes : 0; }

const char *swwae_model_class_name(const swwae_model *model, int k) {
    return model && k >= 0 && k < model->network.classes ? model->class_names[k] : NULL;
}

size_t swwae_model_parameters(const swwae_model *model) {
    return model ? model->network.parameters : 0;
}

swwae_status swwae_model_describe(const swwae_model *model, char **json) {
    swwae_status status = SWWAE_OK;
    NEED(model);
    NEED(json);
    TRY(model_describe(model, json));
fail:
    return status;
}

void swwae_text_free(char *text) { free(text); }

swwae_status swwae_model_predict(swwae_model *model, const float *images, size_t n,
                                 float *probabilities) {
    swwae_status status = SWWAE_OK;
    NEED(model);
    NEED(images);
    NEED(probabilities);
    TRY(model_predict(model, images, n, probabilities));
fail:
    return status;
}

swwae_status swwae_model_reconstruct(swwae_model *model, const float *images, size_t n,
                                     swwae_where where, float *reconstructions) {
    swwae_status status = SWWAE_OK;
    NEED(model);
    NEED(images);
    NEED(reconstructions);
    CHECK(where == SWWAE_WHERE_OWN || where == SWWAE_WHERE_NONE || where == SWWAE_WHERE_OTHER,
          SWWAE_E_ARGUMENT, "swwae_model_reconstruct: where is %d, expected own, none or other",
          (int)where);
    TRY(model_reconstruct(model, images, n, where, reconstructions));
fail:
    return status;
}

swwae_status swwae_model_reconstruct_as(swwae_model *model, const float *images, size_t n, int k,
                                        float *reconstructions) {
    swwae_status status = SWWAE_OK;
    NEED(model);
    NEED(images);
    NEED(reconstructions);
    TRY(model_reconstruct_as(model, images, n, k, reconstructions));
fail:
    return status;
}

static swwae_status check_stage(const swwae_model *model, int stage, const char *function) {
    const int stages = model->network.stages;
    if (stage >= 0 && stage < stages) return SWWAE_OK;
    return status_set(SWWAE_E_ARGUMENT,
                      "%s: stage %d found, expected 0 to %d (the model has %d stages)", function,
                      stage, stages - 1, stages);
}

int swwae_model_stages(const swwae_model *model) { return model ? model->network.stages : 0; }

swwae_status swwae_model_code_size(const swwae_model *model, int stage, int *channels, int *height,
                                   int *width) {
    swwae_status status = SWWAE_OK;
    NEED(model);
    TRY(check_stage(model, stage, __func__));
    const struct stage *s = &model->network.stage[stage];
    if (channels) *channels = s->maps;
    if (height) *height = s->pooled_height;
    if (width) *width = s->pooled_width;
fail:
    return status;
}

double swwae_model_beta(const swwae_model *model, int stage) {
    const bool there = model && stage >= 0 && stage < model->network.stages;
    return there ? model->network.variant.beta[stage] : 0;
}

swwae_status swwae_model_encode(swwae_model *model, const float *images, size_t n, int stage,
                                float *what, uint8_t *where) {
    swwae_status status = SWWAE_OK;
    NEED(model);
    NEED(images);
    TRY(check_stage(model, stage, __func__));
    CHECK(!(swwae_model_beta(model, stage) > 0), SWWAE_E_ARGUMENT,
          "%s: stage %d has soft pooling, whose where is a position and not a cell; call "
          "swwae_model_encode_soft",
          __func__, stage);
    CHECK(what || where, SWWAE_E_ARGUMENT, "%s: what and where are both NULL", __func__);
    TRY(encode_images(model, images, n, stage, &(struct codes){.what = what, .cells = where}));
fail:
    return status;
}

swwae_status swwae_model_encode_soft(swwae_model *model, const float *images, size_t n, int stage,
                                     float *what, float *where) {
    swwae_status status = SWWAE_OK;
    NEED(model);
    NEED(images);
    TRY(check_stage(model, stage, __func__));
    CHECK(swwae_model_beta(model, stage) > 0, SWWAE_E_ARGUMENT,
          "%s: stage %d has max pooling, whose where is a cell and not a position; call "
          "swwae_model_encode",
          __func__, stage);
    CHECK(what || where, SWWAE_E_ARGUMENT, "%s: what and where are both NULL", __func__);
    TRY(encode_images(model, images, n, stage, &(struct codes){.what = what, .positions = where}));
fail:
    return status;
}

swwae_status swwae_encode(swwae_model *model, const swwae_dataset *dataset, int stage,
                          const char *prefix, swwae_progress_fn progress, void *user) {
    swwae_status status = SWWAE_OK;
    NEED(model);
    NEED(dataset);
    NEED(prefix);
    TRY(check_stage(model, stage, __func__));
    struct reporter reporter = report_begin(progress, user);
    TRY(encode_dataset(model, dataset, stage, prefix, &reporter));
fail:
    return status;
}

/* ---- Measuring -------------------------------------------------------------------------- */

swwae_status swwae_evaluate(swwae_model *model, const swwae_dataset *dataset,
                            swwae_progress_fn progress, void *user, swwae_evaluation *evaluation) {
    swwae_status status = SWWAE_OK;
    NEED(model);
    NEED(dataset);
    NEED(evaluation);
    struct reporter reporter = report_begin(progress, user);
    struct evaluate all = {.model = model,
                           .dataset = dataset,
                           .error = model_classifier_trained(model),
                           .rec = model_decoder_trained(model),
                           .confusion = true,
                           .what = "evaluate"};
    TRY(evaluate_run(evaluation, &all, &reporter));
fail:
    return status;
}

void swwae_evaluation_clear(swwae_evaluation *evaluation) {
    if (!evaluation) return;
    free(evaluation->confusion);
    memset(evaluation, 0, sizeof *evaluation);
}

/* ---- Training --------------------------------------------------------------------------- */

swwae_status swwae_options_fit(swwae_options *options, const swwae_dataset *dataset) {
    swwae_status status = SWWAE_OK;
    NEED(options);
    NEED(dataset);
    TRY(recipe_fit(options, dataset, NULL));
fail:
    return status;
}

swwae_status swwae_draw_labels(const swwae_options *options, char **text) {
    swwae_status status = SWWAE_OK;
    NEED(options);
    NEED(text);
    TRY(recipe_draw_text(text, options));
fail:
    return status;
}

swwae_status swwae_augment(const swwae_options *options, float *images, size_t n, int channels,
                           int height, int width, uint64_t first) {
    swwae_status status = SWWAE_OK;
    struct augment augment = {0};
    NEED(options);
    NEED(images);
    CHECK(channels >= 1 && channels <= DATASET_CHANNEL_LIMIT && height >= 1 &&
              height <= DATASET_SIDE_LIMIT && width >= 1 && width <= DATASET_SIDE_LIMIT,
          SWWAE_E_ARGUMENT,
          "images of %d x %d x %d found (channels x height x width), expected at most %d x %d x %d",
          channels, height, width, DATASET_CHANNEL_LIMIT, DATASET_SIDE_LIMIT, DATASET_SIDE_LIMIT);
    CHECK(n <= INT_MAX, SWWAE_E_ARGUMENT, "%zu images found, expected at most %d", n, INT_MAX);
    TRY(augmented_create(&augment, &options->settings, channels, height, width, 1));
    augment_images(&augment, images, n, first, NULL);
fail:
    augment_free(&augment);
    return status;
}

swwae_status swwae_train(const swwae_options *options, swwae_progress_fn progress, void *user) {
    swwae_status status = SWWAE_OK;
    NEED(options);
    TRY(trainer_train(options, progress, user));
fail:
    return status;
}

swwae_status swwae_resume(const char *run, const swwae_options *more, swwae_progress_fn progress,
                          void *user) {
    swwae_status status = SWWAE_OK;
    NEED(run);
    TRY(trainer_resume(run, more, progress, user));
fail:
    return status;
}

swwae_status swwae_bench(const swwae_options *options, int channels, int height, int width,
                         int repetitions, swwae_progress_fn progress, void *user, char **json) {
    swwae_status status = SWWAE_OK;
    struct reporter reporter = report_begin(progress, user);
    NEED(options);
    NEED(json);
    CHECK(repetitions >= 1, SWWAE_E_ARGUMENT, "%d repetitions found, expected at least 1",
          repetitions);
    TRY(benchmark(options, channels, height, width, repetitions, &reporter, json));
fail:
    return status;
}

/* ---- Studies ---------------------------------------------------------------------------- */

const swwae_study_info *swwae_study_info_at(size_t i) {
    const struct study_kind *kind = study_kind_at(i);
    return kind ? &kind->info : NULL;
}

swwae_status swwae_study(const char *name, const swwae_options *options,
                         const swwae_study_settings *settings, swwae_progress_fn progress,
                         void *user) {
    swwae_status status = SWWAE_OK;
    const swwae_study_settings none = {0}, *s = settings ? settings : &none;
    NEED(name);
    NEED(options);
    CHECK(s->seeds >= 0 && s->seeds <= 1000, SWWAE_E_ARGUMENT,
          "%s: %d seeds found, expected 1 to 1000, or 0 for the study's own number", __func__,
          s->seeds);
    CHECK(s->jobs >= 0 && s->jobs <= 256, SWWAE_E_ARGUMENT,
          "%s: %d jobs found, expected 1 to 256, or 0 for one for each processor", __func__,
          s->jobs);
    struct reporter reporter = report_begin(progress, user);
    TRY(study_run(name, options, s, &reporter));
fail:
    return status;
}
