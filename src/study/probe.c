/* probe.c - moving images and watching the codes; see probe.h. */
#include "study/probe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/network.h"
#include "train/model.h"

#define CHUNK 64        /* images encoded at a time */
#define NEGLIGIBLE 0.1F /* of the image's strongest unit */
#define SHIFTS (2 * PROBE_MOST + 1)

swwae_status probe_stage(struct probe_stage *stage, const swwae_model *model, int number) {
    swwae_status status = SWWAE_OK;
    struct probe_stage made = {
        .stage = number, .cell = 1, .soft = swwae_model_beta(model, number) > 0};
    TRY(swwae_model_code_size(model, number, &made.maps, &made.height, &made.width));
    for (int s = 0; s < number; s++) made.cell *= model->network.stage[s].pool;
    made.pool = model->network.stage[number].pool;
    *stage = made;
fail:
    return status;
}

static size_t code_size(const struct probe_stage *stage) {
    return (size_t)stage->maps * (size_t)stage->height * (size_t)stage->width;
}

swwae_status probe_codes(float *what, float *where, swwae_model *model,
                         const struct probe_stage *stage, const float *images, size_t n) {
    swwae_status status = SWWAE_OK;
    const size_t values = n * code_size(stage);
    uint8_t *cells = NULL;
    if (stage->soft) return swwae_model_encode_soft(model, images, n, stage->stage, what, where);
    CHECK(cells = malloc(values), SWWAE_E_MEMORY, "no memory for the codes of %zu images", n);
    TRY(swwae_model_encode(model, images, n, stage->stage, what, cells));
    for (size_t i = 0; i < values; i++) {
        const int column = cells[i] % stage->pool, row = cells[i] / stage->pool;
        where[2 * i] = 2.0F * (float)column / (float)(stage->pool - 1) - 1;
        where[2 * i + 1] = 2.0F * (float)row / (float)(stage->pool - 1) - 1;
    }
fail:
    free(cells);
    return status;
}

/* ---- Responses -------------------------------------------------------------------------- */

/* The strongest window of each map. what, where: codes of one image. */
static void respond(struct response *responses, const float *what, const float *where,
                    const struct probe_stage *stage) {
    const int windows = stage->height * stage->width;
    for (int m = 0; m < stage->maps; m++, what += windows, where += 2 * (size_t)windows) {
        int best = 0;
        for (int w = 1; w < windows; w++)
            if (what[w] > what[best]) best = w;
        const int at[2] = {best % stage->width, best / stage->width};
        responses[m].what = what[best];
        for (int a = 0; a < 2; a++)
            responses[m].place[a] =
                (float)stage->cell * ((float)(at[a] * stage->pool) +
                                      (where[2 * best + a] + 1) / 2 * (float)(stage->pool - 1));
    }
}

/* responses (n, maps) to the images moved by dx, dy. */
static swwae_status respond_to(struct response *responses, swwae_model *model,
                               const struct probe_stage *stage, const float *images, size_t n,
                               int dx, int dy) {
    swwae_status status = SWWAE_OK;
    int channels, height, width;
    swwae_model_image_size(model, &channels, &height, &width);
    const size_t pixels = (size_t)channels * (size_t)height * (size_t)width;
    const size_t size = code_size(stage);
    float *moved = calloc(CHUNK * pixels, sizeof *moved);
    float *codes = calloc(CHUNK * 3 * size, sizeof *codes);
    CHECK(moved && codes, SWWAE_E_MEMORY, "no memory for the codes of %d images", CHUNK);
    float *what = codes, *where = codes + CHUNK * size;
    for (size_t i = 0; i < n; i += CHUNK) {
        const size_t count = n - i < CHUNK ? n - i : CHUNK;
        for (size_t j = 0; j < count; j++)
            study_shift(moved + j * pixels, images + (i + j) * pixels, dx, dy, channels, height,
                        width);
        TRY(probe_codes(what, where, model, stage, moved, count));
        for (size_t j = 0; j < count; j++)
            respond(responses + (i + j) * (size_t)stage->maps, what + j * size,
                    where + 2 * j * size, stage);
    }
fail:
    free(moved);
    free(codes);
    return status;
}

/* counts (n, maps): which units answer to the image rather than to nothing. */
static void choose_units(bool *counts, const struct response *before, const struct response *black,
                         size_t n, int maps) {
    for (size_t i = 0; i < n; i++, before += maps, counts += maps) {
        float most = 0;
        for (int m = 0; m < maps; m++) most = fmaxf(most, before[m].what - black[m].what);
        for (int m = 0; m < maps; m++) {
            const float more = before[m].what - black[m].what;
            counts[m] = more > 0 && more >= NEGLIGIBLE * most;
        }
    }
}

/* ---- Scores ----------------------------------------------------------------------------- */

/* Sums over units and shifts. */
struct sums {
    double n, shift2;            /* units that count, times shifts; sum of the shifts squared */
    double d[2], d2, shift_d[2]; /* change along and across; its square; times the shift */
    double size[2];              /* of the changes */
    double followed;
    double a, b, aa, bb, ab; /* what before and after, of the units that count */
    double all, all_change;  /* squares, of all units */
    double each[2][SHIFTS], each_n[SHIFTS];
};

static void add(struct sums *s, const struct response *before, const struct response *after,
                bool counts, int axis, int shift, double half) {
    const double a = (double)before->what, b = (double)after->what;
    s->all += a * a;
    s->all_change += (b - a) * (b - a);
    if (!counts) return;
    double d[2];
    for (int k = 0; k < 2; k++) {
        const int along = k ? 1 - axis : axis;
        d[k] = (double)after->place[along] - (double)before->place[along];
        s->d[k] += d[k];
        s->shift_d[k] += shift * d[k];
        s->size[k] += fabs(d[k]);
        s->each[k][shift + PROBE_MOST] += d[k];
    }
    s->each_n[shift + PROBE_MOST]++;
    s->n++;
    s->shift2 += shift * shift;
    s->d2 += d[0] * d[0];
    s->followed += fabs(d[0] - shift) <= half && fabs(d[1]) <= half;
    s->a += a, s->b += b, s->aa += a * a, s->bb += b * b, s->ab += a * b;
}

static void conclude(struct probe_scores *scores, const struct sums *s, double units) {
    const double n = s->n, slope = s->shift_d[0] / s->shift2;
    const double rest = s->d2 - 2 * slope * s->shift_d[0] + slope * slope * s->shift2;
    const double spread = s->d2 - s->d[0] * s->d[0] / n;
    *scores = (struct probe_scores){.slope = {slope, s->shift_d[1] / s->shift2},
                                    .r2 = spread > 0 ? 1 - rest / spread : 0,
                                    .ratio = s->size[0] / s->size[1],
                                    .followed = s->followed / n,
                                    .counted = n / units,
                                    .correlation =
                                        (s->ab - s->a * s->b / n) /
                                        sqrt((s->aa - s->a * s->a / n) * (s->bb - s->b * s->b / n)),
                                    .change = sqrt(s->all_change / s->all)};
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < SHIFTS; i++)
            scores->mean[k][i] = i == PROBE_MOST ? 0 : s->each[k][i] / s->each_n[i];
}

/* Every k-th unit that counts, so that at most `limit` points come from all images. */
static size_t pick(struct probe_point *points, size_t limit, const struct response *before,
                   const struct response *after, const bool *counts, size_t units) {
    size_t count = 0, seen = 0, total = 0;
    for (size_t i = 0; i < units; i++) total += counts[i];
    const size_t every = total / limit + (total % limit != 0);
    for (size_t i = 0; i < units && every; i++)
        if (counts[i] && seen++ % every == 0)
            points[count++] = (struct probe_point){before[i], after[i]};
    return count;
}

swwae_status probe_axis(struct probe_scores *scores, struct probe_point *points,
                        size_t *point_count, size_t point_limit, swwae_model *model,
                        const struct probe_stage *stage, const float *images, size_t n, int axis) {
    swwae_status status = SWWAE_OK;
    const size_t maps = (size_t)stage->maps, units = n * maps;
    struct response *before = calloc(2 * units + maps, sizeof *before);
    bool *counts = calloc(units, sizeof *counts);
    float *nothing = calloc(model_pixels(model), sizeof *nothing);
    struct sums sums = {0};
    CHECK(before && counts && nothing, SWWAE_E_MEMORY, "no memory for the responses of %zu units",
          units);
    struct response *after = before + units, *black = after + units;
    TRY(respond_to(black, model, stage, nothing, 1, 0, 0));
    TRY(respond_to(before, model, stage, images, n, 0, 0));
    choose_units(counts, before, black, n, stage->maps);
    for (int shift = -PROBE_MOST; shift <= PROBE_MOST; shift++) {
        if (!shift) continue;
        TRY(respond_to(after, model, stage, images, n, axis ? 0 : shift, axis ? shift : 0));
        for (size_t i = 0; i < units; i++)
            add(&sums, &before[i], &after[i], counts[i], axis, shift, 0.5 * stage->cell + 1e-3);
        if (points && shift == PROBE_MOST)
            *point_count = pick(points, point_limit, before, after, counts, units);
    }
    conclude(scores, &sums, (double)units * 2 * PROBE_MOST);
fail:
    free(before);
    free(counts);
    free(nothing);
    return status;
}
