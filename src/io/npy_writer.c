/* npy_writer.c - the header of a .npy file; see npy_writer.h. */
#include "io/npy_writer.h"

#include <stdio.h>
#include <string.h>

#define PREAMBLE 10 /* magic, version, length of the header */

swwae_status npy_begin(struct file_writer *writer, const char *path, const char *type,
                       const size_t *shape, int rank) {
    char header[256] = "";
    int n =
        snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': (", type);
    for (int i = 0; i < rank; i++)
        n += snprintf(header + n, sizeof header - (size_t)n, "%zu,", shape[i]);
    n += snprintf(header + n, sizeof header - (size_t)n, ")}");
    /* padded with spaces, so that the elements start on a 64-byte line */
    const size_t end = ((size_t)(PREAMBLE + n + 1) + 63) / 64 * 64, length = end - PREAMBLE;
    memset(header + n, ' ', length - (size_t)n);
    header[length - 1] = '\n';
    const unsigned char preamble[PREAMBLE] = {
        0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char)length, (unsigned char)(length >> 8)};
    swwae_status status = SWWAE_OK;
    TRY(file_begin(writer, path));
    TRY(file_put(writer, preamble, sizeof preamble));
    TRY(file_put(writer, header, length));
    return SWWAE_OK;
fail:
    file_abandon(writer);
    return status;
}
