/* forward.c - forward passes: classes, reconstructions and codes of images. */
#include "engine/cpu.h"

#include <string.h>

struct forward_job {
    struct engine *e;
    const struct forward *forward;
    const real *images;
    int n;
};

/* Copies a planar or blocked map to (images, channels, height, width), `step` values apart. */
static void unload(real *to, int step, const struct map *from, int images) {
    for (int n = 0; n < images; n++)
        for (int c = 0; c < from->channels; c++)
            for (int i = 0; i < from->height; i++) {
                const real *row = map_at(from, n, c, i, 0);
                for (int j = 0; j < from->width; j++, to += step) *to = row[j * from->lanes];
            }
}

/* Copies switches, stored as kernels want them, to (images, channels, height, width). */
static void unload_switches(uint8_t *to, const uint8_t *from, const struct map *what, int images) {
    const size_t windows = (size_t)what->height * (size_t)what->width;
    for (int n = 0; n < images; n++) {
        for (int c = 0; c < what->channels; c++)
            for (size_t w = 0; w < windows; w++)
                *to++ = from[((size_t)(c / LANES) * windows + w) * LANES + (size_t)(c % LANES)];
        from += (size_t)map_blocks(what) * windows * LANES;
    }
}

/* Image 0 of one map becomes image k of another of the same shape. */
static void keep(const struct pass *pass, int other, int k, int own) {
    const struct map *from = &pass->w->value[own], *to = &pass->w->value[other];
    memcpy(to->data + k * to->image, from->data, (size_t)from->image * sizeof *from->data);
}

/* The where of the images after the group's (wrapping), as "other". */
static void encode_others(const struct pass *pass, const struct forward_job *job, size_t pixels) {
    const struct plan *plan = pass->plan;
    struct pass one = *pass;
    one.images = 1;
    for (int k = 0; k < pass->images; k++) {
        one.input = job->images + (size_t)((pass->index + k + 1) % job->n) * pixels;
        engine_range(&one, plan->encoder);
        for (int s = 0; s < plan->network->stages; s++) {
            const size_t size = plan_switches(plan, s);
            if (plan->px[s] >= 0) {
                keep(pass, plan->px_other[s], k, plan->px[s]);
                keep(pass, plan->py_other[s], k, plan->py[s]);
            } else {
                memcpy(pass->w->where_other[s] + (size_t)k * size, pass->w->where[s], size);
            }
        }
    }
}

static void unload_codes(const struct pass *pass, const struct forward *forward) {
    const struct plan *plan = pass->plan;
    const int s = forward->stage, i = pass->index;
    const struct map what = pass_value(pass, plan->what[s]);
    const size_t size = (size_t)what.channels * (size_t)what.height * (size_t)what.width;
    if (forward->what) unload(forward->what + (size_t)i * size, 1, &what, pass->images);
    if (forward->switches)
        unload_switches(forward->switches + (size_t)i * size, pass->w->where[s], &what,
                        pass->images);
    if (!forward->positions) return;
    const struct map px = pass_value(pass, plan->px[s]), py = pass_value(pass, plan->py[s]);
    unload(forward->positions + 2 * (size_t)i * size, 2, &px, pass->images);
    unload(forward->positions + 2 * (size_t)i * size + 1, 2, &py, pass->images);
}

static void forward_share(void *context, int j, int worker) {
    const struct forward_job *job = context;
    struct engine *e = job->e;
    const struct forward *forward = job->forward;
    const struct network *n = e->plan.network;
    const size_t pixels = (size_t)n->channels * (size_t)n->height * (size_t)n->width;
    struct pass pass = {.plan = &e->plan,
                        .kernels = &e->kernels,
                        .w = &e->workspace[worker],
                        .packed = e->packed,
                        .norm_values = e->norm_values,
                        .as_class = forward->as_class};
    const bool other = forward->reconstruction && e->plan.other;
    const bool classify =
        n->fcs && (forward->logits || (forward->reconstruction && n->variant.classes_top));
    const int end = share_first(j + 1, job->n);
    for (int i = share_first(j, job->n); i < end; i += pass.images) {
        pass.images = end - i < e->plan.group ? end - i : e->plan.group;
        pass.index = i;
        if (other) encode_others(&pass, job, pixels);
        pass.input = job->images + (size_t)i * pixels;
        engine_range(&pass, e->plan.encoder);
        unload_codes(&pass, forward);
        if (classify) engine_range(&pass, e->plan.classify);
        if (forward->logits && n->fcs) {
            const struct map logits = pass_value(&pass, e->plan.logits);
            unload(forward->logits + (size_t)i * (size_t)n->classes, 1, &logits, pass.images);
        }
        if (!forward->reconstruction) continue;
        engine_range(&pass, e->plan.decoder);
        const struct map rebuilt = pass_value(&pass, e->plan.rebuilt);
        unload(forward->reconstruction + (size_t)i * pixels, 1, &rebuilt, pass.images);
    }
}

swwae_status engine_forward(struct engine *e, const struct forward *forward, const real *parameters,
                            const real *images, int n) {
    swwae_status status = SWWAE_OK;
    CHECK(!e->plan.training, SWWAE_E_INTERNAL, "a training engine was asked for a forward pass");
    CHECK(n >= 1, SWWAE_E_ARGUMENT, "%d images found, expected at least 1", n);
    struct forward_job job = {.e = e, .forward = forward, .images = images, .n = n};
    engine_pack(e, parameters);
    pool_run(e->pool, ENGINE_SHARES, forward_share, &job);
fail:
    return status;
}
