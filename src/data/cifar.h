/* cifar.h - the binary files of CIFAR-10 and CIFAR-100 (docs/formats.md). */
#ifndef SWWAE_DATA_CIFAR_H
#define SWWAE_DATA_CIFAR_H

#include "data/dataset.h"

#define CIFAR_SIDE 32
#define CIFAR_PIXELS                                                            \
    (3 * CIFAR_SIDE * CIFAR_SIDE) /* bytes of an image: red, green, blue planes \
                                   */

enum cifar_kind { CIFAR_10 = 0, CIFAR_100 };

/* Records of a file: CIFAR-10's are a label and an image, CIFAR-100's a coarse label, a fine one
 * and an image. Fills images (count, 3, 32, 32) and labels (count) from the fine ones. bytes:
 * cifar_record(kind) * count. Returns the first record whose label is not below 10 or 100, count
 * where all are. */
size_t cifar_decode(uint8_t *images, int32_t *labels, const uint8_t *bytes, size_t count,
                    enum cifar_kind kind);

/* Bytes of a record: 3073 or 3074. */
size_t cifar_record(enum cifar_kind kind);

/* *has: the folder, or the one the published archive unpacks to inside it, holds the split's first
 * file. SWWAE_E_MEMORY. */
swwae_status cifar_has(bool *has, const char *folder, swwae_split split);

/* Reads the split of a folder that has it: data_batch_1.bin to data_batch_5.bin or test_batch.bin,
 * train.bin or test.bin. A file that is missing is SWWAE_E_IO; one that has not the published size
 * or a label out of range is SWWAE_E_FORMAT. CIFAR-100's classes are named by fine_label_names.txt
 * where that stands beside, else by their numbers. */
swwae_status cifar_read(struct swwae_dataset **dataset, const char *folder, swwae_split split);

#endif
