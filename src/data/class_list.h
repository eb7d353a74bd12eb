/* class_list.h - which pictures a folder of class folders holds, and which class each is of.
 *
 * The rules of docs/formats.md: DIR/CLASS/PICTURE, or DIR/train/CLASS/PICTURE and
 * DIR/test/CLASS/PICTURE; and in both DIR/unlabelled/PICTURE for images without a label. A picture
 * is what its name says: .png, .jpg or .jpeg in any case. Hidden names and other files are left
 * alone. */
#ifndef SWWAE_DATA_CLASS_LIST_H
#define SWWAE_DATA_CLASS_LIST_H

#include "base/status.h"

struct class_list {
    char **path;    /* (count) from the folder on: "train/cat/7.png"; class by class, sorted */
    int32_t *label; /* (count) class, -1: none */
    size_t count;
    char **name; /* (classes) sorted bytewise */
    size_t classes;
    size_t ignored; /* files in class folders that are no pictures */
};

/* *has: the folder has pictures in class folders for this split. A folder that cannot be listed has
 * none. SWWAE_E_MEMORY. */
swwae_status class_list_has(bool *has, const char *folder, swwae_split split);

/* Lists the split of a folder that has it. Classes are those of the training images where there
 * are any. SWWAE_E_IO for what cannot be listed; SWWAE_E_DATA for an empty class folder, a folder
 * inside one, a name of more than 63 bytes, not UTF-8 or with control characters, and a class that
 * only the test images have. */
swwae_status class_list_read(struct class_list *list, const char *folder, swwae_split split);

/* Accepts a zeroed struct. */
void class_list_free(struct class_list *list);

#endif
