/* map.h - the layout of image-shaped tensors inside the engine.
 *
 * Blocked (lanes = 16): [image][channel / 16][height + 2 ring][width + 2 ring][16]. The ring is
 * always zero, and so are the lanes past the last channel, so that "same" convolutions need no
 * border case and whole vectors can be read. Planar (lanes = 1): [image][channel][height + 2 ring]
 * [width + 2 ring], for images of a few channels, where blocking would waste 15 lanes of 16. */
#ifndef SWWAE_TENSOR_MAP_H
#define SWWAE_TENSOR_MAP_H

#include <stddef.h>
#include <stdint.h>

/* One value. The engine and the reference kernels are also compiled in double precision for the
 * finite-difference tests. */
#ifdef SWWAE_DOUBLE
typedef double real;
#else
typedef float real;
#endif

#define LANES 16

struct map {
    real *data; /* pixel (0, 0) of channel 0 of image 0; the ring lies before it */
    int channels;
    int height, width;
    int ring;
    int lanes;       /* LANES, or 1: planar */
    ptrdiff_t row;   /* values from a pixel to the one below */
    ptrdiff_t block; /* values from a block of `lanes` channels to the next */
    ptrdiff_t image; /* values from an image to the next */
};

/* Shape and strides, no memory. */
struct map map_shape(int channels, int height, int width, int ring, int lanes);

/* Values that `images` images take, ring included. */
size_t map_size(const struct map *map, int images);

/* The map whose memory starts at `memory` (map_size values). */
struct map map_place(struct map map, real *memory);

static inline int map_blocks(const struct map *map) {
    return (map->channels + map->lanes - 1) / map->lanes;
}

/* One value; channel, y, x may reach into the ring. */
static inline real *map_at(const struct map *map, int image, int channel, int y, int x) {
    return map->data + image * map->image + channel / map->lanes * map->block + y * map->row +
           (ptrdiff_t)x * map->lanes + channel % map->lanes;
}

#endif
