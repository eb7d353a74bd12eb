/* augmented.c - from options to random changes; see augmented.h. */
#include "train/augmented.h"

swwae_status augmented_create(struct augment *augment, const struct settings *settings,
                              int channels, int height, int width, int workers) {
    swwae_status status = augment_create(augment, channels, height, width, workers);
    augment->kinds = settings->augment;
    augment->strength = settings->augment_strength;
    augment->mirrored = settings->augment_border == BORDER_MIRROR;
    augment->seed = settings->seed;
    return status;
}
