/* memory.h - the memory that a training takes, known before its first step. */
#ifndef SWWAE_TRAIN_MEMORY_H
#define SWWAE_TRAIN_MEMORY_H

#include "data/dataset.h"
#include "train/options.h"

/* Fills the public swwae_memory for a training on a data set that is open. resumed: it begins with
 * a checkpoint to read. Errors of the options, SWWAE_E_MEMORY. */
swwae_status memory_predict(struct swwae_memory *memory, const swwae_options *options,
                            const struct swwae_dataset *dataset, bool resumed);

/* SWWAE_E_MEMORY, with both figures, when what is still to be allocated is more than there is. */
swwae_status memory_check(const swwae_options *options, const struct swwae_dataset *dataset,
                          bool resumed);

#endif
