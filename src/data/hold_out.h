/* hold_out.h - test images taken from the training images, for data that has none of its own. */
#ifndef SWWAE_DATA_HOLD_OUT_H
#define SWWAE_DATA_HOLD_OUT_H

#include "data/dataset.h"

/* Of a data set's training images, `count` are its test images: the same number of each class, up
 * to a remainder, drawn from the data alone, so that they are the same for every seed of a
 * training. Leaves those of the split and fingerprints the test images, bytes and labels. count 0:
 * nothing to do; SWWAE_E_DATA unless some images are left for training. Call it before padding. */
swwae_status hold_out(struct swwae_dataset *dataset, swwae_split split, size_t count);

#endif
