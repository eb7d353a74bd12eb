/* picture.c - swwae_picture_write: many small images as one PNG that can be looked at.
 *
 * Cells in a grid, separated by two gray pixels; where the last row has no image, gray. Enlarged
 * by nearest neighbour, so that every pixel of an image stays a visible square. */
#include "io/png.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LINE 2   /* pixels between cells */
#define GRAY 128 /* of lines and missing images: neither the black nor the white of the images */
#define ZOOM 16
#define BYTES (1 << 30) /* of the whole picture in memory; also keeps its size within size_t */

/* 0..1 to 0..255, rounded. The comparison is false for NaN. */
static uint8_t byte_of(float value) {
    if (!(value > 0)) return 0;
    return value < 1 ? (uint8_t)lroundf(value * 255) : 255;
}

/* Pixels of `cells` cells of `cell` image pixels with the lines between them; PNG_SIDE + 1 for
 * everything longer than a picture may be. */
static uint64_t side(uint64_t cells, int cell, int zoom) {
    uint64_t pixels;
    if (__builtin_mul_overflow(cells, (uint64_t)cell * (uint64_t)zoom + LINE, &pixels) ||
        pixels - LINE > PNG_SIDE)
        return PNG_SIDE + 1;
    return pixels - LINE;
}

/* One image into its cell. */
static void draw(uint8_t *to,       /* the cell's first pixel; rows are `stride` bytes apart */
                 const float *from, /* (channels, height, width) */
                 int channels, int height, int width, int zoom, size_t stride) {
    size_t across = (size_t)width * (size_t)zoom, down = (size_t)height * (size_t)zoom;
    size_t plane = (size_t)height * (size_t)width, depth = (size_t)channels;
    for (size_t y = 0; y < down; y++) {
        const float *row = from + y / (size_t)zoom * (size_t)width;
        for (size_t x = 0; x < across; x++)
            for (size_t c = 0; c < depth; c++)
                to[y * stride + x * depth + c] = byte_of(row[c * plane + x / (size_t)zoom]);
    }
}

swwae_status swwae_picture_write(const char *path, const float *images, size_t n, int channels,
                                 int height, int width, int columns, int zoom) {
    swwae_status status = SWWAE_OK;
    uint8_t *pixels = NULL;
    CHECK(path && images, SWWAE_E_ARGUMENT, "swwae_picture_write: %s is NULL",
          path ? "images" : "path");
    CHECK(n >= 1, SWWAE_E_ARGUMENT, "%.400s: a picture needs at least one image", path);
    CHECK(channels == 1 || channels == 3, SWWAE_E_ARGUMENT,
          "%.400s: images in a picture have 1 or 3 channels, not %d", path, channels);
    CHECK(height >= 1 && width >= 1, SWWAE_E_ARGUMENT,
          "%.400s: images in a picture have at least one pixel, not %d x %d", path, height, width);
    CHECK(columns >= 1, SWWAE_E_ARGUMENT, "%.400s: columns of a picture must be 1 or more, not %d",
          path, columns);
    CHECK(zoom >= 1 && zoom <= ZOOM, SWWAE_E_ARGUMENT,
          "%.400s: zoom of a picture must be 1 to %d, not %d", path, ZOOM, zoom);

    size_t across = (size_t)columns, rows = n / across + (n % across != 0);
    uint64_t picture_width = side(across, width, zoom), picture_height = side(rows, height, zoom);
    CHECK(picture_width <= PNG_SIDE && picture_height <= PNG_SIDE, SWWAE_E_ARGUMENT,
          "%.400s: %zu images in %d columns at zoom %d make a side of more than %d pixels; use "
          "fewer images or another number of columns",
          path, n, columns, zoom, PNG_SIDE);
    uint64_t bytes = picture_width * picture_height * (uint64_t)channels;
    CHECK(bytes <= BYTES, SWWAE_E_ARGUMENT,
          "%.400s: the picture would take %llu bytes of memory, more than %d; use fewer images or "
          "a smaller zoom",
          path, (unsigned long long)bytes, BYTES);
    pixels = malloc((size_t)bytes);
    CHECK(pixels, SWWAE_E_MEMORY, "%.400s: no memory for a picture of %llu bytes", path,
          (unsigned long long)bytes);

    memset(pixels, GRAY, (size_t)bytes);
    size_t depth = (size_t)channels, stride = (size_t)picture_width * depth;
    size_t down = (size_t)height * (size_t)zoom + LINE, step = (size_t)width * (size_t)zoom + LINE;
    for (size_t i = 0; i < n; i++)
        draw(pixels + i / across * down * stride + i % across * step * depth,
             images + i * depth * (size_t)height * (size_t)width, channels, height, width, zoom,
             stride);
    TRY(png_write(path, pixels, (int)picture_height, (int)picture_width, channels));
fail:
    free(pixels);
    return status;
}
