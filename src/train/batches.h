/* batches.h - which images make up which batch.
 *
 * A batch is a function of the seed and its step number alone, so a resumed run needs no state but
 * the step. Three regimes, after the terms of the loss and the labels (paper section 3):
 *
 *   supervised       no term looks at other images, or all are labelled: the labelled ones only
 *   unsupervised     no classification term: every training image but the validation images
 *   semi-supervised  a part of the batch from the labelled images, the rest from all others.
 *                    "All others" includes the validation images: their labels choose the best
 *                    model and are never seen by the loss, their pixels are data like any.
 *
 * A stream visits its images once a pass, each pass in a new order, and batches run over the ends
 * of passes. An epoch is a pass over the main stream (the unlabelled one if there are two). */
#ifndef SWWAE_TRAIN_BATCHES_H
#define SWWAE_TRAIN_BATCHES_H

#include "base/rng.h"
#include "data/labels.h"

/* Images in an order that is drawn anew for every pass. */
struct stream {
    uint32_t *sorted; /* (count) */
    uint32_t *order;  /* (count) of pass `pass` */
    size_t count;
    uint64_t pass; /* UINT64_MAX: none drawn yet */
    uint64_t seed;
    enum rng_purpose purpose;
};

enum regime { REGIME_SUPERVISED = 0, REGIME_UNSUPERVISED, REGIME_SEMI_SUPERVISED };

struct batches {
    enum regime regime;
    int size;                /* images in a batch */
    int labelled;            /* of these, from the labelled stream; they come first */
    struct stream main;      /* of size - labelled images a batch */
    struct stream few;       /* semi-supervised: the labelled images */
    uint64_t steps_an_epoch; /* ceil(main.count / (size - labelled)) */
    const int32_t *labels;   /* the data set's; NULL: none */
};

/* What decides the regime. */
struct batches_options {
    bool nll;              /* the classification term is on */
    bool unlabelled;       /* a term looks at images without a label: reconstruction, agreement */
    int size;              /* >= 1; >= 2 where the batch has two parts */
    double labelled_share; /* 0..1 exclusive; rounded, at least one image of each part */
    uint64_t seed;
};

/* draw's indices are copied; labels must outlive batches. SWWAE_E_DATA where a stream would be
 * empty, SWWAE_E_ARGUMENT for a batch of 1 in two parts. */
swwae_status batches_create(struct batches *batches, const struct label_draw *draw,
                            const int32_t *labels, const struct batches_options *options);
/* Accepts a zeroed struct. */
void batches_free(struct batches *batches);

/* The images of batch `step` (0-based) and the labels the loss may see, -1 for none. */
void batches_fill(struct batches *batches, uint64_t step, uint32_t *images, /* (size) */
                  int32_t *labels /* (size) */);

#endif
