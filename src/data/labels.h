/* labels.h - which images may show their label: the balanced draw of the paper's protocol. */
#ifndef SWWAE_DATA_LABELS_H
#define SWWAE_DATA_LABELS_H

#include "data/dataset.h"

/* The split of a training set into three roles: every image has exactly one. Index arrays are
 * sorted and never NULL after a successful draw. */
struct label_draw {
    uint32_t *labelled;   /* images whose label the loss may use */
    uint32_t *unlabelled; /* all images that are neither labelled nor in validation */
    uint32_t *validation; /* held out */
    size_t labelled_count, unlabelled_count, validation_count;
};

/* Draws validation images (balanced per class as far as possible, from a rare class no more than
 * half unless all have given as much; uniformly where there are no labels), then `labels` labelled
 * images, the same number per class, from the rest (paper section 4.2: 100 labels are 10 of each
 * digit). labels: -1 all of the rest that have one, 0 none, or a positive multiple of the number of
 * classes. validation: 0 or more, fewer than the images. A remainder, a class with too few images,
 * a data set without labels (when labels != 0) is SWWAE_E_DATA with one sentence.
 *
 * From the seed only. With the same seed and validation, a larger `labels` draws a superset. */
swwae_status labels_draw(struct label_draw *draw, const struct swwae_dataset *dataset, long labels,
                         size_t validation, uint64_t seed);

/* The same draw of validation images around labelled ones that are given: `count` different images,
 * each with a label. With the images that labels_draw draws it draws the same again. */
swwae_status labels_draw_around(struct label_draw *draw, const struct swwae_dataset *dataset,
                                const uint32_t *labelled, size_t count, size_t validation,
                                uint64_t seed);

/* Accepts NULL and a zeroed struct. */
void labels_free(struct label_draw *draw);

#endif
