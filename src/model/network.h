/* network.h - layers with their sizes, and one flat array of parameters with named views. */
#ifndef SWWAE_MODEL_NETWORK_H
#define SWWAE_MODEL_NETWORK_H

#include "model/notation.h"
#include "tensor/map.h"

/* A "same" convolution: (in, height, width) -> (out, height, width). */
struct conv_layer {
    int in, out, kernel;
    int height, width;
    size_t weight; /* offset in the flat parameters, (out, in, kernel, kernel) */
    size_t bias;   /* offset, (out) */
};

/* Convolutions, then a pool; and their mirror in the decoder. decoder[c] undoes encoder[c]:
 * kernel kept, channels reversed. The decoder runs unpool, decoder[convs-1], ..., decoder[0]. */
struct stage {
    int convs;
    struct conv_layer encoder[NOTATION_CONVS], decoder[NOTATION_CONVS];
    int pool;
    int maps;                        /* channels at the pool */
    int height, width;               /* before the pool */
    int pooled_height, pooled_width; /* ceil(height / pool), ceil(width / pool) */
};

struct fc_layer {
    int in, out;
    size_t
        weight; /* (out, in); the first layer's inputs are (channel, row, column) of the top what */
    size_t bias; /* (out) */
};

/* One named tensor inside the flat parameters. Names: encoder.S.C.weight, classifier.J.bias,
 * decoder.S.C.weight; S counts stages and C convolutions from the image, 0-based. */
struct view {
    char name[64];
    int rank;
    size_t shape[4];
    size_t offset, size; /* values */
    int fan_in;          /* inputs of one output; 0 for a bias */
};

struct network {
    struct notation notation;
    int channels, height, width; /* of the image */
    int stages;
    struct stage stage[NOTATION_STAGES];
    int fcs;
    struct fc_layer fc[NOTATION_FCS];
    int classes;       /* units of the last fc layer; 0 without */
    size_t parameters; /* values in the flat array */
    size_t view_count;
    struct view *view; /* (view_count), in order of offset, contiguous; malloc'ed */
};

/* channels 1..1024, height, width 1..4096; sizes overflow-checked (SWWAE_E_ARGUMENT). */
swwae_status network_build(struct network *network, const char *arch, int channels, int height,
                           int width);
void network_clear(struct network *network);

/* He initialisation, uniform in +-sqrt(6 / fan_in) (same variance as the normal form, and exact
 * on every machine); biases 0. Tensor i draws from stream (seed, RNG_WEIGHTS, i). */
void network_initialise(float *parameters, const struct network *network, uint64_t seed);

/* Multiply-adds x 2 of one image: a convolution, the encoder (with classifier) forward, the decoder
 * forward. */
double network_flops_conv(const struct conv_layer *conv);
double network_flops_encoder(const struct network *network);
double network_flops_decoder(const struct network *network);

#endif
