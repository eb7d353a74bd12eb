/* files.c - image files of any kind as one data set without labels; see dataset.h. */
#include "data/dataset.h"
#include "data/idx.h"
#include "data/image.h"
#include "data/input.h"
#include "data/npy.h"

#include <stdlib.h>
#include <string.h>

/* The images of one file. */
struct planes {
    uint8_t *data; /* (count, channels, height, width) */
    size_t count, channels, height, width;
    bool matrix; /* an array of two dimensions: one image, or one row an image */
};

/* Names the dimensions of an array: (H, W), (N, H, W) or (N, C, H, W). */
static swwae_status planes_shape(struct planes *planes, const char *path, int rank,
                                 const size_t *size) {
    if (rank < 2)
        return status_set(SWWAE_E_DATA,
                          "%s has one dimension, which is no image; expected (height, width), (N, "
                          "height, width) or (N, channels, height, width)",
                          path);
    planes->width = size[rank - 1];
    planes->height = size[rank - 2];
    planes->channels = rank == 4 ? size[1] : 1;
    planes->count = rank >= 3 ? size[0] : 1;
    planes->matrix = rank == 2;
    if (rank == 4 && (size[3] == 1 || size[3] == 3) && size[1] > 3)
        return status_set(SWWAE_E_DATA,
                          "%s has the shape (%zu, %zu, %zu, %zu), expected (N, channels, height, "
                          "width); move the channels (NumPy: a.transpose(0, 3, 1, 2))",
                          path, size[0], size[1], size[2], size[3]);
    return SWWAE_OK;
}

static swwae_status read_idx(struct planes *planes, const char *path) {
    struct idx idx;
    swwae_status status = idx_read(&idx, path);
    if (status != SWWAE_OK) return status;
    status = planes_shape(planes, path, idx.rank, idx.size);
    if (status == SWWAE_OK)
        planes->data = idx.data;
    else
        idx_free(&idx);
    return status;
}

static swwae_status read_npy(struct planes *planes, const char *path) {
    swwae_status status = SWWAE_OK;
    struct npy npy = {0};
    TRY(npy_read(&npy, path));
    TRY(planes_shape(planes, path, npy.rank, npy.size));
    size_t n = planes->count * planes->channels * planes->height * planes->width;
    CHECK(n > 0, SWWAE_E_INTERNAL, "%s was read as nothing", path);
    planes->data = malloc(n);
    CHECK(planes->data, SWWAE_E_MEMORY, "not enough memory for %s", path);
    for (size_t i = 0; i < n; i++) {
        float v = npy.data[i];
        CHECK(v >= 0.0f && v <= 1.0f, SWWAE_E_DATA,
              "%s holds the value %g, expected values of 0 to 1 (or uint8); scale them first", path,
              (double)v);
        planes->data[i] = (uint8_t)(v * 255.0f + 0.5f);
    }
fail:
    npy_free(&npy);
    return status;
}

static swwae_status read_picture(struct planes *planes, const char *path, int channels) {
    struct image image;
    swwae_status status = image_read(&image, path, channels);
    if (status != SWWAE_OK) return status;
    *planes = (struct planes){
        image.pixels, 1, (size_t)image.channels, (size_t)image.height, (size_t)image.width, false};
    return SWWAE_OK;
}

/* The content of any file a user may name. The caller frees planes->data, also on failure. */
static swwae_status read_file(struct planes *planes, const char *path, int channels) {
    swwae_status status = SWWAE_OK;
    FILE *file;
    enum input_kind kind;
    TRY(input_open(&file, NULL, path));
    status = input_recognise(&kind, file, path);
    fclose(file);
    TRY(status);
    switch (kind) {
    case INPUT_IDX: return read_idx(planes, path);
    case INPUT_NPY: return read_npy(planes, path);
    case INPUT_PNG:
    case INPUT_JPEG:
        CHECK(channels == 1 || channels == 3, SWWAE_E_DATA,
              "%s is a picture, but images of %d channels are expected; give a .npy file", path,
              channels);
        return read_picture(planes, path, channels);
    case INPUT_UNKNOWN: break;
    }
    CHECK(false, SWWAE_E_FORMAT, "%s is none of PNG, JPEG, IDX and .npy", path);
fail:
    return status;
}

/* (count, plane) of (count, 3, plane); NULL: no memory. */
static uint8_t *luma(const uint8_t *images, size_t count, size_t plane) {
    uint8_t *out = malloc(count * plane + 1); /* a third of what is there */
    for (size_t i = 0; out && i < count; i++) {
        const uint8_t *in = images + i * 3 * plane;
        for (size_t p = 0; p < plane; p++)
            out[i * plane + p] = image_luma(in[p], in[plane + p], in[2 * plane + p]);
    }
    return out;
}

/* Turns the channels of a file into those expected: gray repeated or RGB to luma. */
static swwae_status convert_channels(struct planes *planes, const char *path, int channels) {
    swwae_status status = SWWAE_OK;
    size_t from = planes->channels, to = (size_t)channels;
    if (from == to) return SWWAE_OK;
    CHECK((from == 1 || from == 3) && (to == 1 || to == 3), SWWAE_E_DATA,
          "%s has images of %zu channels, expected %d", path, from, channels);
    size_t plane = planes->height * planes->width;
    uint8_t *out = to == 3 ? dataset_repeated(planes->data, planes->count, plane)
                           : luma(planes->data, planes->count, plane);
    CHECK(out, SWWAE_E_MEMORY, "not enough memory for %s", path);
    free(planes->data);
    planes->data = out;
    planes->channels = to;
fail:
    return status;
}

static swwae_status check_size(const struct planes *planes, const char *path, int height, int width,
                               int pad) {
    if (planes->height == (size_t)height && planes->width == (size_t)width) return SWWAE_OK;
    if (planes->matrix && planes->width % ((size_t)height * (size_t)width) == 0)
        return status_set(SWWAE_E_DATA,
                          "%s has the shape (%zu, %zu), expected an image of (%d, %d), or several "
                          "as (N, channels, height, width); reshape it (NumPy: a.reshape(-1, "
                          "channels, height, width))",
                          path, planes->height, planes->width, height, width);
    if (pad == 0)
        return status_set(SWWAE_E_DATA,
                          "%s is %zu x %zu pixels (height x width), expected %d x %d; resize it",
                          path, planes->height, planes->width, height, width);
    if (planes->height > (size_t)pad || planes->width > (size_t)pad)
        return status_set(SWWAE_E_DATA,
                          "%s is %zu x %zu pixels (height x width), expected %d x %d or smaller "
                          "(then it is padded); resize it",
                          path, planes->height, planes->width, height, width);
    return SWWAE_OK;
}

/* Appends a file's images to the data set, whose room is counted in images. */
static swwae_status append(struct swwae_dataset *dataset, const struct planes *planes,
                           const char *path, size_t *room) {
    swwae_status status = SWWAE_OK;
    size_t channels = (size_t)dataset->channels, bytes, need;
    size_t image = channels * (size_t)dataset->height * (size_t)dataset->width;
    CHECK(!__builtin_add_overflow(dataset->count, planes->count, &need) &&
              !__builtin_mul_overflow(need, image, &bytes) && bytes <= SIZE_MAX / 2,
          SWWAE_E_MEMORY, "not enough memory for the images of %s", path);
    if (need > *room) {
        size_t grown = need > 2 * *room ? need : 2 * *room;
        uint8_t *images = realloc(dataset->images, grown * image);
        CHECK(images, SWWAE_E_MEMORY, "not enough memory for the images of %s", path);
        dataset->images = images;
        *room = grown;
    }
    TRY(dataset_add_file(dataset, path, dataset->count));
    uint8_t *out = dataset->images + dataset->count * image;
    memset(out, 0, planes->count * image);
    dataset_centre(out, planes->data, planes->count * channels, (int)planes->height,
                   (int)planes->width, dataset->height, dataset->width);
    dataset->count = need;
fail:
    return status;
}

swwae_status dataset_open_files(struct swwae_dataset **dataset, const char *const *paths,
                                size_t count, int channels, int height, int width, int pad) {
    swwae_status status = SWWAE_OK;
    struct swwae_dataset *d = NULL;
    struct planes planes = {0};
    size_t room = 0;
    CHECK(dataset && (paths || count == 0), SWWAE_E_ARGUMENT, "dataset_open_files was given NULL");
    CHECK(count > 0, SWWAE_E_DATA, "no image file was given, expected at least one");
    CHECK(pad == 0 || (pad == height && pad == width), SWWAE_E_ARGUMENT,
          "images padded to %d x %d cannot be %d x %d pixels (height x width)", pad, pad, height,
          width);
    TRY(dataset_adopt(&d, NULL, 1, channels, height, width, 0, 0));
    d->count = 0; /* dataset_adopt checks the sizes; images follow */
    d->pad = pad;
    d->paths_given = true;
    for (size_t f = 0; f < count; f++) {
        CHECK(paths[f], SWWAE_E_ARGUMENT, "file name %zu is NULL", f + 1);
        TRY(read_file(&planes, paths[f], channels));
        CHECK(planes.data, SWWAE_E_INTERNAL, "%s was read as nothing", paths[f]);
        TRY(check_size(&planes, paths[f], height, width, pad));
        TRY(convert_channels(&planes, paths[f], channels));
        TRY(append(d, &planes, paths[f], &room));
        free(planes.data);
        planes = (struct planes){0};
    }
    snprintf(d->name, sizeof d->name, "%.63s", count == 1 ? input_base_name(paths[0]) : "files");
    *dataset = d;
    return SWWAE_OK;
fail:
    free(planes.data);
    swwae_dataset_free(d);
    return status;
}
