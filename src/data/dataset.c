/* dataset.c - a data set in memory and the questions one can ask it; see dataset.h. */
#include "data/dataset.h"

#include "base/json.h"
#include "data/input.h"
#include "data/shapes.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

swwae_status dataset_adopt(struct swwae_dataset **dataset, uint8_t *images, size_t count,
                           int channels, int height, int width, int classes, int with_labels) {
    swwae_status status = SWWAE_OK;
    struct swwae_dataset *d = NULL;
    CHECK(count > 0, SWWAE_E_DATA, "a data set needs at least one image");
    CHECK(channels >= 1 && channels <= DATASET_CHANNEL_LIMIT, SWWAE_E_DATA,
          "images have %d channels, expected 1 to %d", channels, DATASET_CHANNEL_LIMIT);
    CHECK(height >= 1 && height <= DATASET_SIDE_LIMIT && width >= 1 && width <= DATASET_SIDE_LIMIT,
          SWWAE_E_DATA, "images are %d x %d pixels (height x width), expected sides of 1 to %d",
          height, width, DATASET_SIDE_LIMIT);
    CHECK(classes >= 0 && classes <= DATASET_CLASS_LIMIT, SWWAE_E_DATA,
          "a data set of %d classes, expected 0 to %d", classes, DATASET_CLASS_LIMIT);
    size_t bytes;
    CHECK(!__builtin_mul_overflow((size_t)channels * (size_t)height, (size_t)width, &bytes) &&
              !__builtin_mul_overflow(count, bytes, &bytes) &&
              count <= SIZE_MAX / sizeof *d->labels,
          SWWAE_E_MEMORY, "not enough memory for %zu images of %d x %d x %d bytes", count, channels,
          height, width);
    d = calloc(1, sizeof *d);
    CHECK(d, SWWAE_E_MEMORY, "not enough memory for a data set");
    d->count = count;
    d->channels = channels;
    d->height = height;
    d->width = width;
    d->classes = classes;
    if (with_labels) {
        d->labels = calloc(count, sizeof *d->labels);
        CHECK(d->labels, SWWAE_E_MEMORY, "not enough memory for %zu labels", count);
        for (size_t i = 0; i < count; i++) d->labels[i] = -1;
    }
    if (classes > 0) {
        d->class_names = calloc((size_t)classes, sizeof *d->class_names);
        CHECK(d->class_names, SWWAE_E_MEMORY, "not enough memory for %d class names", classes);
        for (int k = 0; k < classes; k++)
            snprintf(d->class_names[k], sizeof d->class_names[k], "%d", k);
    }
    d->images = images;
    *dataset = d;
    return SWWAE_OK;
fail:
    swwae_dataset_free(d);
    return status;
}

swwae_status dataset_allocate(struct swwae_dataset **dataset, size_t count, int channels,
                              int height, int width, int classes, int with_labels) {
    struct swwae_dataset *d = NULL;
    swwae_status status =
        dataset_adopt(&d, NULL, count, channels, height, width, classes, with_labels);
    if (!d) return status;
    d->images = calloc(count, (size_t)channels * (size_t)height * (size_t)width);
    if (!d->images) {
        swwae_dataset_free(d);
        return status_set(SWWAE_E_MEMORY, "not enough memory for %zu images of %d x %d x %d bytes",
                          count, channels, height, width);
    }
    *dataset = d;
    return SWWAE_OK;
}

void swwae_dataset_free(swwae_dataset *dataset) {
    if (!dataset) return;
    for (size_t f = 0; f < dataset->file_count; f++) free(dataset->files[f]);
    free(dataset->files);
    free(dataset->file_first);
    free(dataset->folder);
    free(dataset->number);
    free(dataset->truth);
    free(dataset->class_names);
    free(dataset->labels);
    free(dataset->images);
    free(dataset);
}

swwae_status dataset_add_file(struct swwae_dataset *dataset, const char *path, size_t first) {
    swwae_status status = SWWAE_OK;
    size_t n = dataset->file_count, length = strlen(path) + 1;
    char *copy = malloc(length);
    CHECK(copy, SWWAE_E_MEMORY, "not enough memory for a data set");
    memcpy(copy, path, length);
    if ((n & (n - 1)) == 0) { /* full at every power of two */
        size_t room = n ? 2 * n : 1;
        char **files = realloc(dataset->files, room * sizeof *files);
        CHECK(files, SWWAE_E_MEMORY, "not enough memory for a data set of %zu files", room);
        dataset->files = files;
        size_t *firsts = realloc(dataset->file_first, room * sizeof *firsts);
        CHECK(firsts, SWWAE_E_MEMORY, "not enough memory for a data set of %zu files", room);
        dataset->file_first = firsts;
    }
    dataset->files[n] = copy;
    dataset->file_first[n] = first;
    dataset->file_count++;
    return SWWAE_OK;
fail:
    free(copy);
    return status;
}

bool dataset_name_good(const char *name) {
    const unsigned char *at = (const unsigned char *)name;
    json_t *utf8 = json_string(name); /* NULL for what is not UTF-8 */
    bool good = utf8 && *at && strlen(name) < 64;
    for (; good && *at; at++)
        good = *at >= ' ' && *at != 0x7f && !(at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f);
    json_decref(utf8);
    return good;
}

void dataset_centre(uint8_t *out, const uint8_t *in, size_t planes, int height, int width,
                    int to_height, int to_width) {
    size_t top = (size_t)(to_height - height) / 2, left = (size_t)(to_width - width) / 2;
    size_t row = (size_t)width, to_row = (size_t)to_width;
    for (size_t p = 0; p < planes; p++)
        for (size_t y = 0; y < (size_t)height; y++)
            memcpy(out + (p * (size_t)to_height + top + y) * to_row + left,
                   in + (p * (size_t)height + y) * row, row);
}

swwae_status dataset_pad(struct swwae_dataset *dataset, int side) {
    swwae_status status = SWWAE_OK;
    int height = dataset->height, width = dataset->width;
    CHECK(side >= 0 && side <= DATASET_SIDE_LIMIT, SWWAE_E_ARGUMENT,
          "pad is %d, expected 0 (none) to %d", side, DATASET_SIDE_LIMIT);
    if (side == 0 || (side == height && side == width)) return SWWAE_OK;
    CHECK(height <= side && width <= side, SWWAE_E_DATA,
          "the images of %s are %d x %d pixels (height x width) and cannot be padded to %d x %d; "
          "choose a larger pad or 0",
          dataset->name, height, width, side, side);
    size_t planes = dataset->count * (size_t)dataset->channels; /* fits: images of it exist */
    size_t bytes;
    CHECK(!__builtin_mul_overflow(planes, (size_t)side * (size_t)side, &bytes), SWWAE_E_MEMORY,
          "not enough memory to pad %zu images to %d x %d", dataset->count, side, side);
    uint8_t *padded = calloc(bytes, 1);
    CHECK(padded, SWWAE_E_MEMORY, "not enough memory to pad %zu images to %d x %d", dataset->count,
          side, side);
    dataset_centre(padded, dataset->images, planes, height, width, side, side);
    free(dataset->images);
    dataset->images = padded;
    dataset->height = dataset->width = dataset->pad = side;
fail:
    return status;
}

size_t dataset_number(const struct swwae_dataset *dataset, size_t i) {
    return dataset->number ? dataset->number[i] : i;
}

size_t dataset_labelled(const struct swwae_dataset *dataset) {
    size_t n = 0;
    for (size_t i = 0; dataset->labels && i < dataset->count; i++) n += dataset->labels[i] >= 0;
    return n;
}

size_t *dataset_class_counts(const struct swwae_dataset *dataset) {
    size_t *counts = calloc((size_t)dataset->classes + 1, sizeof *counts);
    for (size_t i = 0; counts && dataset->labels && i < dataset->count; i++)
        if (dataset->labels[i] >= 0 && dataset->labels[i] < dataset->classes)
            counts[dataset->labels[i]]++;
    return counts;
}

size_t dataset_total(const struct swwae_dataset *dataset) {
    return dataset->total ? dataset->total : dataset->count;
}

static size_t image_bytes(const struct swwae_dataset *dataset) {
    return (size_t)dataset->channels * (size_t)dataset->height * (size_t)dataset->width;
}

void dataset_image(const struct swwae_dataset *dataset, size_t i, float *image) {
    size_t bytes = image_bytes(dataset);
    const uint8_t *in = dataset->images + i * bytes;
    for (size_t j = 0; j < bytes; j++) image[j] = (float)in[j] / 255.0f;
}

swwae_status dataset_keep(struct swwae_dataset *dataset, const uint32_t *images, size_t count) {
    swwae_status status = SWWAE_OK;
    struct swwae_dataset *d = dataset;
    const size_t bytes = image_bytes(d);
    uint32_t *number = malloc((count + 1) * sizeof *number);
    CHECK(number, SWWAE_E_MEMORY, "not enough memory for the numbers of %zu images", count);
    for (size_t k = 0; k < count; k++) {
        const size_t i = images[k]; /* >= k */
        number[k] = (uint32_t)dataset_number(d, i);
        memmove(d->images + k * bytes, d->images + i * bytes, bytes);
        if (d->labels) d->labels[k] = d->labels[i];
        if (d->truth) d->truth[k] = d->truth[i];
    }
    d->total = dataset_total(d);
    d->count = count;
    free(d->number);
    d->number = number;
    uint8_t *smaller = realloc(d->images, (count ? count : 1) * bytes);
    if (smaller) d->images = smaller;
fail:
    return status;
}

uint8_t *dataset_repeated(const uint8_t *images, size_t count, size_t plane) {
    size_t bytes;
    if (__builtin_mul_overflow(count * plane, (size_t)3, &bytes)) return NULL;
    uint8_t *out = malloc(bytes + 1);
    for (size_t i = 0; out && i < 3 * count; i++)
        memcpy(out + i * plane, images + i / 3 * plane, plane);
    return out;
}

swwae_status swwae_dataset_repeat_gray(swwae_dataset *dataset) {
    swwae_status status = SWWAE_OK;
    CHECK(dataset, SWWAE_E_ARGUMENT, "swwae_dataset_repeat_gray: dataset is NULL");
    CHECK(dataset->channels == 1, SWWAE_E_DATA, "%s has images of %d channels, expected 1",
          dataset->name, dataset->channels);
    uint8_t *images = dataset_repeated(dataset->images, dataset->count, image_bytes(dataset));
    CHECK(images, SWWAE_E_MEMORY, "not enough memory for %zu images of 3 channels", dataset->count);
    free(dataset->images);
    dataset->images = images;
    dataset->channels = 3;
fail:
    return status;
}

/* ---- public questions ---- */

size_t swwae_dataset_count(const swwae_dataset *dataset) { return dataset ? dataset->count : 0; }

void swwae_dataset_image_size(const swwae_dataset *dataset, int *channels, int *height,
                              int *width) {
    if (channels) *channels = dataset ? dataset->channels : 0;
    if (height) *height = dataset ? dataset->height : 0;
    if (width) *width = dataset ? dataset->width : 0;
}

int swwae_dataset_classes(const swwae_dataset *dataset) { return dataset ? dataset->classes : 0; }

const char *swwae_dataset_class_name(const swwae_dataset *dataset, int k) {
    return dataset && k >= 0 && k < dataset->classes ? dataset->class_names[k] : NULL;
}

int32_t swwae_dataset_label(const swwae_dataset *dataset, size_t i) {
    return dataset && dataset->labels && i < dataset->count ? dataset->labels[i] : -1;
}

const char *swwae_dataset_source(swwae_dataset *dataset, size_t i) {
    if (!dataset || i >= dataset->count) return "";
    const size_t all = dataset_total(dataset);
    i = dataset_number(dataset, i);
    size_t low = 0, high = dataset->file_count; /* the last file whose first image is <= i */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (dataset->file_first[middle] <= i)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0) {
        snprintf(dataset->source, sizeof dataset->source, "%s[%zu]", dataset->name, i);
        return dataset->source;
    }
    size_t f = low - 1, first = dataset->file_first[f];
    size_t end = low < dataset->file_count ? dataset->file_first[low] : all;
    const char *path = dataset->files[f];
    if (!dataset->paths_given) path = input_base_name(path);
    if (end - first > 1)
        snprintf(dataset->source, sizeof dataset->source, "%.4095s[%zu]", path, i - first);
    else
        snprintf(dataset->source, sizeof dataset->source, "%.4095s", path);
    return dataset->source;
}

swwae_status swwae_dataset_image(const swwae_dataset *dataset, size_t i, float *image) {
    swwae_status status = SWWAE_OK;
    CHECK(dataset && image, SWWAE_E_ARGUMENT, "swwae_dataset_image was given NULL");
    CHECK(i < dataset->count, SWWAE_E_ARGUMENT, "there is no image %zu, the data set has %zu", i,
          dataset->count);
    dataset_image(dataset, i, image);
fail:
    return status;
}

/* ---- description ---- */

/* JSON text must be UTF-8, which a path need not be: then bytes past ASCII become '?'. */
static json_t *text_json(const char *text) {
    json_t *json = json_string(text);
    if (json) return json;
    size_t n = strlen(text);
    char *copy = malloc(n + 1);
    if (!copy) return NULL;
    for (size_t i = 0; i <= n; i++) copy[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
    json = json_string(copy);
    free(copy);
    return json;
}

/* NULL without memory, as of the next two. */
static json_t *counts_json(const struct swwae_dataset *dataset) {
    json_t *list = json_array();
    size_t *counts = dataset_class_counts(dataset);
    bool good = list && counts;
    for (int k = 0; good && k < dataset->classes; k++)
        good = !json_array_append_new(list, json_integer((json_int_t)counts[k]));
    free(counts);
    if (good) return list;
    json_decref(list);
    return NULL;
}

static json_t *names_json(const struct swwae_dataset *dataset) {
    json_t *list = json_array();
    for (int k = 0; list && k < dataset->classes; k++)
        if (json_array_append_new(list, text_json(dataset->class_names[k]))) {
            json_decref(list);
            return NULL;
        }
    return list;
}

/* Of class folders, whose files may be many, the folder alone. */
static json_t *files_json(const struct swwae_dataset *dataset) {
    json_t *list = json_array();
    bool good = list != NULL;
    if (good && dataset->folder) good = !json_array_append_new(list, text_json(dataset->folder));
    for (size_t f = 0; good && f < dataset->file_count && !dataset->folder; f++)
        good = !json_array_append_new(list, text_json(dataset->files[f]));
    if (good) return list;
    json_decref(list);
    return NULL;
}

swwae_status swwae_dataset_describe(const swwae_dataset *dataset, char **json) {
    swwae_status status = SWWAE_OK;
    json_t *root = NULL;
    CHECK(dataset && json, SWWAE_E_ARGUMENT, "swwae_dataset_describe was given NULL");
    /* "o" takes over its object, even on failure */
    root = json_pack("{s:o, s:I, s:i, s:i, s:i, s:i, s:i, s:o, s:o, s:I, s:o, s:I, s:I}", "name",
                     text_json(dataset->name), "images", (json_int_t)dataset->count, "channels",
                     dataset->channels, "height", dataset->height, "width", dataset->width, "pad",
                     dataset->pad, "classes", dataset->classes, "class_names", names_json(dataset),
                     "per_class", counts_json(dataset), "unlabelled",
                     (json_int_t)(dataset->count - dataset_labelled(dataset)), "files",
                     files_json(dataset), "gray", (json_int_t)dataset->gray, "ignored",
                     (json_int_t)dataset->ignored);
    CHECK(root, SWWAE_E_MEMORY, "not enough memory to describe a data set");
    char *text = json_text(root, JSON_INDENT(2));
    CHECK(text, SWWAE_E_MEMORY, "not enough memory to describe a data set");
    *json = text;
fail:
    json_decref(root);
    return status;
}
