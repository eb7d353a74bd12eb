/* network.c - from the notation and an image size to layers, views and initial weights; see
 * network.h. */
#include "model/network.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

#define FC_INPUTS (1 << 28) /* a gigabyte of weights a unit; an int still holds them padded */

/* Appends one view. False: the size does not fit. */
static bool add_view(struct network *network, const char *layer, const char *tensor,
                     const size_t *shape, int rank, int fan_in) {
    struct view *view = &network->view[network->view_count++];
    *view = (struct view){.rank = rank, .offset = network->parameters, .size = 1, .fan_in = fan_in};
    snprintf(view->name, sizeof view->name, "%s.%s", layer, tensor);
    for (int i = 0; i < rank; i++) {
        view->shape[i] = shape[i];
        if (__builtin_mul_overflow(view->size, shape[i], &view->size)) return false;
    }
    if (__builtin_add_overflow(network->parameters, view->size, &network->parameters)) return false;
    return network->parameters <= PTRDIFF_MAX / sizeof(double);
}

/* Appends the views of a layer's weight, of shape (out, ...), and of its bias. */
static bool add_layer(struct network *network, size_t *weight, size_t *bias, const char *name,
                      const size_t *shape, int rank) {
    size_t fan_in = 1; /* at most 4096 * 11 * 11, or an int */
    for (int i = 1; i < rank; i++) fan_in *= shape[i];
    *weight = network->parameters;
    if (!add_view(network, name, "weight", shape, rank, (int)fan_in)) return false;
    *bias = network->parameters;
    return add_view(network, name, "bias", shape, 1, 0);
}

static bool add_convs(struct network *network, const char *side, bool decoder) {
    for (int s = 0; s < network->stages; s++)
        for (int c = 0; c < network->stage[s].convs; c++) {
            struct conv_layer *conv =
                decoder ? &network->stage[s].decoder[c] : &network->stage[s].encoder[c];
            size_t kernel = (size_t)conv->kernel;
            size_t shape[4] = {(size_t)conv->out, (size_t)conv->in, kernel, kernel};
            char name[48];
            snprintf(name, sizeof name, "%s.%d.%d", side, s, c);
            if (!add_layer(network, &conv->weight, &conv->bias, name, shape, 4)) return false;
        }
    return true;
}

static bool add_fcs(struct network *network) {
    for (int j = 0; j < network->fcs; j++) {
        struct fc_layer *fc = &network->fc[j];
        size_t shape[2] = {(size_t)fc->out, (size_t)fc->in};
        char name[48];
        snprintf(name, sizeof name, "classifier.%d", j);
        if (!add_layer(network, &fc->weight, &fc->bias, name, shape, 2)) return false;
    }
    return true;
}

/* Sizes of every stage and of the fc layers, from the image up. */
static swwae_status measure(struct network *network) {
    const struct notation *notation = &network->notation;
    int channels = network->channels, height = network->height, width = network->width;
    network->stages = notation->stages;
    for (int s = 0; s < network->stages; s++) {
        struct stage *stage = &network->stage[s];
        stage->convs = notation->stage[s].convs;
        for (int c = 0; c < stage->convs; c++) {
            int maps = notation->stage[s].maps[c], kernel = notation->stage[s].kernel[c];
            stage->encoder[c] = (struct conv_layer){
                .in = channels, .out = maps, .kernel = kernel, .height = height, .width = width};
            stage->decoder[c] = (struct conv_layer){
                .in = maps, .out = channels, .kernel = kernel, .height = height, .width = width};
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
                           int width) {
    swwae_status status = SWWAE_OK;
    struct network n = {.channels = channels, .height = height, .width = width};
    size_t layers = 0;
    TRY(notation_parse(&n.notation, arch));
    CHECK(channels >= 1 && channels <= 1024, SWWAE_E_ARGUMENT,
          "images of %d channels found, expected 1 to 1024", channels);
    CHECK(height >= 1 && height <= 4096 && width >= 1 && width <= 4096, SWWAE_E_ARGUMENT,
          "images of height %d and width %d found, expected 1 to 4096 each", height, width);
    TRY(measure(&n));
    for (int s = 0; s < n.stages; s++) layers += 2 * (size_t)n.stage[s].convs;
    layers += (size_t)n.fcs;
    n.view = calloc(2 * layers, sizeof *n.view);
    CHECK(n.view, SWWAE_E_MEMORY, "cannot allocate the table of %zu tensors", 2 * layers);
    CHECK(
        add_convs(&n, "encoder", false) && add_fcs(&n) && add_convs(&n, "decoder", true),
        SWWAE_E_ARGUMENT,
        "architecture \"%.200s\" has more parameters than memory can hold; use fewer maps or units",
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
        if (!view->fan_in) {
            memset(values, 0, view->size * sizeof *values);
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
    return flops;
}
