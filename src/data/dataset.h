/* dataset.h - a data set in memory: bytes, labels, class names. */
#ifndef SWWAE_DATA_DATASET_H
#define SWWAE_DATA_DATASET_H

#include "base/status.h"

#define DATASET_SIDE_LIMIT 4096    /* height and width of an image, as a model's */
#define DATASET_CHANNEL_LIMIT 1024 /* channels of an image, as a model's */
#define DATASET_CLASS_LIMIT 65536

/* The same struct as the public swwae_dataset. */
struct swwae_dataset {
    char name[64];   /* "mnist"; the folder's last part for a folder */
    uint8_t *images; /* (count, channels, height, width), padding included */
    int32_t *labels; /* (count), -1: none; NULL: no labels at all */
    size_t count;
    int channels, height, width;
    int pad;                    /* the side images were padded to; 0: not padded */
    int classes;                /* 0: no labels */
    char (*class_names)[64];    /* (classes) */
    struct shapes_truth *truth; /* (count) for "shapes", else NULL */
    char **files;               /* where images come from: (file_count) paths */
    size_t *file_first;         /* (file_count) index of the first image of each file, rising */
    size_t file_count;
    bool paths_given;  /* sources are the files' paths, not their base names */
    char *folder;      /* what the paths start from, in a folder of class folders; else NULL */
    uint32_t *number;  /* (count) the images' numbers in the files, rising; NULL: 0, 1, ... */
    size_t total;      /* images in the files where some are held out; 0: none is */
    uint64_t held_out; /* fingerprint of the images held out; 0: none is */
    size_t gray;       /* of class folders: images without colour */
    size_t ignored;    /* of class folders: other files in them */
    char source[4128]; /* swwae_dataset_source's answer: a path and a number */
};

/* Books a data set of `count` images with zeroed bytes; with_labels: labels set to -1. Classes are
 * named by their numbers. count at least 1, channels, height and width from 1 to the limits above
 * (SWWAE_E_DATA otherwise), classes 0..DATASET_CLASS_LIMIT. All sizes are checked for overflow.
 * Release with swwae_dataset_free. */
swwae_status dataset_allocate(struct swwae_dataset **dataset, size_t count, int channels,
                              int height, int width, int classes, int with_labels);

/* As dataset_allocate, for images that are there already: takes over `images` (malloc'ed) on
 * success only; NULL: left for the caller to set. */
swwae_status dataset_adopt(struct swwae_dataset **dataset, uint8_t *images, size_t count,
                           int channels, int height, int width, int classes, int with_labels);

/* Notes that the images from index `first` on come from the file `path` (copied). Call it in
 * rising order of `first`. */
swwae_status dataset_add_file(struct swwae_dataset *dataset, const char *path, size_t first);

/* Whether a name can be a class's: 1 to 63 bytes of UTF-8 without control characters. */
bool dataset_name_good(const char *name);

/* The number of image i among those of the files. */
size_t dataset_number(const struct swwae_dataset *dataset, size_t i);

/* Images with a label. */
size_t dataset_labelled(const struct swwae_dataset *dataset);

/* The number of images with each class's label, calloc'ed; NULL without memory. */
size_t *dataset_class_counts(const struct swwae_dataset *dataset);

/* All images in the files, those that are held out too. */
size_t dataset_total(const struct swwae_dataset *dataset);

/* (count, 3, plane) of (count, plane), malloc'ed: each plane three times. NULL: no memory. */
uint8_t *dataset_repeated(const uint8_t *images, size_t count, size_t plane);

/* Keeps `count` images, numbers in `images`, rising. SWWAE_E_MEMORY. */
swwae_status dataset_keep(struct swwae_dataset *dataset, const uint32_t *images, size_t count);

/* Zero-pads every image, centred, to side x side (odd remainders go to the right and bottom).
 * side 0 or the present size: nothing to do. SWWAE_E_DATA if an image is larger, SWWAE_E_ARGUMENT
 * if side is not 0..DATASET_SIDE_LIMIT. */
swwae_status dataset_pad(struct swwae_dataset *dataset, int side);

/* Copies `planes` planes of height x width into zeroed planes of to_height x to_width (no smaller),
 * centred as dataset_pad does. */
void dataset_centre(uint8_t *out, const uint8_t *in, size_t planes, int height, int width,
                    int to_height, int to_width);

/* Image i as values 0..1, scaled by 1/255 exactly as PyTorch's ToTensor does (byte / 255.f). */
void dataset_image(const struct swwae_dataset *dataset, size_t i, float *image);

/* Reads image files as one data set without labels (files.c). paths: count of them, at least 1:
 * PNG, JPEG, IDX (plain or gzipped) or .npy, recognised by content first, then by name. IDX and
 * .npy hold (height, width), (N, height, width) or (N, channels, height, width); .npy floats must
 * be in 0..1 and are rounded to bytes.
 *
 * channels: what images are decoded to; gray is repeated, RGB reduced to luma, other numbers of
 * channels must match. height, width: the size expected. pad: 0, or height and width equal it and
 * any smaller image is zero-padded, centred. Anything else is SWWAE_E_DATA naming the file, the
 * size found and the size expected. */
swwae_status dataset_open_files(struct swwae_dataset **dataset, const char *const *paths,
                                size_t count, int channels, int height, int width, int pad);

#endif
