/* encode.h - what and where of a stage, as arrays and as files. */
#ifndef SWWAE_TRAIN_ENCODE_H
#define SWWAE_TRAIN_ENCODE_H

#include "data/dataset.h"
#include "train/model.h"
#include "train/report.h"

/* The codes of n images; pointers may be NULL. */
struct codes {
    float *what;      /* (n, maps, pooled height, pooled width) */
    uint8_t *cells;   /* the same shape: the where of max pooling */
    float *positions; /* (n, maps, pooled height, pooled width, 2): that of soft pooling */
};

/* As the public swwae_model_encode, swwae_model_encode_soft and swwae_encode; stage is one of the
 * model's, and a where is asked for as its pooling leaves it. */
swwae_status encode_images(struct swwae_model *model, const float *images, size_t n, int stage,
                           const struct codes *codes);
swwae_status encode_dataset(struct swwae_model *model, const struct swwae_dataset *dataset,
                            int stage, const char *prefix, struct reporter *reporter);

#endif
