/* fault.c - looking for the first value that is not finite; see fault.h.
 *
 * A step costs nothing for it: only when one has failed does it run again with fault_look after
 * each operation. A share keeps the earliest place it has seen, by operation and then by image. */
#include "engine/fault.h"

#include "engine/cpu.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum part { OUTPUT, TERM, WEIGHTS, PASSED_BACK };

static bool all_finite(const real *values, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i])) return false;
    return true;
}

/* The first of the group's images that holds such a value, or -1. */
static int odd_image(const struct map *map, int images) {
    for (int n = 0; n < images; n++)
        for (int c = 0; c < map->channels; c++)
            for (int i = 0; i < map->height; i++)
                for (int j = 0; j < map->width; j++)
                    if (!isfinite(*map_at(map, n, c, i, j))) return n;
    return -1;
}

static void keep(struct fault_spot *spot, int move, int image, const struct op *op,
                 enum part part) {
    if (spot->found && (spot->move < move || (spot->move == move && spot->image <= image))) return;
    *spot =
        (struct fault_spot){.found = true, .move = move, .image = image, .op = op, .part = part};
}

static bool sums_finite(const struct term_sums *terms) {
    bool good = isfinite(terms->nll) && isfinite(terms->rec) && isfinite(terms->l1) &&
                isfinite(terms->pseudo) && isfinite(terms->consistency);
    for (int s = 0; s < NOTATION_STAGES; s++) good = good && isfinite(terms->m[s]);
    return good;
}

/* A share's sums of a layer's gradient. */
static bool layer_finite(const struct pass *pass, const struct layer *layer) {
    return all_finite(pass->sum + layer->sum, layer->sum_end - layer->sum);
}

static void look_back(struct fault_spot *spot, const struct pass *pass, const struct op *op,
                      int move) {
    if (!sums_finite(pass->terms)) keep(spot, move, pass->index, op, TERM);
    if (engine_sums(op) && !layer_finite(pass, op->layer))
        keep(spot, move, pass->index, op, WEIGHTS);
    for (int k = 0; k < OP_INPUTS; k++) {
        const int tensor = op->in[k].tensor;
        if (tensor < 0 || !pass->plan->tensor[tensor].uses) continue;
        const struct map map = pass_gradient(pass, tensor);
        const int image = odd_image(&map, pass->images);
        if (image >= 0) keep(spot, move, pass->index + image, op, PASSED_BACK);
    }
}

void fault_look(struct fault_spot *spot, const struct pass *pass, const struct op *op, bool back,
                int move) {
    if (back) {
        look_back(spot, pass, op, move);
        return;
    }
    for (int k = 0; k < OP_INPUTS; k++) {
        if (op->out[k] < 0 || op->kind == &op_norm_sums) continue; /* op_norm writes its output */
        const struct map map = pass_value(pass, op->out[k]);
        const int image = odd_image(&map, pass->images);
        if (image >= 0) keep(spot, move, pass->index + image, op, OUTPUT);
    }
}

/* ---- saying it ---- */

static void name_term(char *text, size_t size, const struct op *op) {
    if (op->kind == &op_nll)
        snprintf(text, size, "classification term");
    else if (op->kind == &op_l1)
        snprintf(text, size, "sparsity term of stage %d", op->stage);
    else if (op->source >= 0)
        snprintf(text, size, "reconstruction term");
    else
        snprintf(text, size, "intermediate term of boundary %d", op->stage);
}

static void say(struct fault *fault, const struct plan *plan, const struct fault_spot *spot) {
    char layer[48], name[80];
    const struct op *op = spot->op;
    const bool term = op - plan->op >= plan->terms.begin;
    engine_name_layer(layer, sizeof layer, plan, op);
    if (term)
        name_term(name, sizeof name, op);
    else if (*layer)
        snprintf(name, sizeof name, "%s (%s)", layer, op->kind->name);
    else
        snprintf(name, sizeof name, "%s", op->kind->name);
    const char *before = "the ", *after = "";
    if (spot->part == OUTPUT) before = "the output of ";
    if (spot->part == WEIGHTS) before = "the gradient of the weights of ";
    if (spot->part == PASSED_BACK) before = term ? "the gradient of the " : "the gradient that ";
    if (spot->part == PASSED_BACK && !term) after = " passes back";
    snprintf(fault->place, sizeof fault->place, "%s%s%s, image %d of the batch", before, name,
             after, spot->image);
    fault->found = true;
}

/* The last such tensor of a flat array by name: the way back begins at the end. */
static void look_at_views(struct fault *fault, const struct network *network, const real *values,
                          const char *what) {
    for (size_t i = network->view_count; i-- > 0 && !fault->found;) {
        const struct view *view = &network->view[i];
        if (all_finite(values + view->offset, view->size)) continue;
        snprintf(fault->place, sizeof fault->place, "%s %s", what, view->name);
        fault->found = true;
    }
}

swwae_status engine_find_fault(struct engine *e, struct fault *fault, real *gradient,
                               const real *parameters, const struct batch *batch) {
    swwae_status status = SWWAE_OK;
    struct losses losses;
    struct fault_spot first = {0};
    const int group = e->plan.group;
    *fault = (struct fault){0};
    look_at_views(fault, e->plan.network, parameters, "the parameter");
    if (fault->found) return SWWAE_OK;
    e->spot = calloc(ENGINE_SHARES, sizeof *e->spot);
    CHECK(e->spot, SWWAE_E_MEMORY, "cannot allocate the search for a value that is not finite");
    e->plan.group = 1; /* image by image, so that each place has one */
    status = engine_step(e, &losses, gradient, parameters, batch);
    e->plan.group = group;
    if (status != SWWAE_OK) goto fail;
    for (int k = 0; k < ENGINE_SHARES; k++) {
        const struct fault_spot *spot = &e->spot[k];
        if (spot->found) keep(&first, spot->move, spot->image, spot->op, (enum part)spot->part);
    }
    if (first.found)
        say(fault, &e->plan, &first);
    else
        look_at_views(fault, e->plan.network, gradient, "the gradient of");
fail:
    free(e->spot);
    e->spot = NULL;
    return status;
}
