/* derived.c - the data a study trains on, and the copy it makes where it needs other images: fewer,
 * or moved ones (paper section 4.2, "translated MNIST"); see study.h.
 *
 * The copy is a folder of IDX files like any other data set, so that its runs can be repeated and
 * measured by the command. */
#include "study/study.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rng.h"
#include "data/dataset.h"
#include "io/file.h"
#include "train/options.h"

swwae_status study_open_data(swwae_dataset **dataset, const struct study *study,
                             swwae_split split) {
    const struct settings *s = &study->options->settings;
    return swwae_dataset_open_held_out(dataset, s->data, split, s->pad, (size_t)s->test_count);
}

void study_shift(float *to, const float *from, int dx, int dy, int channels, int height,
                 int width) {
    for (int c = 0; c < channels; c++)
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++) {
                const int sx = x - dx, sy = y - dy;
                const bool inside = sx >= 0 && sx < width && sy >= 0 && sy < height;
                to[(c * height + y) * width + x] =
                    inside ? from[(c * height + sy) * width + sx] : 0;
            }
}

swwae_status study_order(uint32_t **order, size_t *count, const swwae_dataset *dataset) {
    swwae_status status = SWWAE_OK;
    const size_t all = swwae_dataset_count(dataset);
    uint32_t *made = calloc(all + 1, sizeof *made);
    size_t n = 0;
    CHECK(made, SWWAE_E_MEMORY, "no memory for the order of %zu images", all);
    for (size_t i = 0; i < all; i++)
        if (!swwae_dataset_classes(dataset) || swwae_dataset_label(dataset, i) >= 0)
            made[n++] = (uint32_t)i;
    if (dataset->folder) {
        struct rng rng = rng_stream(0, RNG_ORDER, 0);
        rng_shuffle(&rng, made, n);
    }
    *order = made;
    *count = n;
fail:
    return status;
}

/* ---- IDX files -------------------------------------------------------------------------- */

/* The files of a split that is being copied. */
struct copy {
    const swwae_dataset *from;
    const uint32_t *order; /* the first `count` are copied */
    swwae_split split;
    size_t count;
    int most;
    uint64_t seed;
    int channels, height, width;
};

static void put_size(uint8_t to[4], size_t size) {
    for (int i = 0; i < 4; i++) to[i] = (uint8_t)(size >> (24 - 8 * i));
}

/* Image i, moved, as bytes. image and moved hold one image each. */
static swwae_status copy_image(uint8_t *to, const struct copy *copy, size_t i, float *image,
                               float *moved) {
    swwae_status status = SWWAE_OK;
    const size_t pixels = (size_t)copy->channels * (size_t)copy->height * (size_t)copy->width;
    int shift[2] = {0, 0};
    if (copy->most) {
        struct rng rng = rng_stream(copy->seed, RNG_SHIFT, (uint64_t)copy->split << 62 | i);
        for (int a = 0; a < 2; a++)
            shift[a] = (int)rng_below(&rng, 2 * (uint64_t)copy->most + 1) - copy->most;
    }
    TRY(swwae_dataset_image(copy->from, copy->order[i], image));
    study_shift(moved, image, shift[0], shift[1], copy->channels, copy->height, copy->width);
    for (size_t k = 0; k < pixels; k++) to[k] = (uint8_t)lroundf(moved[k] * 255);
fail:
    return status;
}

static swwae_status write_images(const char *path, const struct copy *copy) {
    swwae_status status = SWWAE_OK;
    struct file_writer writer = {0};
    const size_t pixels = (size_t)copy->channels * (size_t)copy->height * (size_t)copy->width;
    /* unsigned bytes; rank 3, or 4 with channels */
    uint8_t header[20] = {0, 0, 8, copy->channels > 1 ? 4 : 3}, *bytes = malloc(pixels);
    float *image = calloc(2 * pixels, sizeof *image);
    size_t size = 4;
    CHECK(bytes && image, SWWAE_E_MEMORY, "%.400s: no memory for an image", path);
    const size_t sizes[] = {copy->count, (size_t)copy->channels, (size_t)copy->height,
                            (size_t)copy->width};
    for (int d = 0; d < 4; d++)
        if (d != 1 || copy->channels > 1) {
            put_size(header + size, sizes[d]);
            size += 4;
        }
    TRY(file_begin(&writer, path));
    TRY(file_put(&writer, header, size));
    for (size_t i = 0; i < copy->count; i++) {
        TRY(copy_image(bytes, copy, i, image, image + pixels));
        TRY(file_put(&writer, bytes, pixels));
    }
    TRY(file_commit(&writer));
fail:
    file_abandon(&writer);
    free(bytes);
    free(image);
    return status;
}

static swwae_status write_labels(const char *path, const struct copy *copy) {
    swwae_status status = SWWAE_OK;
    uint8_t *bytes = malloc(8 + copy->count);
    CHECK(bytes, SWWAE_E_MEMORY, "%.400s: no memory for the labels", path);
    memcpy(bytes, (uint8_t[]){0, 0, 8, 1}, 4);
    put_size(bytes + 4, copy->count);
    for (size_t i = 0; i < copy->count; i++)
        bytes[8 + i] = (uint8_t)swwae_dataset_label(copy->from, copy->order[i]);
    TRY(file_write(path, bytes, 8 + copy->count));
fail:
    free(bytes);
    return status;
}

/* Files that are there are whole (they are renamed into place) and would come out the same. */
static swwae_status copy_split(struct study *study, swwae_split split, size_t count, int most) {
    swwae_status status = SWWAE_OK;
    swwae_dataset *dataset = NULL;
    uint32_t *order = NULL;
    char path[STUDY_PATH], name[64];
    const char *prefix = split == SWWAE_SPLIT_TRAIN ? "train" : "t10k";
    TRY(study_open_data(&dataset, study, split));
    size_t all = 0;
    TRY(study_order(&order, &all, dataset));
    struct copy copy = {.from = dataset,
                        .order = order,
                        .split = split,
                        .count = !count || count > all ? all : count,
                        .most = most,
                        .seed = study->seed};
    swwae_dataset_image_size(dataset, &copy.channels, &copy.height, &copy.width);
    const int classes = swwae_dataset_classes(dataset);
    snprintf(name, sizeof name, "data/%s-images-idx%d-ubyte", prefix, copy.channels > 1 ? 4 : 3);
    TRY(study_path(path, study, name));
    if (access(path, F_OK)) TRY(write_images(path, &copy));
    snprintf(name, sizeof name, "data/%s-labels-idx1-ubyte", prefix);
    TRY(study_path(path, study, name));
    /* a label is one byte; without, the images are as good */
    if (classes > 0 && classes <= 256 && access(path, F_OK)) TRY(write_labels(path, &copy));
fail:
    swwae_dataset_free(dataset);
    free(order);
    return status;
}

swwae_status study_derive_data(struct study *study, size_t train_count, size_t test_count,
                               int most) {
    swwae_status status = SWWAE_OK;
    char path[STUDY_PATH];
    TRY(study_path(path, study, "data"));
    TRY(file_make_folder(path));
    TRY(copy_split(study, SWWAE_SPLIT_TRAIN, train_count, most));
    TRY(copy_split(study, SWWAE_SPLIT_TEST, test_count, most));
    TRY(swwae_options_set(study->options, "data", path));
    TRY(swwae_options_set(study->options, "pad", "0"));
    TRY(swwae_options_set(study->options, "test-count", "0")); /* the copy has test images */
fail:
    return status;
}
