/* model_file.c - writing and reading models; see model_file.h. */
#include "train/model_file.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "train/number.h"
#include "train/options.h"

#define METADATA_LIMIT 32

/* ---- Writing ---------------------------------------------------------------------------- */

static char *class_names_json(const struct swwae_model *model) {
    json_t *array = json_array();
    bool good = array != NULL;
    for (int k = 0; good && k < model->network.classes; k++)
        good = !json_array_append_new(array, json_string(model->class_names[k]));
    char *text = good ? json_text(array, JSON_COMPACT) : NULL;
    json_decref(array);
    return text;
}

static struct safetensor tensor_of(const struct view *view, const float *parameters) {
    struct safetensor tensor = {.rank = view->rank, .data = parameters + view->offset};
    snprintf(tensor.name, sizeof tensor.name, "%s", view->name);
    for (int i = 0; i < view->rank; i++) tensor.shape[i] = view->shape[i];
    return tensor;
}

swwae_status model_write(const struct swwae_model *model, const char *path,
                         const struct model_extra *extra) {
    swwae_status status = SWWAE_OK;
    const struct network *network = &model->network;
    size_t count = network->view_count, pairs = 0;
    const struct variant *variant = &network->variant;
    char arch[NOTATION_TEXT], number[5][NUMBER_TEXT], beta[MODEL_BETA_TEXT], held_out[17];
    const char *metadata[METADATA_LIMIT][2];
    char *names = class_names_json(model);
    struct safetensor *tensors = calloc(count + MODEL_EXTRA_TENSORS, sizeof *tensors);
    CHECK(names && tensors, SWWAE_E_MEMORY,
          "%.400s: no memory to write it, or a class name that is not UTF-8", path);
    for (size_t i = 0; i < count; i++) tensors[i] = tensor_of(&network->view[i], model->parameters);
    notation_print(arch, &network->notation);
    model_print_beta(beta, network);
    snprintf(held_out, sizeof held_out, "%016" PRIx64, model->held_out);
    snprintf(number[0], NUMBER_TEXT, "%d", network->channels);
    snprintf(number[1], NUMBER_TEXT, "%d", network->height);
    snprintf(number[2], NUMBER_TEXT, "%d", network->width);
    snprintf(number[3], NUMBER_TEXT, "%d", model->pad);
    snprintf(number[4], NUMBER_TEXT, "%llu", (unsigned long long)model->step);
#define PAIR(key, value) metadata[pairs][0] = (key), metadata[pairs++][1] = (value)
    PAIR("format", extra ? CHECKPOINT_FORMAT : MODEL_FORMAT);
    PAIR("library", swwae_version());
    PAIR("architecture", arch);
    PAIR("channels", number[0]);
    PAIR("height", number[1]);
    PAIR("width", number[2]);
    PAIR("pad", number[3]);
    PAIR("normalisation", normalisation_names[model->contrast]);
    PAIR("output", output_names[variant->output]);
    PAIR("reduction", reduction_names[model->reduction]);
    PAIR("beta", beta);
    PAIR("unpool", unpooling_names[variant->unpooling]);
    PAIR("decoder_top", decoder_top_names[variant->classes_top]);
    PAIR("tied", tied_names[variant->tied]);
    PAIR("norm", norm_names[variant->norm]);
    PAIR("class_names", names);
    PAIR("data", model->data);
    if (model->held_out) PAIR("held_out", held_out);
    PAIR("step", number[4]);
    if (model->options) PAIR("options", model->options);
    for (size_t i = 0; extra && i < extra->metadata_count; i++)
        PAIR(extra->metadata[i][0], extra->metadata[i][1]);
    for (size_t i = 0; extra && i < extra->tensor_count; i++) tensors[count++] = extra->tensors[i];
    const char *const(*text)[2] = (const char *const(*)[2])metadata;
    TRY(extra ? safetensors_write_checked(path, extra->previous, tensors, count, text, pairs)
              : safetensors_write(path, tensors, count, text, pairs));
fail:
    free(tensors);
    free(names);
    return status;
}

/* ---- Reading: metadata ------------------------------------------------------------------ */

static swwae_status need(const char **value, const struct safetensors *file, const char *path,
                         const char *key) {
    *value = safetensors_metadata(file, key);
    if (*value) return SWWAE_OK;
    return status_set(SWWAE_E_FORMAT,
                      "%.400s: has no metadata \"%s\", so it is not a model written by swwae", path,
                      key);
}

static swwae_status need_whole(int64_t *value, const struct safetensors *file, const char *path,
                               const char *key, int64_t low, int64_t high) {
    const char *text;
    int64_t read;
    swwae_status status = need(&text, file, path, key);
    if (status != SWWAE_OK) return status;
    if (!number_parse_whole(&read, text, false) || read < low || read > high)
        return status_set(SWWAE_E_FORMAT,
                          "%.400s: metadata \"%s\" is \"%.40s\", expected a whole number from %lld "
                          "to %lld",
                          path, key, text, (long long)low, (long long)high);
    *value = read;
    return SWWAE_OK;
}

static swwae_status need_word(int *index, const struct safetensors *file, const char *path,
                              const char *key, const char *const *words, int count) {
    const char *text;
    swwae_status status = need(&text, file, path, key);
    if (status != SWWAE_OK) return status;
    for (int i = 0; i < count; i++)
        if (!strcmp(text, words[i])) {
            *index = i;
            return SWWAE_OK;
        }
    return status_set(SWWAE_E_FORMAT, "%.400s: metadata \"%s\" is \"%.40s\", expected \"%s\"%s",
                      path, key, text, words[0],
                      count > 1 ? " or another word this version knows" : "");
}

/* The same for what files older than the option lack: *index then stays. */
static swwae_status take_word(int *index, const struct safetensors *file, const char *path,
                              const char *key, const char *const *words, int count) {
    if (!safetensors_metadata(file, key)) return SWWAE_OK;
    return need_word(index, file, path, key, words, count);
}

/* "hard", or a sharpness for each of the architecture's stages; nothing in older files. */
static swwae_status take_beta(double *beta, const struct safetensors *file, const char *path,
                              const char *arch) {
    const char *text = safetensors_metadata(file, "beta");
    struct notation notation;
    int count = 0;
    if (!text || !strcmp(text, BETA_HARD)) return SWWAE_OK;
    bool good = notation_parse(&notation, arch) != SWWAE_OK || /* told by network_build */
                (number_parse_list(beta, &count, NOTATION_STAGES, text, BETA_HARD) &&
                 count == notation.stages);
    for (int s = 0; s < count; s++) good = good && beta[s] >= 0 && beta[s] <= BETA_MOST;
    if (good) return SWWAE_OK;
    return status_set(SWWAE_E_FORMAT,
                      "%.400s: metadata \"beta\" is \"%.40s\", expected \"" BETA_HARD
                      "\", or that or a number above 0 and at most %g for each of the "
                      "architecture's stages",
                      path, text, BETA_MOST);
}

static swwae_status take_variant(struct variant *variant, const struct safetensors *file,
                                 const char *path, const char *arch) {
    swwae_status status = SWWAE_OK;
    int output = 0, unpooling = 0, top = 0, tied = 0, norm = 0;
    TRY(need_word(&output, file, path, "output", output_names, 2));
    TRY(take_word(&unpooling, file, path, "unpool", unpooling_names, 4));
    TRY(take_word(&top, file, path, "decoder_top", decoder_top_names, 2));
    TRY(take_word(&tied, file, path, "tied", tied_names, 2));
    TRY(take_word(&norm, file, path, "norm", norm_names, 3));
    TRY(take_beta(variant->beta, file, path, arch));
    variant->output = (enum output)output;
    variant->unpooling = (enum unpooling)unpooling;
    variant->classes_top = top;
    variant->tied = tied;
    variant->norm = (enum batch_norm)norm;
fail:
    return status;
}

static swwae_status check_format(const struct safetensors *file, const char *path) {
    const char *text;
    swwae_status status = need(&text, file, path, "format");
    if (status != SWWAE_OK) return status;
    if (!strcmp(text, CHECKPOINT_FORMAT)) return need(&text, file, path, "crc32");
    if (!strcmp(text, MODEL_FORMAT) || !strcmp(text, CHECKPOINT_FORMAT_1)) return SWWAE_OK;
    return status_set(SWWAE_E_FORMAT,
                      "%.400s: format \"%.40s\" found, expected \"" MODEL_FORMAT
                      "\" or \"" CHECKPOINT_FORMAT "\"",
                      path, text);
}

/* A JSON array of as many texts as there are classes. */
static swwae_status take_class_names(struct swwae_model *model, const struct safetensors *file,
                                     const char *path) {
    swwae_status status = SWWAE_OK;
    json_t *array = NULL;
    json_error_t fault;
    size_t classes = (size_t)model->network.classes;
    const char *text;
    TRY(need(&text, file, path, "class_names"));
    array = json_parse(text, strlen(text), 0, &fault);
    CHECK(array || json_at_fault(&fault), SWWAE_E_MEMORY, "%.400s: no memory for its class names",
          path);
    CHECK(json_is_array(array) && json_array_size(array) == classes, SWWAE_E_FORMAT,
          "%.400s: metadata \"class_names\" is not a JSON array of %zu names, one for each class "
          "of the architecture",
          path, classes);
    for (size_t k = 0; k < classes; k++) {
        const char *name = json_string_value(json_array_get(array, k));
        CHECK(name && strlen(name) < sizeof *model->class_names, SWWAE_E_FORMAT,
              "%.400s: name %zu in metadata \"class_names\" is not a text of at most %zu bytes",
              path, k, sizeof *model->class_names - 1);
        snprintf(model->class_names[k], sizeof *model->class_names, "%s", name);
    }
fail:
    json_decref(array);
    return status;
}

/* 16 hexadecimal digits; nothing where no test images were held out. */
static swwae_status take_held_out(struct swwae_model *model, const struct safetensors *file,
                                  const char *path) {
    const char *text = safetensors_metadata(file, "held_out");
    if (!text) return SWWAE_OK;
    if (strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16)
        return status_set(SWWAE_E_FORMAT,
                          "%.400s: metadata \"held_out\" is \"%.40s\", expected 16 hexadecimal "
                          "digits",
                          path, text);
    model->held_out = strtoull(text, NULL, 16);
    return SWWAE_OK;
}

static swwae_status take_options(struct swwae_model *model, const struct safetensors *file,
                                 const char *path) {
    swwae_status status = SWWAE_OK;
    const char *text = safetensors_metadata(file, "options");
    if (!text) return SWWAE_OK;
    char *copy = strdup(text);
    CHECK(copy, SWWAE_E_MEMORY, "%.400s: no memory for its options", path);
    status = model_set_options(model, copy);
    if (status != SWWAE_OK) status = status_prefix(status, "%.400s", path);
fail:
    return status;
}

/* ---- Reading: tensors ------------------------------------------------------------------- */

/* "(64, 1, 5, 5)" */
static void print_shape(char *text, size_t size, const size_t *shape, int rank) {
    size_t used = (size_t)snprintf(text, size, "(");
    for (int i = 0; i < rank; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%zu", i ? ", " : "", shape[i]);
    snprintf(text + used, size - used, ")");
}

static swwae_status check_tensors(const struct network *network, const struct safetensors *file,
                                  const char *path) {
    for (size_t i = 0; i < network->view_count; i++) {
        const struct view *view = &network->view[i];
        const struct safetensor *tensor = safetensors_find(file, view->name);
        char found[128], expected[128];
        print_shape(expected, sizeof expected, view->shape, view->rank);
        if (!tensor)
            return status_set(SWWAE_E_FORMAT,
                              "%.400s: tensor %s is missing, the architecture expects one of shape "
                              "%s",
                              path, view->name, expected);
        print_shape(found, sizeof found, tensor->shape, tensor->rank);
        if (strcmp(found, expected) != 0)
            return status_set(SWWAE_E_FORMAT, "%.400s: tensor %s has shape %s, expected %s", path,
                              view->name, found, expected);
    }
    size_t more = 0;
    const char *first = NULL;
    for (size_t i = 0; i < file->count; i++) {
        const char *name = file->tensors[i].name;
        bool known = !strncmp(name, OPTIMIZER_PREFIX, strlen(OPTIMIZER_PREFIX)) ||
                     !strncmp(name, TEACHER_PREFIX, strlen(TEACHER_PREFIX));
        for (size_t j = 0; !known && j < network->view_count; j++)
            known = !strcmp(name, network->view[j].name);
        if (known) continue;
        if (!more++) first = name;
    }
    if (more)
        return status_set(SWWAE_E_FORMAT,
                          "%.400s: tensor %.127s is not part of the architecture (%zu such)", path,
                          first, more);
    return SWWAE_OK;
}

static swwae_status take_values(struct swwae_model *model, const struct safetensors *file,
                                const char *path) {
    for (size_t i = 0; i < model->network.view_count; i++) {
        const struct view *view = &model->network.view[i];
        const float *data = safetensors_find(file, view->name)->data;
        const char *last = strrchr(view->name, '.');
        const bool variance = last && !strcmp(last, ".variance");
        for (size_t k = 0; k < view->size; k++) {
            if (!isfinite(data[k]))
                return status_set(SWWAE_E_FORMAT,
                                  "%.400s: value %zu of tensor %s is not a finite number", path, k,
                                  view->name);
            if (variance && data[k] < 0)
                return status_set(
                    SWWAE_E_FORMAT,
                    "%.400s: value %zu of tensor %s is %g, expected a variance, which "
                    "is not negative",
                    path, k, view->name, (double)data[k]);
            model->parameters[view->offset + k] = data[k];
        }
    }
    return SWWAE_OK;
}

swwae_status model_take(struct swwae_model **model, const struct safetensors *file,
                        const char *path) {
    swwae_status status = SWWAE_OK;
    struct network network = {0};
    struct variant variant = {0};
    struct swwae_model *made = NULL;
    const char *arch, *data;
    int64_t channels = 0, height = 0, width = 0, pad = 0, step = 0;
    int reduction = 0, scaling = 0;
    TRY(check_format(file, path));
    TRY(need(&arch, file, path, "architecture"));
    TRY(need_whole(&channels, file, path, "channels", 1, 1024));
    TRY(need_whole(&height, file, path, "height", 1, 4096));
    TRY(need_whole(&width, file, path, "width", 1, 4096));
    TRY(need_whole(&pad, file, path, "pad", 0, 4096));
    TRY(need_whole(&step, file, path, "step", 0, INT64_MAX));
    TRY(need_word(&reduction, file, path, "reduction", reduction_names, 3));
    TRY(need_word(&scaling, file, path, "normalisation", normalisation_names, 2));
    TRY(need(&data, file, path, "data"));
    TRY(take_variant(&variant, file, path, arch));
    /* Shapes first: parameters are only allocated once the file is known to hold as many. */
    status = network_build(&network, arch, (int)channels, (int)height, (int)width, &variant);
    if (status != SWWAE_OK) {
        status = status_prefix(status == SWWAE_E_MEMORY ? status : SWWAE_E_FORMAT, "%.400s", path);
        goto fail;
    }
    TRY(check_tensors(&network, file, path));
    TRY(model_create(&made, arch, (int)channels, (int)height, (int)width, &variant));
    made->pad = (int)pad;
    made->step = (uint64_t)step;
    made->contrast = scaling == 1;
    made->reduction = (enum reduction)reduction;
    snprintf(made->data, sizeof made->data, "%.63s", data);
    TRY(take_class_names(made, file, path));
    TRY(take_held_out(made, file, path));
    TRY(take_options(made, file, path));
    TRY(take_values(made, file, path));
    *model = made;
    made = NULL;
fail:
    network_clear(&network);
    model_free(made);
    return status;
}

swwae_status model_read(struct swwae_model **model, const char *path) {
    swwae_status status = SWWAE_OK;
    struct safetensors file = {0};
    struct stat about;
    char *inside = NULL;
    if (!stat(path, &about) && S_ISDIR(about.st_mode)) {
        size_t room = strlen(path) + sizeof CHECKPOINT_FILE + 1;
        inside = malloc(room);
        CHECK(inside, SWWAE_E_MEMORY, "%.400s: no memory for its name", path);
        snprintf(inside, room, "%s/" CHECKPOINT_FILE, path);
        bool started = !stat(inside, &about);
        snprintf(inside, room, "%s/" MODEL_FILE, path);
        CHECK(!stat(inside, &about), SWWAE_E_IO, "%.400s: %s", path,
              started ? "this run has no best model yet; go on with it, or give its "
                        "" CHECKPOINT_FILE
                      : "no " MODEL_FILE " in this folder; give a model file or the folder of a "
                        "run");
        path = inside;
    }
    TRY(safetensors_read(&file, path));
    TRY(model_take(model, &file, path));
fail:
    safetensors_free(&file);
    free(inside);
    return status;
}
