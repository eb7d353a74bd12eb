/* class_folders.h - a folder of class folders of PNG and JPEG files as a data set. */
#ifndef SWWAE_DATA_CLASS_FOLDERS_H
#define SWWAE_DATA_CLASS_FOLDERS_H

#include "data/dataset.h"

/* Reads the split of a folder that has it (class_list_has): images in the order of
 * class_list_read, all of one size, of 1 channel where every pixel of every image is gray, else of
 * 3. Decodes on all processors. Errors of class_list_read and image_read; SWWAE_E_DATA for the
 * first image that has another size than the first of all. */
swwae_status class_folders_read(struct swwae_dataset **dataset, const char *folder,
                                swwae_split split);

#endif
