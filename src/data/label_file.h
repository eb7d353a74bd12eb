/* label_file.h - index files: which images a training may use the labels of (docs/formats.md). */
#ifndef SWWAE_DATA_LABEL_FILE_H
#define SWWAE_DATA_LABEL_FILE_H

#include "data/dataset.h"

/* Reads the text of an index file: lines of an image's number, or its number and class with a comma
 * between; empty lines and lines that begin with # are left out. *images: sorted indices into the
 * data set, which may be fewer than the numbers run over where some are held out; malloc'ed. name
 * stands for the file in messages. SWWAE_E_FORMAT for any other line; SWWAE_E_DATA for a number
 * that is not of a training image with a label, is held out or given twice, for a class that is not
 * the image's, and for no images at all. */
swwae_status label_file_parse(uint32_t **images, size_t *count, const char *text, size_t size,
                              const char *name, const struct swwae_dataset *dataset);

/* The text of an index file with a line that says what it holds; malloc'ed. */
swwae_status label_file_text(char **text, const uint32_t *images, size_t count,
                             const struct swwae_dataset *dataset);

#endif
