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

enum output { OUTPUT_LINEAR = 0, OUTPUT_SIGMOID };

/* Where the decoder puts each value inside its window. */
enum unpooling {
    UNPOOL_SWITCHES = 0, /* at the encoder's switch (paper section 3) */
    UNPOOL_UPSAMPLE,     /* in every cell (the ablation of section 4.1) */
    UNPOOL_FIXED         /* always in the first cell (Zhang, Lee, Lee 2016) */
};

/* Their names in options and files, in the order of the enums. */
extern const char *const reduction_names[3], *const output_names[2], *const unpooling_names[3];

struct objective {
    double nll;                /* weight of the softmax cross-entropy over labelled images */
    double rec;                /* weight of image against reconstruction */
    double m[NOTATION_STAGES]; /* weight at boundary s: encoder's pooled map of stage s against
                                  the decoder's map about to be unpooled there; s = 0 ..
                                  stages-2 (at the top both are one tensor) */
    enum reduction reduction;
    enum output output;
    enum unpooling unpooling;
};

/* Fails (SWWAE_E_ARGUMENT) when a weight is negative or not finite, when no term is on, or when
 * nll > 0 and the network has no fc layer. */
swwae_status objective_check(const struct objective *objective, const struct network *network);

/* The lowest decoder stage a term needs: 0 when rec > 0, s + 1 for the lowest m[s] > 0, `stages`
 * when the decoder is not needed at all. Stages below are not computed. */
int objective_decoder_bottom(const struct objective *objective, const struct network *network);

#endif
