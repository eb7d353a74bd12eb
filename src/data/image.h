/* image.h - PNG and JPEG files as bytes (libpng, libjpeg-turbo). */
#ifndef SWWAE_DATA_IMAGE_H
#define SWWAE_DATA_IMAGE_H

#include "base/status.h"

/* A file cannot hold more pixels a byte: deflate shrinks to 1/1032 at best and 8 pixels of a PNG
 * take a byte; a Huffman-coded JPEG takes a bit for a block of at most 32 x 32 pixels. A header
 * that promises more is refused, so the memory taken follows the file's size. */
#define IMAGE_PIXELS_A_BYTE ((uint64_t)1032 * 8)

struct image {
    uint8_t *pixels; /* (channels, height, width), planar */
    int channels, height, width;
    bool gray; /* every pixel's red, green and blue are equal */
};

/* Decodes path (type recognised by content) to `channels` channels, 1 (luma) or 3; alpha is
 * composed over black. 16-bit PNG is reduced to 8; gamma, colour profiles and EXIF orientation
 * are ignored. Sides over 16384, more than 64 million pixels or more than the file can hold are
 * refused before decoding, and so are CMYK and arithmetic-coded JPEGs. A cut or damaged file is
 * SWWAE_E_FORMAT. */
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
