/* hold_out.c - test images taken from the training images; see hold_out.h. */
#include "data/hold_out.h"

#include "data/labels.h"

/* Fixed, so that trainings with different seeds are measured on the same images. */
#define SEED UINT64_C(0x7465737473657473)

/* 64-bit FNV-1a over what makes an image and its label. */
static uint64_t fingerprint(const struct swwae_dataset *d, const uint32_t *images, size_t count) {
    const size_t bytes = (size_t)d->channels * (size_t)d->height * (size_t)d->width;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t k = 0; k < count; k++) {
        const uint8_t *image = d->images + images[k] * bytes;
        const int32_t label = d->labels ? d->labels[images[k]] : -1;
        for (size_t j = 0; j < bytes; j++) hash = (hash ^ image[j]) * UINT64_C(0x100000001b3);
        for (int shift = 0; shift < 32; shift += 8)
            hash = (hash ^ ((uint32_t)label >> shift & 0xff)) * UINT64_C(0x100000001b3);
    }
    return hash ? hash : 1;
}

swwae_status hold_out(struct swwae_dataset *dataset, swwae_split split, size_t count) {
    swwae_status status = SWWAE_OK;
    struct label_draw draw = {0};
    if (!count) return SWWAE_OK;
    CHECK(count < dataset->count, SWWAE_E_DATA,
          "%zu of the %zu training images of %s cannot be held out as test images, expected fewer "
          "than there are (--test-count)",
          count, dataset->count, dataset->name);
    /* a draw of `count` validation images is what is wanted */
    TRY(labels_draw(&draw, dataset, 0, count, SEED));
    dataset->held_out = fingerprint(dataset, draw.validation, draw.validation_count);
    if (split == SWWAE_SPLIT_TEST)
        TRY(dataset_keep(dataset, draw.validation, draw.validation_count));
    else
        TRY(dataset_keep(dataset, draw.unlabelled, draw.unlabelled_count));
fail:
    labels_free(&draw);
    return status;
}
