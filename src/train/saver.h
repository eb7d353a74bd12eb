/* saver.h - a run's files, written on a thread of their own while training goes on.
 *
 * A save copies what changes (parameters, optimizer, teacher, progress, the table's rows) and hands
 * it to the thread, which writes in this order, each file whole or not at all:
 *
 *   metrics.csv             a checkpoint never speaks of rows that are not there
 *   checkpoint.safetensors  the one before becomes checkpoint-previous.safetensors
 *   model.safetensors       where asked; of the same step, so that a run killed just before this
 *                           finds its best model in the checkpoint
 *
 * So a run may be killed at any moment: what is on disk is a state of it, and going on from there
 * repeats what was lost to the bit. */
#ifndef SWWAE_TRAIN_SAVER_H
#define SWWAE_TRAIN_SAVER_H

#include "train/checkpoint.h"
#include "train/folder.h"

/* How a saver sees a run: where it writes, and what it copies. All of it outlives the saver. */
struct saver_source {
    const struct folder *folder;
    const struct swwae_model *model;
    const struct optimizer *optimizer;
    const struct teacher *teacher;
    const struct progress_state *state;
    const struct metrics *metrics;
    struct every every;  /* --checkpoint-every */
    bool newest_damaged; /* the first save does not keep it in place of the one before */
};

struct saver;

/* SWWAE_E_MEMORY. Where the system gives no thread, saves are written before they return. */
swwae_status saver_create(struct saver **saver, const struct saver_source *source);
/* Waits for the save under way and writes rows that none has taken; what fails here is not told:
 * saver_wait does. Accepts NULL. */
void saver_free(struct saver *saver);

/* Begins to save the state of now, after the end of an earlier save. model: MODEL_FILE too. Fails
 * as an earlier save did, or with SWWAE_E_MEMORY. */
swwae_status saver_save(struct saver *saver, bool model);
/* Waits until all that was saved is on disk. SWWAE_E_IO, SWWAE_E_MEMORY, SWWAE_E_NUMERIC. */
swwae_status saver_wait(struct saver *saver);

enum saver_advice {
    SAVER_REST, /* a save would disturb: one is under way, or the last was too short ago */
    SAVER_MAY,  /* a save would take less than a hundredth of the time since the last */
    SAVER_MUST  /* --checkpoint-every says so */
};
/* Whether to save now; *status as saver_wait, without waiting. */
enum saver_advice saver_advise(struct saver *saver, swwae_status *status);

#endif
