/* op_random.c - the images a batch starts from, and everything that is drawn at random: noise on
 * the image, dropout, moved switches.
 *
 * A draw depends on the run's seed, the step, the image's place in the batch and the operation, so
 * that threads and resumes change nothing; the backward pass draws again. */
#include "engine/op.h"

#include "base/rng.h"

#include <math.h>

static struct rng stream(const struct pass *p, const struct op *op, int n) {
    const uint64_t image =
        p->step * 65536 + (uint64_t)(p->index + n); /* a batch has 65536 at most */
    return rng_stream(p->seed, RNG_NOISE,
                      image * (uint64_t)p->plan->ops + (uint64_t)(op - p->plan->op));
}

static void load_forward(const struct pass *p, const struct op *op) {
    const struct map to = pass_value(p, op->out[0]);
    const real *from = p->input;
    for (int n = 0; n < p->images; n++)
        for (int c = 0; c < to.channels; c++)
            for (int i = 0; i < to.height; i++, from += to.width) {
                real *row = map_at(&to, n, c, i, 0);
                for (int j = 0; j < to.width; j++) row[j * to.lanes] = from[j];
            }
}

const struct op_kind op_load = {.name = "load", .forward = load_forward};

/* A normal number by Box and Muller's transform. */
static double normal(struct rng *rng) {
    const double u = 1 - rng_uniform(rng), v = rng_uniform(rng); /* u in (0, 1] */
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

static void noise_forward(const struct pass *p, const struct op *op) {
    const struct map x = pass_value(p, op->source), y = pass_value(p, op->out[0]);
    for (int n = 0; n < p->images; n++) {
        struct rng rng = stream(p, op, n);
        for (int c = 0; c < x.channels; c++)
            for (int i = 0; i < x.height; i++)
                for (int j = 0; j < x.width; j++)
                    *map_at(&y, n, c, i, j) =
                        *map_at(&x, n, c, i, j) + (real)(op->weight * normal(&rng));
    }
}

const struct op_kind op_noise = {.name = "noise", .forward = noise_forward};

/* ---- dropout ---- */

/* to = from where kept, scaled up, else 0. */
static void drop(const struct pass *p, const struct op *op, const struct map *to,
                 const struct map *from) {
    const real scale = (real)(1 / (1 - op->weight));
    for (int n = 0; n < p->images; n++) {
        struct rng rng = stream(p, op, n);
        for (int b = 0; b < map_blocks(to); b++)
            for (int i = 0; i < to->height; i++) {
                const real *row = map_at(from, n, b * to->lanes, i, 0);
                real *out = map_at(to, n, b * to->lanes, i, 0);
                for (int k = 0; k < to->width * to->lanes; k++)
                    out[k] = rng_uniform(&rng) < op->weight ? 0 : row[k] * scale;
            }
    }
}

static void dropout_forward(const struct pass *p, const struct op *op) {
    const struct map x = pass_value(p, op->in[0].tensor), y = pass_value(p, op->out[0]);
    drop(p, op, &y, &x);
}

static void dropout_back(const struct pass *p, const struct op *op) {
    const struct map d = pass_gradient(p, op->out[0]);
    if (!gradient_wanted(p, &op->in[0])) return;
    const struct gradient dx = gradient_begin(p, &op->in[0]);
    drop(p, op, &dx.map, &d);
    gradient_end(p, &op->in[0], false);
}

const struct op_kind op_dropout = {
    .name = "dropout", .forward = dropout_forward, .back = dropout_back};

/* ---- moved switches ---- */

/* Draws, for every window of the stage in turn, whether its where moves, and to which cell. */
static void move(const struct pass *p, const struct op *op, int n,
                 void (*moved)(void *context, int c, int i, int j, int row, int column),
                 void *context) {
    const struct stage *stage = &p->plan->network->stage[op->stage];
    struct rng rng = stream(p, op, n);
    for (int c = 0; c < stage->maps; c++)
        for (int i = 0; i < stage->pooled_height; i++)
            for (int j = 0; j < stage->pooled_width; j++) {
                if (rng_uniform(&rng) >= op->weight) continue;
                const int left = stage->height - i * stage->pool,
                          beside = stage->width - j * stage->pool;
                const int rows = left < stage->pool ? left : stage->pool;
                const int columns = beside < stage->pool ? beside : stage->pool;
                const int row = (int)rng_below(&rng, (uint64_t)rows);
                const int column = (int)rng_below(&rng, (uint64_t)columns);
                moved(context, c, i, j, row, column);
            }
}

struct bytes {
    uint8_t *where;
    const struct stage *stage;
};

static void move_byte(void *context, int c, int i, int j, int row, int column) {
    const struct bytes *bytes = context;
    const size_t window = (size_t)i * (size_t)bytes->stage->pooled_width + (size_t)j;
    const size_t windows = (size_t)bytes->stage->pooled_height * (size_t)bytes->stage->pooled_width;
    bytes->where[((size_t)(c / LANES) * windows + window) * LANES + (size_t)(c % LANES)] =
        (uint8_t)(row * bytes->stage->pool + column);
}

static void move_forward(const struct pass *p, const struct op *op) {
    const struct stage *stage = &p->plan->network->stage[op->stage];
    const size_t size = plan_switches(p->plan, op->stage);
    const uint8_t *from = pass_where(p, p->w->where[op->stage], op->stage);
    uint8_t *to = pass_where(p, p->w->where_moved[op->stage], op->stage);
    for (int n = 0; n < p->images; n++) {
        struct bytes bytes = {.where = to + (size_t)n * size, .stage = stage};
        for (size_t k = 0; k < size; k++) bytes.where[k] = from[(size_t)n * size + k];
        move(p, op, n, move_byte, &bytes);
    }
}

const struct op_kind op_move = {.name = "move", .forward = move_forward};

/* The same for coordinates: one that moved is a constant, without a gradient. */
struct positions {
    struct map px, py;
    int image, pool;
    bool back;
};

static void move_position(void *context, int c, int i, int j, int row, int column) {
    const struct positions *to = context;
    const double last = to->pool - 1;
    *map_at(&to->px, to->image, c, i, j) = to->back ? 0 : (real)(2 * column / last - 1);
    *map_at(&to->py, to->image, c, i, j) = to->back ? 0 : (real)(2 * row / last - 1);
}

static void copy(const struct map *to, const struct map *from, int n) {
    for (int b = 0; b < map_blocks(to); b++)
        for (int i = 0; i < to->height; i++) {
            const real *row = map_at(from, n, b * to->lanes, i, 0);
            real *out = map_at(to, n, b * to->lanes, i, 0);
            for (int k = 0; k < to->width * to->lanes; k++) out[k] = row[k];
        }
}

static void soft_move(const struct pass *p, const struct op *op, const struct map to[2],
                      const struct map from[2], bool back) {
    struct positions positions = {
        .px = to[0], .py = to[1], .pool = p->plan->network->stage[op->stage].pool, .back = back};
    for (int n = 0; n < p->images; n++) {
        for (int k = 0; k < 2; k++) copy(&to[k], &from[k], n);
        positions.image = n;
        move(p, op, n, move_position, &positions);
    }
}

static void soft_move_forward(const struct pass *p, const struct op *op) {
    const struct map from[2] = {pass_value(p, op->in[0].tensor), pass_value(p, op->in[1].tensor)};
    const struct map to[2] = {pass_value(p, op->out[0]), pass_value(p, op->out[1])};
    soft_move(p, op, to, from, false);
}

static void soft_move_back(const struct pass *p, const struct op *op) {
    const struct map from[2] = {pass_gradient(p, op->out[0]), pass_gradient(p, op->out[1])};
    const struct map to[2] = {gradient_begin(p, &op->in[0]).map, gradient_begin(p, &op->in[1]).map};
    soft_move(p, op, to, from, true);
    for (int k = 0; k < 2; k++) gradient_end(p, &op->in[k], false);
}

const struct op_kind op_soft_move = {
    .name = "soft-move", .forward = soft_move_forward, .back = soft_move_back};
