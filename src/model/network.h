/* network.h - layers with their sizes, and one flat array of parameters with named views. */
#ifndef SWWAE_MODEL_NETWORK_H
#define SWWAE_MODEL_NETWORK_H

#include "model/notation.h"
#include "tensor/map.h"

#include <stdbool.h>

/* Where the decoder puts each value inside its window. */
enum unpooling {
    UNPOOL_SWITCHES = 0, /* at the encoder's where (paper section 3) */
    UNPOOL_UPSAMPLE,     /* in every cell (the ablation of section 4.1) */
    UNPOOL_FIXED,        /* always in the first cell (Zhang, Lee, Lee 2016) */
    UNPOOL_AVERAGE /* spread evenly: value / cells in every cell, the transpose of mean pooling */
};

enum output { OUTPUT_LINEAR = 0, OUTPUT_SIGMOID };

/* Their names in options and files, in the order of the enums. */
extern const char *const unpooling_names[4], *const output_names[2], *const norm_names[3];

/* Batch normalisation after every convolution of both pathways (paper section 4.4), or, of the last
 * one of an encoder's stage, after its pool, where the gradient stays one at the switches, and not
 * of the one that makes the image. */
enum batch_norm { NORM_NONE, NORM_BATCH, NORM_POOLED };

/* What there is to choose about a model besides its notation. All zero: the paper's model. */
struct variant {
    /* Sharpness of each stage's soft pooling (paper section 3.1); 0: max pooling. */
    double beta[NOTATION_STAGES];
    enum unpooling unpooling;
    enum output output;
    bool classes_top; /* the decoder starts from the classes through mirrored fc layers */
    bool tied;        /* decoder weights are the encoder's, transposed; biases are its own */
    enum batch_norm norm;
};

/* Batch normalisation of a convolution's output, per channel (the paper's nets for STL-10 and
 * CIFAR): scale (x - mean) / sqrt(variance + NORM_EPSILON) + bias. After a pool it is scale's
 * absolute value, so that the maximum of a window stays the maximum. */
#define NORM_EPSILON 1e-5
/* running += NORM_MOMENTUM (batch - running), after every training step. */
#define NORM_MOMENTUM 0.1

/* A "same" convolution: (in, height, width) -> (out, height, width). */
struct conv_layer {
    int in, out, kernel;
    int height, width;
    size_t weight; /* offset in the flat parameters, (out, in, kernel, kernel); of a tied decoder
                      layer that of its mirror image, (in, out, kernel, kernel) */
    size_t bias;   /* offset, (out); added after the normalisation where there is one */
    bool normed;   /* batch normalisation follows */
    size_t scale, mean, variance; /* offsets, (out); normed only */
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
    /* Its mirror in a decoder that starts from the classes: out -> in. */
    size_t mirror_weight; /* (in, out); tied: that of the layer itself, (out, in) */
    size_t mirror_bias;   /* (in) */
};

/* What a tensor's values are, for initialisation and for the optimizer. */
enum role {
    ROLE_WEIGHT,
    ROLE_BIAS,    /* starts at 0, does not decay */
    ROLE_SCALE,   /* starts at 1, does not decay */
    ROLE_RUNNING, /* a statistic: follows the batches by NORM_MOMENTUM, has no gradient */
};

/* One named tensor inside the flat parameters. Names: encoder.S.C.weight, classifier.J.bias,
 * decoder.S.C.weight, decoder.fc.J.weight; with batch normalisation a convolution also has .scale,
 * .mean and .variance. S counts stages and C convolutions from the image, J fc layers, 0-based. */
struct view {
    char name[64];
    int rank;
    size_t shape[4];
    size_t offset, size; /* values */
    enum role role;
    int fan_in;  /* of a weight: inputs of one output; else 0 */
    float start; /* of the others: the initial value */
};

struct network {
    struct notation notation;
    struct variant variant;
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

/* channels 1..1024, height, width 1..4096; sizes overflow-checked (SWWAE_E_ARGUMENT). variant NULL:
 * the paper's model. A decoder that starts from the classes needs an fc layer. */
swwae_status network_build(struct network *network, const char *arch, int channels, int height,
                           int width, const struct variant *variant);
void network_clear(struct network *network);

/* He initialisation, uniform in +-sqrt(6 / fan_in) (same variance as the normal form, and exact
 * on every machine); biases 0, scales 1. Tensor i draws from stream (seed, RNG_WEIGHTS, i). */
void network_initialise(float *parameters, const struct network *network, uint64_t seed);

/* Multiply-adds x 2 of one image: a convolution, the encoder (with classifier) forward, the decoder
 * forward. */
double network_flops_conv(const struct conv_layer *conv);
double network_flops_encoder(const struct network *network);
double network_flops_decoder(const struct network *network);

#endif
