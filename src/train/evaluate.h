/* evaluate.h - measuring a model on labelled or unlabelled images. */
#ifndef SWWAE_TRAIN_EVALUATE_H
#define SWWAE_TRAIN_EVALUATE_H

#include "data/dataset.h"
#include "train/model.h"
#include "train/report.h"

/* What to measure. */
struct evaluate {
    struct swwae_model *model;
    const struct swwae_dataset *dataset;
    const uint32_t *indices; /* (count) which images; NULL: all of them */
    size_t count;            /* of indices */
    bool error, rec;         /* classification; reconstruction */
    bool confusion;          /* fill evaluation->confusion, which the caller frees */
    const char *what;        /* of the progress: "evaluate", "validate" */
};

/* SWWAE_E_DATA unless the data set's images have the model's size; the sentence gives both sizes
 * and, where padding would help, the option. */
swwae_status evaluate_check_size(const struct swwae_model *model,
                                 const struct swwae_dataset *dataset);

/* What is not measured is 0. SWWAE_E_INTERRUPTED once reporter->stop is set. SWWAE_E_NUMERIC when
 * an output is not finite. */
swwae_status evaluate_run(struct swwae_evaluation *evaluation, const struct evaluate *evaluate,
                          struct reporter *reporter);

#endif
