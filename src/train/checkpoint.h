/* checkpoint.h - the whole state of a training between two steps, in one file. */
#ifndef SWWAE_TRAIN_CHECKPOINT_H
#define SWWAE_TRAIN_CHECKPOINT_H

#include "train/metrics.h"
#include "train/model.h"
#include "train/optimizer.h"
#include "train/teacher.h"

/* What a training knows besides the parameters and the optimizer. No times: two runs of the same
 * training leave the same bytes. */
struct progress_state {
    uint64_t step;      /* steps done */
    uint64_t row_step;  /* step of the last row of metrics.csv; 0: none */
    bool best;          /* a validation has taken place */
    double best_score;  /* the lowest so far (percent or squared error) */
    uint64_t best_step; /* its step */
    uint64_t rewinds;   /* times that training went back and halved its learning rate */
    struct sums sums;   /* since that row */
};

/* The model's tensors by name, the optimizer's as optimizer.m, optimizer.v and optimizer.average,
 * what the teacher remembers as teacher.shares, the rest as metadata. model->step must be
 * state->step. */
swwae_status checkpoint_write(const char *path, const struct swwae_model *model,
                              const struct optimizer *optimizer, const struct teacher *teacher,
                              const struct progress_state *state);

/* Puts a checkpoint's values into a model, an optimizer, a teacher and a state that were made from
 * the run's options. SWWAE_E_FORMAT when the checkpoint is of another network or optimizer. */
swwae_status checkpoint_read(struct swwae_model *model, struct optimizer *optimizer,
                             struct teacher *teacher, struct progress_state *state,
                             const char *path);

#endif
