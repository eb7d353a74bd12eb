/* evaluate.c - classification error, cross-entropy, reconstruction error; see evaluate.h. */
#include "train/evaluate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

swwae_status evaluate_check_size(const struct swwae_model *model,
                                 const struct swwae_dataset *dataset) {
    const struct network *n = &model->network;
    const struct swwae_dataset *d = dataset;
    if (d->channels == n->channels && d->height == n->height && d->width == n->width)
        return SWWAE_OK;
    char hint[64] = "";
    if (d->channels == n->channels && n->height == n->width && d->height <= n->height &&
        d->width <= n->width)
        snprintf(hint, sizeof hint, "; open the data with --pad %d", n->height);
    else if (d->channels == n->channels && d->pad && !model->pad)
        snprintf(hint, sizeof hint, "; open the data without --pad");
    return status_set(
        SWWAE_E_DATA,
        "the data has images of %d x %d x %d (channels, height, width), but the model "
        "works on %d x %d x %d%s",
        d->channels, d->height, d->width, n->channels, n->height, n->width, hint);
}

/* Running totals. */
struct totals {
    size_t labelled, wrong;
    double nll, rec;
};

/* -log softmax(logits)[label], and the class with the largest logit. NaN where a logit is not
 * finite. */
static double cross_entropy(int *predicted, const float *logits, int classes, int label) {
    int best = 0;
    double sum = 0;
    for (int k = 1; k < classes; k++)
        if (logits[k] > logits[best]) best = k;
    for (int k = 0; k < classes; k++) sum += exp((double)logits[k] - (double)logits[best]);
    *predicted = best;
    return log(sum) + (double)logits[best] - (double)logits[label];
}

static double squared_error(const float *a, const float *b, size_t pixels) {
    double sum = 0;
    for (size_t i = 0; i < pixels; i++) {
        double d = (double)a[i] - (double)b[i];
        sum += d * d;
    }
    return sum;
}

/* Adds `n` images beginning at place `first`. */
static swwae_status add(struct totals *totals, struct swwae_evaluation *evaluation,
                        const struct evaluate *e, const float *images, /* (n, pixels) */
                        const float *logits,                           /* (n, classes) */
                        const float *rebuilt,                          /* (n, pixels) */
                        size_t first, size_t n) {
    int classes = e->model->network.classes;
    size_t pixels = model_pixels(e->model);
    for (size_t j = 0; j < n; j++) {
        size_t image = e->indices ? e->indices[first + j] : first + j;
        int32_t label = e->dataset->labels ? e->dataset->labels[image] : -1;
        double nll = 0, rec = 0;
        if (e->rec) rec = squared_error(rebuilt + j * pixels, images + j * pixels, pixels);
        const bool labelled = label >= 0 && label < classes;
        totals->labelled += labelled;
        if (e->error && labelled) {
            int predicted;
            nll = cross_entropy(&predicted, logits + j * (size_t)classes, classes, label);
            totals->wrong += predicted != label;
            if (evaluation->confusion)
                evaluation->confusion[(size_t)label * (size_t)classes + (size_t)predicted]++;
        }
        if (!isfinite(nll) || !isfinite(rec))
            return status_set(SWWAE_E_NUMERIC,
                              "the model's output for image %zu is not a finite number; was its "
                              "training cut off with a learning rate that is too high?",
                              image);
        totals->nll += nll;
        totals->rec += rec;
    }
    return SWWAE_OK;
}

swwae_status evaluate_run(struct swwae_evaluation *evaluation, const struct evaluate *e,
                          struct reporter *reporter) {
    swwae_status status = SWWAE_OK;
    double start = report_now();
    size_t count = e->indices ? e->count : e->dataset->count, pixels = model_pixels(e->model);
    size_t classes = (size_t)e->model->network.classes;
    size_t chunk = count < MODEL_CHUNK ? count : MODEL_CHUNK;
    struct swwae_evaluation result = {.images = count, .classes = (int)classes};
    struct totals totals = {0};
    float *images = calloc(chunk * pixels + 1, sizeof *images);
    float *rebuilt = e->rec ? calloc(chunk * pixels + 1, sizeof *rebuilt) : NULL;
    float *logits = calloc(chunk * classes + 1, sizeof *logits);
    CHECK(images && logits && (rebuilt || !e->rec), SWWAE_E_MEMORY,
          "no memory to measure %zu images at a time", chunk);
    CHECK(count, SWWAE_E_DATA, "there are no images to measure the model on");
    TRY(evaluate_check_size(e->model, e->dataset));
    if (e->error && e->confusion && classes) {
        result.confusion = calloc(classes * classes, sizeof *result.confusion);
        CHECK(result.confusion, SWWAE_E_MEMORY, "no memory for a table of %zu x %zu classes",
              classes, classes);
    }
    for (size_t i = 0; i < count; i += chunk) {
        size_t n = count - i < chunk ? count - i : chunk;
        struct forward forward = {.logits = e->error && classes ? logits : NULL,
                                  .reconstruction = rebuilt};
        for (size_t j = 0; j < n; j++)
            dataset_image(e->dataset, e->indices ? e->indices[i + j] : i + j, images + j * pixels);
        TRY(model_forward(e->model, SWWAE_WHERE_OWN, &forward, images, n));
        TRY(add(&totals, &result, e, images, logits, rebuilt, i, n));
        if (report_due(reporter)) report_count(reporter, e->what, i + n, count, start);
        CHECK(!reporter->stop, SWWAE_E_INTERRUPTED, "stopped after %zu of %zu images", i + n,
              count);
    }
    result.labelled = totals.labelled;
    result.has_error = e->error && totals.labelled > 0;
    if (result.has_error) {
        result.error = 100 * (double)totals.wrong / (double)totals.labelled;
        result.nll = totals.nll / (double)totals.labelled;
    } else {
        free(result.confusion);
        result.confusion = NULL;
    }
    result.has_rec = e->rec;
    if (e->rec) result.rec = totals.rec / ((double)count * (double)pixels);
    result.seconds = report_now() - start;
    *evaluation = result;
    result.confusion = NULL;
fail:
    free(result.confusion);
    free(images);
    free(rebuilt);
    free(logits);
    return status;
}
