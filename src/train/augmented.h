/* augmented.h - random changes of images as the options say. */
#ifndef SWWAE_TRAIN_AUGMENTED_H
#define SWWAE_TRAIN_AUGMENTED_H

#include "data/augment.h"
#include "train/options.h"

/* What a training's own images go through: --augment, --augment-border, --augment-strength and
 * --seed. Released with augment_free. SWWAE_E_MEMORY. */
swwae_status augmented_create(struct augment *augment, const struct settings *settings,
                              int channels, int height, int width, int workers);

#endif
