/* run.h - a training run in memory: what it holds, and its loop. */
#ifndef SWWAE_TRAIN_RUN_H
#define SWWAE_TRAIN_RUN_H

#include "data/augment.h"
#include "train/batches.h"
#include "train/report.h"
#include "train/saver.h"

/* A training and everything it holds. */
struct run {
    swwae_options *options; /* effective */
    const struct settings *settings;
    swwae_dataset *dataset;
    struct label_draw draw;
    struct objective objective;
    struct swwae_model *model; /* its engine is the one of validation */
    struct optimizer optimizer;
    struct batches batches;
    struct augment augment;
    struct teacher teacher;
    struct engine *engine; /* of the steps */
    struct folder folder;
    struct metrics metrics;
    struct saver *saver; /* of everything in the folder but config.json and labels.json */
    struct progress_state state;
    struct reporter reporter;
    float *images;     /* (batch, channels, height, width) */
    uint32_t *indices; /* (batch) */
    int32_t *labels;   /* (batch) */
    float *gradient;   /* (parameters) */
    uint64_t steps;    /* in all */
    int threads;
    bool by_error;      /* the best model has the lowest error, else the lowest squared error */
    bool measure_error; /* at validation */
    bool measure_rec;
    bool resumed;   /* the run has a checkpoint */
    bool unsaved;   /* there is a row that no save has taken */
    double start;   /* of this call, seconds */
    double earlier; /* seconds of earlier calls */
    double lr;      /* of the last step */
    uint64_t began; /* the step that this call, or going back, began at */
    double validated_error, validated_rec;
};

/* Everything but the run folder, from run->options: the same for a new run and for one that goes
 * on. */
swwae_status run_prepare(struct run *run);
/* Accepts a zeroed struct. */
void run_free(struct run *run);

/* Begins to save into the run's folder. newest_damaged: its newest checkpoint could not be read. */
swwae_status run_make_saver(struct run *run, bool newest_damaged);
/* Saves the present state. best: it is the model of this step. Without a validation set every state
 * is. */
swwae_status run_save(struct run *run, bool best);

/* Trains from run->state.step to run->steps, or until the callback asks to stop
 * (SWWAE_E_INTERRUPTED); all is on disk then. */
swwae_status run_train(struct run *run);

/* The learning rate of a step: the schedule's, halved as often as the training went back. */
double run_rate(const struct run *run, uint64_t step);

/* Reports how far the run is. */
void run_tell(struct run *run, bool validated, bool best);

#endif
