/* shapes.c - drawing the synthetic images; see shapes.h.
 *
 * Everything is integer arithmetic in units of 1/256 pixel, so that compilers and processors
 * cannot differ: a sprite is a test "is this point inside", a pixel's brightness is the share of
 * 64 points that are. The points form a lattice with one in each column and each row, so that an
 * upright edge has 64 shades, where a square grid of 8 x 8 gives it 8. Every sprite's centroid is
 * its centre. */
#include "data/shapes.h"

#include "base/rng.h"

#include <stdio.h>
#include <stdlib.h>

#define UNIT 256             /* one pixel */
#define POINTS 64            /* sample points a pixel */
#define STEP (UNIT / POINTS) /* between their columns, and between their rows */
#define LATTICE 37           /* rows from a point to the next column's */
#define SIDE (SHAPES_SIDE * UNIT)
#define RADIUS_MIN (4 * UNIT)
#define RADIUS_MAX (8 * UNIT)

enum shape { DISC, RING, SQUARE, FRAME, TRIANGLE, CROSS, PLUS, BAR_ACROSS, BAR_UP, STAR };

static const char *const names[SHAPES_CLASSES] = {
    "disc",  "ring", "square",         "frame",        "triangle",
    "cross", "plus", "horizontal bar", "vertical bar", "star"};

static long absolute(long v) { return v < 0 ? -v : v; }

/* A five-pointed star is where at least four of the five lines that draw it have the centre on
 * the same side. Lines at r * cos 72 degrees; normals, down first, in 1/1024. */
static bool inside_star(long x, long y, long r) {
    static const int normal[5][2] = {{0, 1024}, {974, 316}, {-974, 316}, {602, -828}, {-602, -828}};
    int within = 0;
    for (int i = 0; i < 5; i++) within += normal[i][0] * x + normal[i][1] * y <= 316 * r;
    return within >= 4;
}

/* Whether the point (x, y), relative to the centre, y down, is in a sprite of radius r. */
static bool inside(enum shape shape, long x, long y, long r) {
    long ax = absolute(x), ay = absolute(y), most = ax > ay ? ax : ay;
    long square = x * x + y * y;
    switch (shape) {
    case DISC: return square <= r * r;
    case RING: return square <= r * r && 64 * square >= 25 * r * r; /* from 5/8 r */
    case SQUARE: return 5 * most <= 4 * r;
    case FRAME: return 5 * most <= 4 * r && 2 * most >= r;
    /* apex at -r, base at r/2 with corners at 7/8 r: the mean of the corners is the centre */
    case TRIANGLE: return 2 * y <= r && 12 * ax <= 7 * (y + r);
    case CROSS: return 5 * most <= 4 * r && 10 * absolute(ax - ay) <= 3 * r;
    case PLUS: return most <= r && (4 * ax <= r || 4 * ay <= r);
    case BAR_ACROSS: return ax <= r && 10 * ay <= 3 * r;
    case BAR_UP: return ay <= r && 10 * ax <= 3 * r;
    case STAR: return inside_star(x, y, r);
    }
    return false;
}

static void draw(uint8_t *image, enum shape shape, long cx, long cy, long r, int brightness) {
    long left = (cx - r) / UNIT, right = (cx + r - 1) / UNIT;
    long top = (cy - r) / UNIT, bottom = (cy + r - 1) / UNIT;
    for (long row = top; row <= bottom; row++)
        for (long column = left; column <= right; column++) {
            int points = 0;
            for (int p = 0; p < POINTS; p++) {
                long x = column * UNIT + STEP * p + STEP / 2;
                long y = row * UNIT + STEP * (p * LATTICE % POINTS) + STEP / 2;
                points += inside(shape, x - cx, y - cy, r);
            }
            int value = (brightness * points + POINTS / 2) / POINTS;
            image[row * SHAPES_SIDE + column] = (uint8_t)value;
        }
}

/* A stream's index: the split, what it draws, and which one. */
static struct rng stream(uint64_t seed, swwae_split split, uint64_t order, size_t i) {
    return rng_stream(seed, RNG_SHAPES, (uint64_t)split << 62 | order << 61 | (uint64_t)i);
}

/* A number from low to high. */
static long between(struct rng *rng, long low, long high) {
    return low + (long)rng_below(rng, (uint64_t)(high - low) + 1);
}

swwae_status shapes_generate(struct swwae_dataset **dataset, uint64_t seed, swwae_split split,
                             size_t count) {
    swwae_status status = SWWAE_OK;
    struct swwae_dataset *d = NULL;
    CHECK(split == SWWAE_SPLIT_TRAIN || split == SWWAE_SPLIT_TEST, SWWAE_E_ARGUMENT,
          "split is %d, expected train (0) or test (1)", (int)split);
    TRY(dataset_allocate(&d, count, 1, SHAPES_SIDE, SHAPES_SIDE, SHAPES_CLASSES, 1));
    d->truth = calloc(count, sizeof *d->truth);
    CHECK(d->truth, SWWAE_E_MEMORY, "not enough memory for %zu shapes", count);
    snprintf(d->name, sizeof d->name, "shapes");
    for (int k = 0; k < SHAPES_CLASSES; k++)
        snprintf(d->class_names[k], sizeof d->class_names[k], "%s", names[k]);
    uint32_t order[SHAPES_CLASSES] = {0};
    for (size_t i = 0; i < count; i++) {
        if (i % SHAPES_CLASSES == 0) {
            struct rng rng = stream(seed, split, 1, i / SHAPES_CLASSES);
            for (uint32_t k = 0; k < SHAPES_CLASSES; k++) order[k] = k;
            rng_shuffle(&rng, order, SHAPES_CLASSES);
        }
        enum shape shape = (enum shape)order[i % SHAPES_CLASSES];
        struct rng rng = stream(seed, split, 0, i);
        long r = between(&rng, RADIUS_MIN, RADIUS_MAX);
        long cx = between(&rng, r, SIDE - r);
        long cy = between(&rng, r, SIDE - r);
        int brightness = (int)between(&rng, 128, 255);
        draw(d->images + i * SHAPES_SIDE * SHAPES_SIDE, shape, cx, cy, r, brightness);
        d->labels[i] = (int32_t)shape;
        d->truth[i] = (struct shapes_truth){(float)cx / UNIT, (float)cy / UNIT, (float)r / UNIT,
                                            (float)brightness / 255.0f, (int32_t)shape};
    }
    *dataset = d;
    return SWWAE_OK;
fail:
    swwae_dataset_free(d);
    return status;
}
