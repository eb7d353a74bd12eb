/* fuzz_files.h - a picture or array file as a data set: the way `predict` takes. */
#ifndef SWWAE_TESTS_FUZZ_FILES_H
#define SWWAE_TESTS_FUZZ_FILES_H

#include "data/dataset.h"
#include "data/image.h"
#include "fuzz.h"

/* As one channel and as three. most: memory that reading the file itself may take. */
static inline void fuzz_open(const char *path, size_t most) {
    float image[3 * 32 * 32];
    for (int channels = 1; channels <= 3; channels += 2) {
        struct swwae_dataset *d = NULL;
        fuzz_begin();
        swwae_status status = dataset_open_files(&d, &path, 1, channels, 32, 32, 32);
        /* gray may be tripled, and an image of one pixel padded to 32 x 32 */
        fuzz_end("dataset_open_files", 64 * KIB + (5 + 3 * 32 * 32) * most, status);
        if (status != SWWAE_OK) continue;
        for (size_t i = 0; i < swwae_dataset_count(d) && i < 4; i++)
            fuzz_must(swwae_dataset_image(d, i, image) == SWWAE_OK && image[0] >= 0 &&
                          image[0] <= 1 && *swwae_dataset_source(d, i),
                      "images of a file that was read");
        swwae_dataset_free(d);
    }
}

/* A picture read by itself in gray and in colour, which may take so much memory, and as a data
 * set. */
static inline void fuzz_picture(const char *path, size_t most) {
    for (int channels = 1; channels <= 3; channels += 2) {
        struct image image = {0};
        fuzz_begin();
        swwae_status status = image_read(&image, path, channels);
        fuzz_end("image_read", most, status);
        image_free(&image);
    }
    fuzz_open(path, most);
}

#endif
