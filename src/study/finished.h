/* finished.h - the finished trainings of a study with a table, in one small file, trainings.csv: a
 * line for each, with all that the tables need of it. A training with a line there is complete
 * even where its run folder is not, so that a table can be kept, handed on and continued without
 * its models. */
#ifndef SWWAE_STUDY_FINISHED_H
#define SWWAE_STUDY_FINISHED_H

#include "study/study.h"

#define FINISHED_FILE "trainings.csv"
#define FINISHED_NAME 96 /* a training's name and its terminating zero */

struct finished_training {
    char name[FINISHED_NAME];      /* of runs/NAME */
    char version[24], kernels[16]; /* of swwae; avx2, ... */
    struct training_result result;
};

/* Only the caller's thread may touch it. */
struct finished {
    struct finished_training *list;
    int count, room;
    bool changed; /* since it was read or saved */
};

/* What the folder's file holds; none where it is not there. */
swwae_status finished_read(struct finished *finished, const struct study *study);
/* Accepts a zeroed struct. */
void finished_free(struct finished *finished);

/* NULL: not there. */
const struct training_result *finished_find(const struct finished *finished, const char *name);

/* By this version on this machine. A line of that name is replaced. */
swwae_status finished_note(struct finished *finished, const char *name,
                           const struct training_result *result);

/* Writes the file if anything was noted; the old one stays until the new is whole. */
swwae_status finished_save(struct finished *finished, const struct study *study);

#endif
