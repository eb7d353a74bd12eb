/* png.h - writing pictures (libpng). */
#ifndef SWWAE_IO_PNG_H
#define SWWAE_IO_PNG_H

#include "base/status.h"

#define PNG_SIDE 1000000 /* the longest side libpng and most viewers accept, in pixels */

/* 8-bit gray (channels 1) or RGB (channels 3), rows top to bottom, interleaved
 * (height, width, channels); sides 1..PNG_SIDE. Written beside, fsynced, renamed.
 * SWWAE_E_ARGUMENT for other sizes, SWWAE_E_IO, SWWAE_E_MEMORY. */
swwae_status png_write(const char *path, const uint8_t *pixels, int height, int width,
                       int channels);

#endif
