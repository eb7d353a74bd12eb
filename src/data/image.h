/* image.h - PNG and JPEG files as bytes (libpng, libjpeg-turbo). */
#ifndef SWWAE_DATA_IMAGE_H
#define SWWAE_DATA_IMAGE_H

#include "base/status.h"

struct image {
    uint8_t *pixels; /* (channels, height, width), planar */
    int channels, height, width;
    bool gray; /* every pixel's red, green and blue are equal */
};

/* Decodes path (type recognised by content) to `channels` channels, 1 (luma) or 3; alpha is
 * composed over black. 16-bit PNG is reduced to 8; gamma, colour profiles and EXIF orientation
 * are ignored. Sides over 16384 or more than 64 million pixels are refused before decoding, and
 * so are CMYK JPEGs. A cut or damaged file is SWWAE_E_FORMAT. */
swwae_status image_read(struct image *image, const char *path, int channels);

/* The same of bytes in memory; name stands for the path in messages. */
swwae_status image_decode(struct image *image, const void *bytes, size_t size, const char *name,
                          int channels);

/* Accepts NULL and a zeroed struct. */
void image_free(struct image *image);

/* Luma of ITU-R BT.601 in 16-bit fixed point, rounded: the same bytes as Pillow's convert("L").
 * Equal parts give that value back. */
static inline uint8_t image_luma(unsigned red, unsigned green, unsigned blue) {
    return (uint8_t)((red * 19595u + green * 38470u + blue * 7471u + 32768u) >> 16);
}

#endif
