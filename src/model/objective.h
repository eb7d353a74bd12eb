/* objective.h - the loss L = l_nll NLL + l_rec L2rec + sum_m l_m L2M_m (paper eq. 1), and what it
 * leaves out of the computation. */
#ifndef SWWAE_MODEL_OBJECTIVE_H
#define SWWAE_MODEL_OBJECTIVE_H

#include "model/network.h"

/* How a difference d (per image, all channels and pixels) becomes a number; the mean over the
 * images of the batch follows. docs/math.md. */
enum reduction {
    REDUCTION_MEAN = 0, /* mean of d^2 over the elements (default) */
    REDUCTION_SUM,      /* sum of d^2 */
    REDUCTION_NORM      /* |d|, unsquared, as the paper prints it */
};

/* What the decoder is made to rebuild (Zhang, Lee, Lee 2016, section 3). */
enum layers {
    LAYERS_ALL = 0,  /* the image and, where m[s] > 0, the inner boundaries */
    LAYERS_INPUT,    /* the image only: every m[s] is 0 */
    LAYERS_LAYERWISE /* all, each decoder stage fed the encoder's own what instead of what the
                        stage above rebuilt */
};

extern const char *const reduction_names[3], *const layers_names[3];

struct objective {
    double nll;                /* weight of the softmax cross-entropy over labelled images */
    double rec;                /* weight of image against reconstruction */
    double m[NOTATION_STAGES]; /* weight at boundary s: encoder's pooled map of stage s against
                                  the decoder's map about to be unpooled there; s = 0 ..
                                  boundaries-1 */
    enum reduction reduction;
    enum layers layers;
    double l1;           /* weight of the sum over stages of |what| (all stages), reduced like the
                            distances: mean over the elements, or sum */
    double dropout;      /* share of each fc layer's inputs set to 0; the rest is scaled up */
    double dropout_conv; /* the same for the inputs of every convolution of the encoder but the
                            first, whose input is the image */
    double noise;        /* standard deviation of the normal noise on the encoder's image */
    double where_noise;  /* share of the where that the decoder gets moved to a random cell */
};

/* Boundaries an inner term can stand at: stages - 1, since at the top both sides are one tensor;
 * stages when the decoder starts from the classes. */
int objective_boundaries(const struct network *network);

/* Whether a step draws anything at random. */
bool objective_draws(const struct objective *objective);

/* Fails (SWWAE_E_ARGUMENT) when a weight is negative or not finite, a share is not in 0 .. 1, no
 * term is on, nll > 0 and the network has no fc layer, or where two choices exclude each other. */
swwae_status objective_check(const struct objective *objective, const struct network *network);

/* The lowest decoder stage a term needs: 0 when rec > 0, s + 1 for the lowest m[s] > 0, `stages`
 * when no stage of the decoder is needed. Stages below are not computed. */
int objective_decoder_bottom(const struct objective *objective, const struct network *network);

/* Whether the fc layers from the classes down to the top stage run, and whether any part of the
 * decoder does. */
bool objective_mirror_on(const struct objective *objective, const struct network *network);
bool objective_decoder_on(const struct objective *objective, const struct network *network);

#endif
