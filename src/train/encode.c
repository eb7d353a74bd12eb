/* encode.c - what and where of a stage, as arrays and as files; see encode.h. */
#include "train/encode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/npy_writer.h"
#include "train/evaluate.h"

static size_t code_size(const struct swwae_model *model, int stage) {
    const struct stage *s = &model->network.stage[stage];
    return (size_t)s->maps * (size_t)s->pooled_height * (size_t)s->pooled_width;
}

swwae_status encode_images(struct swwae_model *model, const float *images, size_t n, int stage,
                           const struct codes *codes) {
    swwae_status status = SWWAE_OK;
    const size_t size = code_size(model, stage), pixels = model_pixels(model);
    TRY(model_check_images(model, images, n));
    TRY(model_engine(model));
    for (size_t i = 0; i < n; i += MODEL_CHUNK) {
        const size_t count = n - i < MODEL_CHUNK ? n - i : MODEL_CHUNK;
        const struct forward forward = {
            .stage = stage,
            .what = codes->what ? codes->what + i * size : NULL,
            .switches = codes->cells ? codes->cells + i * size : NULL,
            .positions = codes->positions ? codes->positions + 2 * i * size : NULL};
        TRY(engine_forward(model->engine, &forward, model->parameters, images + i * pixels,
                           (int)count));
    }
fail:
    return status;
}

/* PREFIX-labels.npy */
static swwae_status write_labels(const struct swwae_dataset *dataset, const char *path) {
    swwae_status status = SWWAE_OK;
    struct file_writer writer = {0};
    TRY(npy_begin(&writer, path, "<i4", &dataset->count, 1));
    for (size_t i = 0; i < dataset->count; i++) {
        const int32_t label = dataset->labels ? dataset->labels[i] : -1;
        TRY(file_put(&writer, &label, sizeof label));
    }
    TRY(file_commit(&writer));
fail:
    file_abandon(&writer);
    return status;
}

enum { WHAT, WHERE, LABELS, FILES };

swwae_status encode_dataset(struct swwae_model *model, const struct swwae_dataset *dataset,
                            int stage, const char *prefix, struct reporter *reporter) {
    swwae_status status = SWWAE_OK;
    static const char *const endings[FILES] = {"-what.npy", "-where.npy", "-labels.npy"};
    const struct stage *s = &model->network.stage[stage];
    const size_t size = code_size(model, stage), pixels = model_pixels(model);
    const size_t shape[5] = {dataset->count, (size_t)s->maps, (size_t)s->pooled_height,
                             (size_t)s->pooled_width, 2};
    const bool soft = model->network.variant.beta[stage] > 0;
    const size_t where_size = soft ? 2 * size * sizeof(float) : size; /* bytes */
    const double start = report_now();
    struct file_writer files[2] = {{0}, {0}};
    char *paths[FILES] = {NULL};
    float *images = calloc(MODEL_CHUNK * pixels, sizeof *images);
    float *what = calloc(MODEL_CHUNK * size, sizeof *what);
    void *where = calloc(MODEL_CHUNK, where_size);
    const struct codes codes = {
        .what = what, .cells = soft ? NULL : where, .positions = soft ? where : NULL};
    CHECK(images && what && where, SWWAE_E_MEMORY, "no memory to encode %d images at a time",
          MODEL_CHUNK);
    for (int f = 0; f < FILES; f++) {
        const size_t length = strlen(prefix) + strlen(endings[f]) + 1;
        CHECK(paths[f] = malloc(length), SWWAE_E_MEMORY, "no memory for a path");
        snprintf(paths[f], length, "%s%s", prefix, endings[f]);
    }
    TRY(evaluate_check_size(model, dataset));
    TRY(npy_begin(&files[WHAT], paths[WHAT], "<f4", shape, 4));
    TRY(npy_begin(&files[WHERE], paths[WHERE], soft ? "<f4" : "|u1", shape, soft ? 5 : 4));
    for (size_t i = 0; i < dataset->count; i += MODEL_CHUNK) {
        const size_t n = dataset->count - i < MODEL_CHUNK ? dataset->count - i : MODEL_CHUNK;
        for (size_t j = 0; j < n; j++) dataset_image(dataset, i + j, images + j * pixels);
        TRY(encode_images(model, images, n, stage, &codes));
        TRY(file_put(&files[WHAT], what, n * size * sizeof *what));
        TRY(file_put(&files[WHERE], where, n * where_size));
        if (report_due(reporter)) report_count(reporter, "encode", i + n, dataset->count, start);
        CHECK(!reporter->stop, SWWAE_E_INTERRUPTED, "stopped after %zu of %zu images", i + n,
              dataset->count);
    }
    TRY(write_labels(dataset, paths[LABELS]));
    TRY(file_commit(&files[WHAT]));
    TRY(file_commit(&files[WHERE]));
fail:
    for (int f = 0; f < 2; f++) file_abandon(&files[f]);
    for (int f = 0; f < FILES; f++) free(paths[f]);
    free(images);
    free(what);
    free(where);
    return status;
}
