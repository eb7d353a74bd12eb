/* gradient.c - adding up a tensor's gradients. The first writes in place, each later one into
 * scratch that is added; after the last the gradient is 0 wherever the tensor's ReLU was shut. */
#include "engine/op.h"

static const struct tensor *tensor_of(const struct pass *p, const struct input *input) {
    return &p->plan->tensor[input->tensor];
}

bool gradient_wanted(const struct pass *p, const struct input *input) {
    return input->tensor >= 0 && tensor_of(p, input)->gradient;
}

/* A map like the gradient, without a ring, in the workspace's scratch. */
static struct map scratch(const struct pass *p, const struct input *input) {
    const struct map *like = &tensor_of(p, input)->map;
    return map_place(map_shape(like->channels, like->height, like->width, 0, like->lanes),
                     p->w->scratch);
}

struct gradient gradient_begin(const struct pass *p, const struct input *input) {
    const bool gated = input->first && input->last && tensor_of(p, input)->relu;
    return (struct gradient){.map =
                                 input->first ? pass_gradient(p, input->tensor) : scratch(p, input),
                             .open = pass_value(p, input->tensor),
                             .gated = gated};
}

void gradient_end(const struct pass *p, const struct input *input, bool gated) {
    const bool close = input->last && tensor_of(p, input)->relu;
    struct map to = pass_gradient(p, input->tensor);
    const struct map open = pass_value(p, input->tensor);
    if (!input->first) {
        const struct map part = scratch(p, input);
        p->kernels->add(&to, &part, close ? &open : NULL, p->images);
    } else if (close && !gated) {
        p->kernels->gate(&to, &open, p->images);
    }
}
