/* metrics.h - what training came to since the last validation, and metrics.csv. */
#ifndef SWWAE_TRAIN_METRICS_H
#define SWWAE_TRAIN_METRICS_H

#include "engine/engine.h"

/* Sums over the steps since the last row of the table. */
struct sums {
    uint64_t steps, nll_steps; /* steps with a labelled image */
    uint64_t labelled, wrong;
    uint64_t unlabelled, guessed; /* of images that could have had a pseudo-label, and had */
    double loss, nll, rec, m, l1; /* m: all boundaries together */
    double pseudo, consistency;
};

/* Adds a batch whose terms are finite where they were computed. */
void sums_add(struct sums *sums, const struct losses *losses);

/* Means; NaN for what was not computed. error, and confident, the share of images without a label
 * that had a pseudo-label, in percent. */
struct means {
    double loss, nll, rec, m, l1, error, pseudo, consistency, confident;
};
struct means sums_means(const struct sums *sums, const struct objective *objective);

/* One line of metrics.csv; NaN leaves a cell empty. */
struct row {
    double epoch;
    uint64_t step;
    double lr; /* of the last step */
    struct means train;
    double validation_error, validation_rec;
    double seconds; /* since the run began, interruptions not counted */
};

struct metrics {
    char *path;
    char *text; /* the content of the file; written by the saver */
    size_t size;
    double seconds; /* of the last row */
};

/* A table with a header only. */
swwae_status metrics_create(struct metrics *metrics, const char *path);
/* The table of an earlier call up to and with step `last`; later rows are dropped. A missing file
 * starts anew. */
swwae_status metrics_resume(struct metrics *metrics, const char *path, uint64_t last);
/* Appends a row. */
swwae_status metrics_add(struct metrics *metrics, const struct row *row);
/* Accepts a zeroed struct. */
void metrics_free(struct metrics *metrics);

#endif
