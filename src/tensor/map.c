/* map.c - strides of a map; see map.h. */
#include "tensor/map.h"

struct map map_shape(int channels, int height, int width, int ring, int lanes) {
    struct map map = {
        .channels = channels, .height = height, .width = width, .ring = ring, .lanes = lanes};
    map.row = (ptrdiff_t)(width + 2 * ring) * lanes;
    map.block = map.row * (height + 2 * ring);
    map.image = map.block * map_blocks(&map);
    return map;
}

size_t map_size(const struct map *map, int images) { return (size_t)map->image * (size_t)images; }

struct map map_place(struct map map, real *memory) {
    map.data = memory ? memory + map.ring * map.row + (ptrdiff_t)map.ring * map.lanes : NULL;
    return map;
}
