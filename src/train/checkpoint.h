/* checkpoint.h - the whole state of a training between two steps, in one file, and in the one
 * before. */
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

/* SWWAE_E_NUMERIC when a parameter or a value of the optimizer is not finite, so that a checkpoint
 * would be of no use. path: of the last good one, for the sentence. */
swwae_status checkpoint_check(const struct swwae_model *model, const struct optimizer *optimizer,
                              const struct progress_state *state, const char *path);

/* The model's tensors by name, the optimizer's as optimizer.m, optimizer.v and optimizer.average,
 * what the teacher remembers as teacher.shares, the rest as metadata, with a checksum. model->step
 * must be state->step. previous: NULL, or the name under which the checkpoint that path holds now
 * is kept. */
swwae_status checkpoint_write(const char *path, const char *previous,
                              const struct swwae_model *model, const struct optimizer *optimizer,
                              const struct teacher *teacher, const struct progress_state *state);

/* Puts a checkpoint's values into a model, an optimizer, a teacher and a state that were made from
 * the run's options. SWWAE_E_FORMAT when the checkpoint is damaged or of another network or
 * optimizer. */
swwae_status checkpoint_read(struct swwae_model *model, struct optimizer *optimizer,
                             struct teacher *teacher, struct progress_state *state,
                             const char *path);

/* The same from path, or where that cannot be read from previous. *damaged: the latter, and
 * swwae_last_error says why. Fails as path does when neither can be read. */
swwae_status checkpoint_restore(struct swwae_model *model, struct optimizer *optimizer,
                                struct teacher *teacher, struct progress_state *state,
                                const char *path, const char *previous, bool *damaged);

#endif
