/* augment.c - random changes of images; see augment.h.
 *
 * Every kind that moves pixels, but elastic, is an affine map from a pixel of the result to a place
 * in the image, so all of them together are one, to which elastic adds a displacement; one pass
 * over the pixels does them. Then come the kinds that change values. */
#include "data/augment.h"

#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define TURN (15 * 3.14159265358979323846 / 180)
#define SCALE 0.15
#define SHEAR 0.2
#define MOVE (1.0 / 16) /* of a side */
#define CONTRAST 0.4
#define BRIGHTNESS 0.2
#define SATURATION 0.4
#define CHANNEL 0.2
#define ERASED (3.0 / 8) /* of a side */

const char *const augment_names[AUGMENT_KINDS] = {"affine",  "shift",  "mirror",
                                                  "elastic", "colour", "erase"};

/* Values of one worker: a plane with a border, then displacements in x and in y. */
static size_t bordered_size(const struct augment *a) {
    return ((size_t)a->height + 2) * ((size_t)a->width + 2);
}

static size_t scratch_size(const struct augment *a) {
    return bordered_size(a) + 2 * (size_t)a->height * (size_t)a->width;
}

swwae_status augment_create(struct augment *augment, int channels, int height, int width,
                            int workers) {
    *augment = (struct augment){.strength = 1,
                                .channels = channels,
                                .height = height,
                                .width = width,
                                .purpose = RNG_AUGMENT};
    augment->scratch = calloc((size_t)workers * scratch_size(augment), sizeof *augment->scratch);
    if (!augment->scratch)
        return status_set(SWWAE_E_MEMORY, "no memory to augment images of %d x %d pixels", height,
                          width);
    return SWWAE_OK;
}

void augment_free(struct augment *augment) {
    free(augment->scratch);
    *augment = (struct augment){0};
}

/* (x, y) of the result comes from (xx x + xy y + x0, yx x + yy y + y0). */
struct affine {
    float xx, xy, x0, yx, yy, y0;
};

/* -1 .. 1, or -strength .. strength. */
static double draw(struct rng *rng, double most) { return most * (2 * rng_uniform(rng) - 1); }

static double draw_pixels(struct rng *rng, double most) {
    const int pixels = (int)floor(most + 0.5);
    return (double)rng_below(rng, 2 * (uint64_t)pixels + 1) - pixels;
}

/* Everything is about the centre of the image. */
static struct affine draw_map(const struct augment *a, struct rng *rng) {
    const double middle_x = 0.5 * (a->width - 1), middle_y = 0.5 * (a->height - 1);
    double xx = 1, xy = 0, yx = 0, yy = 1, move_x = 0, move_y = 0;
    if (a->kinds & AUGMENT_AFFINE) {
        const double turn = draw(rng, a->strength * TURN);
        const double scale = 1 / (1 + draw(rng, a->strength * SCALE));
        const double shear = draw(rng, a->strength * SHEAR);
        xx = scale * cos(turn);
        yx = scale * sin(turn);
        xy = shear * xx - yx;
        yy = shear * yx + scale * cos(turn);
        move_x = draw(rng, a->strength * MOVE * a->width);
        move_y = draw(rng, a->strength * MOVE * a->height);
    }
    if (a->kinds & AUGMENT_SHIFT) {
        move_x += draw_pixels(rng, a->strength * MOVE * a->width);
        move_y += draw_pixels(rng, a->strength * MOVE * a->height);
    }
    if (a->kinds & AUGMENT_MIRROR && rng_below(rng, 2)) {
        xx = -xx;
        yx = -yx;
    }
    return (struct affine){.xx = (float)xx,
                           .xy = (float)xy,
                           .x0 = (float)(middle_x - xx * middle_x - xy * middle_y + move_x),
                           .yx = (float)yx,
                           .yy = (float)yy,
                           .y0 = (float)(middle_y - yx * middle_x - yy * middle_y + move_y)};
}

/* Displacements of all pixels, (height, width): linear between the knots of a grid that spans the
 * image. */
static void draw_field(float *field, const struct augment *a, struct rng *rng, int side) {
    float knot[AUGMENT_KNOTS][AUGMENT_KNOTS];
    const int last = AUGMENT_KNOTS - 1;
    const float down = a->height > 1 ? (float)last / (float)(a->height - 1) : 0;
    const float right = a->width > 1 ? (float)last / (float)(a->width - 1) : 0;
    for (int k = 0; k < AUGMENT_KNOTS * AUGMENT_KNOTS; k++)
        knot[k / AUGMENT_KNOTS][k % AUGMENT_KNOTS] = (float)draw(rng, a->strength * MOVE * side);
    for (int y = 0; y < a->height; y++) {
        const float v = down * (float)y;
        const int i = (int)v < last ? (int)v : last - 1;
        float row[AUGMENT_KNOTS];
        for (int k = 0; k < AUGMENT_KNOTS; k++)
            row[k] = knot[i][k] + (v - (float)i) * (knot[i + 1][k] - knot[i][k]);
        for (int x = 0; x < a->width; x++) {
            const float u = right * (float)x;
            const int j = (int)u < last ? (int)u : last - 1;
            field[y * a->width + x] = row[j] + (u - (float)j) * (row[j + 1] - row[j]);
        }
    }
}

/* 1 .. last, in the coordinates of a plane with a border of zeros. */
static float clamp(float x, float last) {
    x = x > 0 ? x : 0;
    return x < last ? x : last;
}

/* 0 .. last, as if mirrors stood at both ends. */
static float reflect(float x, float last) {
    if (last <= 0) return 0;
    x = fabsf(x);
    x -= 2 * last * floorf(x / (2 * last));
    return x < last ? x : 2 * last - x;
}

/* One plane through the map and the displacements, which may be NULL. from has a border of one zero
 * on every side, so that every place outside the image can be moved onto it and nothing in the loop
 * asks where it is; mirrored, every place is moved inside. */
static void resample(float *restrict to, const float *restrict from, int height, int width,
                     const struct affine *map, const float *field, bool mirrored) {
    const int row = width + 2, pixels = height * width;
    const float last_x = (float)(width + 1), last_y = (float)(height + 1);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            const int p = y * width + x;
            const float dx = field ? field[p] : 0, dy = field ? field[pixels + p] : 0;
            float sx = map->xx * (float)x + map->xy * (float)y + map->x0 + dx + 1;
            float sy = map->yx * (float)x + map->yy * (float)y + map->y0 + dy + 1;
            sx = mirrored ? 1 + reflect(sx - 1, last_x - 2) : clamp(sx, last_x);
            sy = mirrored ? 1 + reflect(sy - 1, last_y - 2) : clamp(sy, last_y);
            const int ix = (int)sx < width ? (int)sx : width;
            const int iy = (int)sy < height ? (int)sy : height;
            const float fx = sx - (float)ix, fy = sy - (float)iy;
            const float *at = from + iy * row + ix;
            const float above = at[0] + fx * (at[1] - at[0]);
            const float below = at[row] + fx * (at[row + 1] - at[row]);
            to[p] = above + fy * (below - above);
        }
}

/* image through the map and, with elastic, displacements that are drawn here. scratch has
 * scratch_size values, 0 where the border is. */
static void move(float *image, const struct augment *a, struct rng *rng, float *scratch) {
    const size_t height = (size_t)a->height, width = (size_t)a->width, row = width + 2;
    const struct affine map = draw_map(a, rng);
    float *field = scratch + bordered_size(a);
    const bool elastic = a->kinds & AUGMENT_ELASTIC;
    if (elastic) {
        draw_field(field, a, rng, a->width);
        draw_field(field + height * width, a, rng, a->height);
    }
    for (int c = 0; c < a->channels; c++) {
        float *plane = image + (size_t)c * height * width;
        for (size_t y = 0; y < height; y++)
            memcpy(scratch + (y + 1) * row + 1, plane + y * width, width * sizeof *plane);
        resample(plane, scratch, a->height, a->width, &map, elastic ? field : NULL, a->mirrored);
    }
}

static float mean_of(const float *values, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)values[i];
    return (float)(sum / (double)n);
}

/* 1 +- most, but not below 0. */
static float draw_factor(struct rng *rng, double most) {
    const double factor = 1 + draw(rng, most);
    return factor > 0 ? (float)factor : 0;
}

static void recolour(float *image, const struct augment *a, struct rng *rng) {
    const size_t pixels = (size_t)a->height * (size_t)a->width, channels = (size_t)a->channels;
    const float mean = mean_of(image, channels * pixels);
    const float contrast = draw_factor(rng, a->strength * CONTRAST);
    const float brightness = (float)draw(rng, a->strength * BRIGHTNESS);
    const float saturation = draw_factor(rng, a->strength * SATURATION);
    for (size_t p = 0; p < pixels; p++) {
        float grey = 0;
        for (size_t c = 0; c < channels; c++) grey += image[c * pixels + p];
        grey /= (float)channels;
        const float changed = mean + contrast * (grey - mean) + brightness;
        for (size_t c = 0; c < channels; c++) {
            float *at = image + c * pixels + p;
            *at = changed + saturation * contrast * (*at - grey);
        }
    }
    for (size_t c = 0; c < channels; c++) {
        const float gain = draw_factor(rng, a->strength * CHANNEL);
        float *plane = image + c * pixels;
        for (size_t p = 0; p < pixels; p++) {
            const float value = gain * plane[p];
            plane[p] = value > 0 ? (value < 1 ? value : 1) : 0;
        }
    }
}

/* Where a rectangle's side lies along a side of the image: first .. end - 1. */
struct span {
    int first, end;
};

static struct span draw_span(struct rng *rng, double strength, int side) {
    const int length = (int)floor(strength * ERASED * side + 0.5);
    const int first = (int)rng_below(rng, (uint64_t)side) - length / 2;
    return (struct span){.first = first > 0 ? first : 0,
                         .end = first + length < side ? first + length : side};
}

static void erase(float *image, const struct augment *a, struct rng *rng) {
    const size_t pixels = (size_t)a->height * (size_t)a->width;
    const struct span across = draw_span(rng, a->strength, a->width);
    const struct span down = draw_span(rng, a->strength, a->height);
    for (int c = 0; c < a->channels; c++) {
        float *plane = image + (size_t)c * pixels;
        const float mean = mean_of(plane, pixels);
        for (int y = down.first; y < down.end; y++)
            for (int x = across.first; x < across.end; x++) plane[y * a->width + x] = mean;
    }
}

struct job {
    const struct augment *augment;
    float *images;
    uint64_t first;
};

static void augment_job(void *context, int j, int worker) {
    const struct job *job = context;
    const struct augment *a = job->augment;
    const size_t size = (size_t)a->channels * (size_t)a->height * (size_t)a->width;
    struct rng rng = rng_stream(a->seed, a->purpose, job->first + (uint64_t)j);
    float *image = job->images + (size_t)j * size;
    if (a->kinds & AUGMENT_MOVES)
        move(image, a, &rng, a->scratch + (size_t)worker * scratch_size(a));
    if (a->kinds & AUGMENT_COLOUR) recolour(image, a, &rng);
    if (a->kinds & AUGMENT_ERASE) erase(image, a, &rng);
}

void augment_images(const struct augment *augment, float *images, size_t n, uint64_t first,
                    struct pool *pool) {
    if (!augment->kinds || !n) return;
    struct job job = {.augment = augment, .images = images, .first = first};
    pool_run(pool, (int)n, augment_job, &job);
}
