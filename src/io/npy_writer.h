/* npy_writer.h - NumPy's .npy files, written piece by piece. */
#ifndef SWWAE_IO_NPY_WRITER_H
#define SWWAE_IO_NPY_WRITER_H

#include "io/file.h"

/* Starts a version 1.0 file of C-order elements; type: NumPy's code, "<f4", "|u1" or "<i4"; shape
 * (rank), rank 1..5. The elements follow by file_put; file_commit or file_abandon ends it. */
swwae_status npy_begin(struct file_writer *writer, const char *path, const char *type,
                       const size_t *shape, int rank);

#endif
