/* input.h - the files a user names: opening them, and telling what they hold. */
#ifndef SWWAE_DATA_INPUT_H
#define SWWAE_DATA_INPUT_H

#include "base/status.h"

#include <stdio.h>

enum input_kind { INPUT_UNKNOWN = 0, INPUT_PNG, INPUT_JPEG, INPUT_NPY, INPUT_IDX };

/* Opens a regular file for reading; *size: its length in bytes (size may be NULL). Anything else
 * (missing, a folder, a device, a pipe, which could block) is SWWAE_E_IO naming the file. The
 * caller fcloses *file. */
swwae_status input_open(FILE **file, uint64_t *size, const char *path);

/* What an open file holds, judged by its first bytes (gzip counts as IDX), by the end of its name
 * where they tell nothing. Leaves the file at its start. */
swwae_status input_recognise(enum input_kind *kind, FILE *file, const char *path);

/* The last part of a path, never NULL: inside path. */
const char *input_base_name(const char *path);

#endif
