/* study_data.h - the data set of tests of studies. */
#ifndef SWWAE_TESTS_STUDY_DATA_H
#define SWWAE_TESTS_STUDY_DATA_H

#include "runs.h"

#define TRAIN 240
#define TEST 60

/* ---- A data set with test images --------------------------------------------------------- */

static inline void write_split(const char *prefix, swwae_split split, size_t count) {
    struct swwae_dataset *d;
    char name[64];
    const size_t bytes = count * 32 * 32;
    unsigned char *images = calloc(1, 16 + bytes), *labels = calloc(1, 8 + count);
    well(shapes_generate(&d, 5, split, count));
    memcpy(images, (unsigned char[]){0, 0, 8, 3}, 4);
    memcpy(labels, (unsigned char[]){0, 0, 8, 1}, 4);
    put_size(images + 4, count);
    put_size(images + 8, 32);
    put_size(images + 12, 32);
    put_size(labels + 4, count);
    memcpy(images + 16, d->images, bytes);
    for (size_t i = 0; i < count; i++) labels[8 + i] = (unsigned char)d->labels[i];
    snprintf(name, sizeof name, "shapes-small/%s-images-idx3-ubyte", prefix);
    temporary_write(name, images, 16 + bytes);
    snprintf(name, sizeof name, "shapes-small/%s-labels-idx1-ubyte", prefix);
    temporary_write(name, labels, 8 + count);
    swwae_dataset_free(d);
    free(images);
    free(labels);
}

/* "shapes-small" in the temporary folder. */
static inline void small_split_data(void) {
    temporary_subfolder("shapes-small");
    write_split("train", SWWAE_SPLIT_TRAIN, TRAIN);
    write_split("t10k", SWWAE_SPLIT_TEST, TEST);
}

#endif
