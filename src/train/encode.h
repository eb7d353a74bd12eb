/* encode.h - what and where of a stage, as arrays and as files. */
#ifndef SWWAE_TRAIN_ENCODE_H
#define SWWAE_TRAIN_ENCODE_H

#include "data/dataset.h"
#include "train/model.h"
#include "train/report.h"

/* As the public swwae_model_encode and swwae_encode; stage is one of the model's. */
swwae_status encode_images(struct swwae_model *model, const float *images, size_t n, int stage,
                           float *what, uint8_t *where);
swwae_status encode_dataset(struct swwae_model *model, const struct swwae_dataset *dataset,
                            int stage, const char *prefix, struct reporter *reporter);

#endif
