/* network.c - from the notation and an image size to layers, views and initial weights; see
 * network.h. */
#include "model/network.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

#define FC_INPUTS (1 << 28) /* a gigabyte of weights a unit; an int still holds them padded */

const char *const unpooling_names[4] = {"switches", "upsample", "fixed", "average"};
const char *const output_names[2] = {"linear", "sigmoid"};
const char *const norm_names[3] = {"none", "batch", "pooled"};

/* Appends one view, shaped by what `shape` has of it. False: the size does not fit. */
static bool add_view(struct network *network, size_t *offset, struct view shape, const char *layer,
                     const char *tensor) {
    struct view *view = &network->view[network->view_count++];
    *view = shape;
    view->offset = *offset = network->parameters;
    view->size = 1;
    snprintf(view->name, sizeof view->name, "%s.%s", layer, tensor);
    for (int i = 0; i < view->rank; i++)
        if (__builtin_mul_overflow(view->size, view->shape[i], &view->size)) return false;
    if (__builtin_add_overflow(network->parameters, view->size, &network->parameters)) return false;
    return network->parameters <= PTRDIFF_MAX / sizeof(double);
}

/* A view of one value for each of a layer's outputs. */
static struct view per_output(int out, enum role role, float start) {
    return (struct view){.rank = 1, .shape = {(size_t)out}, .role = role, .start = start};
}

static bool add_conv(struct network *network, struct conv_layer *conv, const char *name,
                     bool tied) {
    const size_t kernel = (size_t)conv->kernel;
    const struct view weight = {.rank = 4,
                                .shape = {(size_t)conv->out, (size_t)conv->in, kernel, kernel},
                                .fan_in = conv->in * conv->kernel * conv->kernel};
    if (!tied && !add_view(network, &conv->weight, weight, name, "weight")) return false;
    if (!add_view(network, &conv->bias, per_output(conv->out, ROLE_BIAS, 0), name, "bias"))
        return false;
    if (!conv->normed) return true;
    return add_view(network, &conv->scale, per_output(conv->out, ROLE_SCALE, 1), name, "scale") &&
           add_view(network, &conv->mean, per_output(conv->out, ROLE_RUNNING, 0), name, "mean") &&
           add_view(network, &conv->variance, per_output(conv->out, ROLE_RUNNING, 1), name,
                    "variance");
}

static bool add_convs(struct network *network, bool decoder) {
    const bool tied = decoder && network->variant.tied;
    for (int s = 0; s < network->stages; s++)
        for (int c = 0; c < network->stage[s].convs; c++) {
            struct stage *stage = &network->stage[s];
            char name[48];
            snprintf(name, sizeof name, "%s.%d.%d", decoder ? "decoder" : "encoder", s, c);
            if (tied) stage->decoder[c].weight = stage->encoder[c].weight;
            if (!add_conv(network, decoder ? &stage->decoder[c] : &stage->encoder[c], name, tied))
                return false;
        }
    return true;
}

static bool add_linear(struct network *network, size_t *weight, size_t *bias, const char *name,
                       int in, int out) {
    const struct view matrix = {.rank = 2, .shape = {(size_t)out, (size_t)in}, .fan_in = in};
    if (weight && !add_view(network, weight, matrix, name, "weight")) return false;
    return add_view(network, bias, per_output(out, ROLE_BIAS, 0), name, "bias");
}

static bool add_fcs(struct network *network) {
    for (int j = 0; j < network->fcs; j++) {
        struct fc_layer *fc = &network->fc[j];
        char name[48];
        snprintf(name, sizeof name, "classifier.%d", j);
        if (!add_linear(network, &fc->weight, &fc->bias, name, fc->in, fc->out)) return false;
    }
    return true;
}

static bool add_mirrors(struct network *network) {
    const bool tied = network->variant.tied;
    for (int j = 0; j < network->fcs; j++) {
        struct fc_layer *fc = &network->fc[j];
        char name[48];
        snprintf(name, sizeof name, "decoder.fc.%d", j);
        fc->mirror_weight = fc->weight;
        if (!add_linear(network, tied ? NULL : &fc->mirror_weight, &fc->mirror_bias, name, fc->out,
                        fc->in))
            return false;
    }
    return true;
}

/* Sizes of every stage and of the fc layers, from the image up. */
static swwae_status measure(struct network *network) {
    const struct notation *notation = &network->notation;
    const bool normed = network->variant.norm != NORM_NONE;
    int channels = network->channels, height = network->height, width = network->width;
    network->stages = notation->stages;
    for (int s = 0; s < network->stages; s++) {
        struct stage *stage = &network->stage[s];
        stage->convs = notation->stage[s].convs;
        for (int c = 0; c < stage->convs; c++) {
            int maps = notation->stage[s].maps[c], kernel = notation->stage[s].kernel[c];
            stage->encoder[c] = (struct conv_layer){.in = channels,
                                                    .out = maps,
                                                    .kernel = kernel,
                                                    .height = height,
                                                    .width = width,
                                                    .normed = normed};
            stage->decoder[c] = (struct conv_layer){
                .in = maps,
                .out = channels,
                .kernel = kernel,
                .height = height,
                .width = width,
                .normed = normed && (s > 0 || c > 0 || network->variant.norm == NORM_BATCH)};
            channels = maps;
        }
        stage->pool = notation->stage[s].pool;
        stage->maps = channels;
        stage->height = height;
        stage->width = width;
        stage->pooled_height = height = (height + stage->pool - 1) / stage->pool;
        stage->pooled_width = width = (width + stage->pool - 1) / stage->pool;
    }
    network->fcs = notation->fcs;
    int64_t in = (int64_t)channels * height * width; /* at most 4096 * 2048 * 2048 */
    if (network->fcs && in > FC_INPUTS)
        return status_set(SWWAE_E_ARGUMENT,
                          "the first fully connected layer would have %lld inputs (%d maps of %d x "
                          "%d), expected at most %d; pool more or use smaller images",
                          (long long)in, channels, height, width, FC_INPUTS);
    for (int j = 0; j < network->fcs; j++) {
        network->fc[j] = (struct fc_layer){.in = (int)in, .out = notation->units[j]};
        in = network->classes = notation->units[j];
    }
    return SWWAE_OK;
}

swwae_status network_build(struct network *network, const char *arch, int channels, int height,
                           int width, const struct variant *variant) {
    swwae_status status = SWWAE_OK;
    struct network n = {.channels = channels, .height = height, .width = width};
    size_t views = 0;
    if (variant) n.variant = *variant;
    TRY(notation_parse(&n.notation, arch));
    CHECK(channels >= 1 && channels <= 1024, SWWAE_E_ARGUMENT,
          "images of %d channels found, expected 1 to 1024", channels);
    CHECK(height >= 1 && height <= 4096 && width >= 1 && width <= 4096, SWWAE_E_ARGUMENT,
          "images of height %d and width %d found, expected 1 to 4096 each", height, width);
    TRY(measure(&n));
    CHECK(n.fcs || !n.variant.classes_top, SWWAE_E_ARGUMENT,
          "a decoder that starts from the classes was asked for, but the architecture has no fully "
          "connected layer; add one such as 10fc");
    for (int s = 0; s < n.stages; s++)
        CHECK(n.variant.norm != NORM_POOLED || !(n.variant.beta[s] > 0), SWWAE_E_ARGUMENT,
              "norm pooled and a beta of %g were asked for, but a soft pool's what cannot be "
              "normalised after it; use norm batch, or beta hard",
              n.variant.beta[s]);
    for (int s = 0; s < n.stages; s++) views += 2 * (size_t)n.stage[s].convs;
    views = views * (n.variant.norm ? 5 : 2) + 4 * (size_t)n.fcs; /* at most */
    n.view = calloc(views + 1, sizeof *n.view);
    CHECK(n.view, SWWAE_E_MEMORY, "cannot allocate the table of %zu tensors", views);
    CHECK(add_convs(&n, false) && add_fcs(&n) && add_convs(&n, true) &&
              (!n.variant.classes_top || add_mirrors(&n)),
          SWWAE_E_ARGUMENT,
          "architecture \"%.200s\" has more parameters than memory can hold; use fewer maps or "
          "units",
          arch);
    *network = n;
    return SWWAE_OK;
fail:
    free(n.view);
    return status;
}

void network_clear(struct network *network) {
    free(network->view);
    *network = (struct network){0};
}

void network_initialise(float *parameters, const struct network *network, uint64_t seed) {
    for (size_t i = 0; i < network->view_count; i++) {
        const struct view *view = &network->view[i];
        float *values = parameters + view->offset;
        if (view->role != ROLE_WEIGHT) {
            for (size_t k = 0; k < view->size; k++) values[k] = view->start;
            continue;
        }
        /* IEEE 754 rounds sqrt exactly, and 2u - 1 is exact: the same weights everywhere. */
        double bound = sqrt(6.0 / view->fan_in);
        struct rng rng = rng_stream(seed, RNG_WEIGHTS, i);
        for (size_t k = 0; k < view->size; k++)
            values[k] = (float)((2.0 * rng_uniform(&rng) - 1.0) * bound);
    }
}

double network_flops_conv(const struct conv_layer *conv) {
    return 2.0 * conv->in * conv->out * conv->kernel * conv->kernel * conv->height * conv->width;
}

double network_flops_encoder(const struct network *network) {
    double flops = 0;
    for (int s = 0; s < network->stages; s++)
        for (int c = 0; c < network->stage[s].convs; c++)
            flops += network_flops_conv(&network->stage[s].encoder[c]);
    for (int j = 0; j < network->fcs; j++) flops += 2.0 * network->fc[j].in * network->fc[j].out;
    return flops;
}

double network_flops_decoder(const struct network *network) {
    double flops = 0;
    for (int s = 0; s < network->stages; s++)
        for (int c = 0; c < network->stage[s].convs; c++)
            flops += network_flops_conv(&network->stage[s].decoder[c]);
    for (int j = 0; network->variant.classes_top && j < network->fcs; j++)
        flops += 2.0 * network->fc[j].in * network->fc[j].out;
    return flops;
}
