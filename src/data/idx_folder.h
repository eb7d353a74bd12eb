/* idx_folder.h - a folder with the four IDX files of MNIST's naming as a data set. */
#ifndef SWWAE_DATA_IDX_FOLDER_H
#define SWWAE_DATA_IDX_FOLDER_H

#include "data/dataset.h"

/* *has: the folder holds the split's images, in any spelling. SWWAE_E_MEMORY. */
swwae_status idx_folder_has(bool *has, const char *folder, swwae_split split);

/* Reads the split of a folder that has it; without a label file the set has no labels. Classes are
 * named by their numbers. */
swwae_status idx_folder_read(struct swwae_dataset **dataset, const char *folder, swwae_split split);

#endif
