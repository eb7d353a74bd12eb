/* model.c - making models and running them forward; see model.h. */
#include "train/model.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/json.h"
#include "base/parallel.h"
#include "train/contrast.h"
#include "train/options.h"

const char *const normalisation_names[2] = {"byte/255", "byte/255, each image standardised"};
const char *const decoder_top_names[2] = {"features", "classes"};
const char *const tied_names[2] = {"no", "yes"};

swwae_status model_create(struct swwae_model **model, const char *arch, int channels, int height,
                          int width, const struct variant *variant) {
    swwae_status status = SWWAE_OK;
    struct swwae_model *made = calloc(1, sizeof *made);
    CHECK(made, SWWAE_E_MEMORY, "no memory for a model");
    TRY(network_build(&made->network, arch, channels, height, width, variant));
    made->parameters = calloc(made->network.parameters, sizeof *made->parameters);
    CHECK(made->parameters, SWWAE_E_MEMORY, "no memory for the %zu parameters of the model",
          made->network.parameters);
    if (made->network.classes) {
        size_t classes = (size_t)made->network.classes;
        made->class_names = calloc(classes, sizeof *made->class_names);
        CHECK(made->class_names, SWWAE_E_MEMORY, "no memory for the names of %zu classes", classes);
        for (size_t k = 0; k < classes; k++) snprintf(made->class_names[k], 64, "%zu", k);
    }
    *model = made;
    return SWWAE_OK;
fail:
    model_free(made);
    return status;
}

void model_print_beta(char text[MODEL_BETA_TEXT], const struct network *network) {
    bool soft = false;
    for (int s = 0; s < network->stages; s++) soft = soft || network->variant.beta[s] > 0;
    number_print_list(text, network->variant.beta, soft ? network->stages : 1, BETA_HARD);
}

void model_free(struct swwae_model *model) {
    if (!model) return;
    model_drop_engines(model);
    network_clear(&model->network);
    free(model->parameters);
    free(model->class_names);
    free(model->options);
    free(model);
}

int model_threads(const struct swwae_model *model) {
    return model->threads ? model->threads : parallel_processors();
}

swwae_status model_engine(struct swwae_model *model, swwae_where where) {
    if (model->engine[where]) return SWWAE_OK;
    const char *complaint;
    struct engine_options options = {.where = where,
                                     .threads = model_threads(model),
                                     .isa = (int)cpu_choose(&complaint),
                                     .dense = !cpu_sparse(),
                                     .direct = !cpu_winograd()};
    return engine_create(&model->engine[where], &model->network, &options);
}

void model_drop_engines(struct swwae_model *model) {
    for (int where = 0; where < 3; where++) {
        engine_free(model->engine[where]);
        model->engine[where] = NULL;
    }
}

/* The images standardised before, the reconstructions brought back after. */
static swwae_status forward_contrast(struct swwae_model *model, swwae_where where,
                                     const struct forward *forward, const float *images, size_t n) {
    swwae_status status = SWWAE_OK;
    const size_t pixels = model_pixels(model);
    float *in = calloc(n * pixels, sizeof *in);
    struct contrast *contrast = calloc(n, sizeof *contrast);
    CHECK(in && contrast, SWWAE_E_MEMORY, "no memory for %zu images", n);
    for (size_t i = 0; i < n; i++) {
        contrast[i] = contrast_of(images + i * pixels, pixels);
        contrast_apply(in + i * pixels, images + i * pixels, contrast[i], pixels);
    }
    TRY(engine_forward(model->engine[where], forward, model->parameters, in, (int)n));
    for (size_t i = 0; forward->reconstruction && i < n; i++)
        contrast_undo(forward->reconstruction + i * pixels, contrast[i], pixels);
fail:
    free(in);
    free(contrast);
    return status;
}

swwae_status model_forward(struct swwae_model *model, swwae_where where,
                           const struct forward *forward, const float *images, size_t n) {
    swwae_status status = model_engine(model, where);
    if (status != SWWAE_OK) return status;
    if (model->contrast) return forward_contrast(model, where, forward, images, n);
    return engine_forward(model->engine[where], forward, model->parameters, images, (int)n);
}

/* Whether an option of the training that is a number, or a list of them, is above 0 throughout. */
static bool option_positive(const json_t *options, const char *name) {
    const json_t *value = json_object_get(options, name);
    const char *text = json_string_value(value);
    double list[NOTATION_STAGES];
    int count = 0;
    if (!value) return true;
    if (!text) return json_number_value(value) > 0;
    if (!number_parse_list(list, &count, NOTATION_STAGES, text, NULL)) return false;
    for (int i = 0; i < count; i++)
        if (!(list[i] > 0)) return false;
    return true;
}

swwae_status model_set_options(struct swwae_model *model, char *options) {
    swwae_status status = SWWAE_OK;
    json_error_t fault;
    json_t *object = json_parse(options, strlen(options), 0, &fault);
    CHECK(object || json_at_fault(&fault), SWWAE_E_MEMORY, "no memory for the options of a model");
    CHECK(json_is_object(object), SWWAE_E_FORMAT,
          "metadata \"options\" is \"%.40s\", expected a JSON object", options);
    const char *layers = json_string_value(json_object_get(object, "rec-layers"));
    bool decoder = option_positive(object, "lambda-rec");
    if (layers && !strcmp(layers, layers_names[LAYERS_LAYERWISE]) &&
        objective_boundaries(&model->network))
        decoder = decoder && option_positive(object, "lambda-m");
    model->no_classifier = !option_positive(object, "lambda-nll");
    model->no_decoder = !decoder;
    free(model->options);
    model->options = options;
    options = NULL;
fail:
    json_decref(object);
    free(options);
    return status;
}

bool model_classifier_trained(const struct swwae_model *model) { return !model->no_classifier; }

bool model_decoder_trained(const struct swwae_model *model) { return !model->no_decoder; }

size_t model_pixels(const struct swwae_model *model) {
    const struct network *n = &model->network;
    return (size_t)n->channels * (size_t)n->height * (size_t)n->width;
}

bool model_softmax(float *probabilities, const float *logits, int classes) {
    float top = logits[0];
    double sum = 0;
    for (int k = 0; k < classes; k++) {
        if (!isfinite(logits[k])) return false;
        if (logits[k] > top) top = logits[k];
    }
    for (int k = 0; k < classes; k++) sum += exp((double)logits[k] - (double)top);
    for (int k = 0; k < classes; k++)
        probabilities[k] = (float)(exp((double)logits[k] - (double)top) / sum);
    return true;
}

#define BEYOND 8.0f /* what interpolation or standardising may make of 0 to 1; bytes are beyond */

/* One value that is not a number would silently spread over everything the net computes. */
swwae_status model_check_images(const struct swwae_model *model, const float *images, size_t n) {
    size_t pixels = model_pixels(model), values;
    if (__builtin_mul_overflow(pixels, n, &values) || values > PTRDIFF_MAX / sizeof *images)
        return status_set(SWWAE_E_ARGUMENT,
                          "%zu images of %zu values found, more than memory can hold", n, pixels);
    for (size_t i = 0; i < values; i++)
        if (!(images[i] >= -BEYOND && images[i] <= 1 + BEYOND))
            return status_set(SWWAE_E_ARGUMENT,
                              isfinite(images[i]) ? "image %zu holds the value %g, expected values "
                                                    "from 0 to 1; scale them first"
                                                  : "image %zu holds a value that is not a finite "
                                                    "number (%g), expected values from 0 to 1",
                              i / pixels, (double)images[i]);
    return SWWAE_OK;
}

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

swwae_status model_predict(struct swwae_model *model, const float *images, size_t n,
                           float *probabilities) {
    swwae_status status = SWWAE_OK;
    float *logits = NULL, *rows = NULL; /* (n, classes): the caller's stay untouched on failure */
    size_t classes = (size_t)model->network.classes, pixels = model_pixels(model), values;
    CHECK(classes, SWWAE_E_ARGUMENT,
          "the model has no fully connected layer, so it cannot classify; it reconstructs images");
    CHECK(model_classifier_trained(model), SWWAE_E_ARGUMENT,
          "the model's fully connected layers were not trained (lambda-nll 0 or no labels), so it "
          "cannot classify; it reconstructs images");
    TRY(model_check_images(model, images, n));
    CHECK(!__builtin_mul_overflow(n, classes, &values), SWWAE_E_ARGUMENT,
          "%zu images of %zu classes found, more than memory can hold", n, classes);
    logits = calloc(smaller(n, MODEL_CHUNK) * classes + 1, sizeof *logits);
    rows = calloc(values + 1, sizeof *rows);
    CHECK(logits && rows, SWWAE_E_MEMORY, "no memory for the probabilities of %zu images", n);
    for (size_t i = 0; i < n; i += MODEL_CHUNK) {
        size_t count = smaller(n - i, MODEL_CHUNK);
        struct forward forward = {.logits = logits};
        TRY(model_forward(model, SWWAE_WHERE_OWN, &forward, images + i * pixels, count));
        for (size_t j = 0; j < count; j++)
            CHECK(model_softmax(rows + (i + j) * classes, logits + j * classes, (int)classes),
                  SWWAE_E_NUMERIC,
                  "the model's output for image %zu is not a finite number; are its values from 0 "
                  "to 1?",
                  i + j);
    }
    memcpy(probabilities, rows, values * sizeof *rows);
fail:
    free(logits);
    free(rows);
    return status;
}

/* Switches of the next image, in a call of more images than a chunk: each chunk runs together with
 * the image that follows it, whose own reconstruction is dropped. */
static swwae_status reconstruct_other(struct swwae_model *model, const float *images, size_t n,
                                      float *reconstructions) {
    swwae_status status = SWWAE_OK;
    size_t pixels = model_pixels(model);
    float *in = calloc((MODEL_CHUNK + 1) * pixels, sizeof *in);
    float *out = calloc((MODEL_CHUNK + 1) * pixels, sizeof *out);
    CHECK(in && out, SWWAE_E_MEMORY, "no memory for %d images", 2 * (MODEL_CHUNK + 1));
    for (size_t i = 0; i < n; i += MODEL_CHUNK) {
        size_t count = smaller(n - i, MODEL_CHUNK), next = (i + count) % n;
        memcpy(in, images + i * pixels, count * pixels * sizeof *in);
        memcpy(in + count * pixels, images + next * pixels, pixels * sizeof *in);
        struct forward forward = {.reconstruction = out};
        TRY(model_forward(model, SWWAE_WHERE_OTHER, &forward, in, count + 1));
        memcpy(reconstructions + i * pixels, out, count * pixels * sizeof *out);
    }
fail:
    free(in);
    free(out);
    return status;
}

/* For calls that look at the decoder. */
static swwae_status check_decoder(const struct swwae_model *model) {
    if (model_decoder_trained(model)) return SWWAE_OK;
    return status_set(
        SWWAE_E_ARGUMENT,
        "the model's decoder was not trained (lambda-rec 0, or lambda-m 0 layerwise), "
        "so it cannot reconstruct; it classifies images");
}

/* What every chunk of images needs besides itself stands in forward. */
static swwae_status reconstruct(struct swwae_model *model, swwae_where where,
                                struct forward forward, const float *images, size_t n,
                                float *reconstructions) {
    swwae_status status = SWWAE_OK;
    const size_t pixels = model_pixels(model);
    for (size_t i = 0; i < n; i += MODEL_CHUNK) {
        forward.reconstruction = reconstructions + i * pixels;
        TRY(model_forward(model, where, &forward, images + i * pixels,
                          smaller(n - i, MODEL_CHUNK)));
    }
fail:
    return status;
}

swwae_status model_reconstruct(struct swwae_model *model, const float *images, size_t n,
                               swwae_where where, float *reconstructions) {
    swwae_status status = SWWAE_OK;
    TRY(check_decoder(model));
    TRY(model_check_images(model, images, n));
    if (where == SWWAE_WHERE_OTHER && n > MODEL_CHUNK)
        return reconstruct_other(model, images, n, reconstructions);
    TRY(reconstruct(model, where, (struct forward){0}, images, n, reconstructions));
fail:
    return status;
}

swwae_status model_reconstruct_as(struct swwae_model *model, const float *images, size_t n, int k,
                                  float *reconstructions) {
    swwae_status status = SWWAE_OK;
    const int classes = model->network.classes;
    CHECK(model->network.variant.classes_top, SWWAE_E_ARGUMENT,
          "the model's decoder starts from the features, so it cannot rebuild images as another "
          "class; train one with --decoder-top classes");
    CHECK(k >= 0 && k < classes, SWWAE_E_ARGUMENT,
          "class %d found, expected 0 to %d (the model has %d classes)", k, classes - 1, classes);
    TRY(check_decoder(model));
    CHECK(model_classifier_trained(model), SWWAE_E_ARGUMENT,
          "the model was not trained on labels (lambda-nll 0), so it cannot rebuild images as "
          "another class");
    TRY(model_check_images(model, images, n));
    TRY(reconstruct(model, SWWAE_WHERE_OWN, (struct forward){.as_class = &k}, images, n,
                    reconstructions));
fail:
    return status;
}
