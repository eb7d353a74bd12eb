/* jobs.h - trainings of a study side by side: each on a thread of its own. */
#ifndef SWWAE_STUDY_JOBS_H
#define SWWAE_STUDY_JOBS_H

#include "study/study.h"

#define JOB_NAME 96

enum job_state { JOB_WAITING = 0, JOB_RUNNING, JOB_DONE, JOB_FAILED };

/* A training. What stands first is the caller's, the rest is jobs.c's. */
struct job {
    char name[JOB_NAME];    /* of runs/NAME */
    swwae_options *options; /* of its own, owned: `out` and `threads` are set */
    double cost;            /* how long it takes beside others, above 0 */
    int after;              /* the job that has to be done before; -1: none */
    ptrdiff_t place;        /* whatever the caller knows it by */

    enum job_state state;
    bool told_begin, told_end;
    struct training_result result;
    char error[256];
    double share;             /* done, 0..1 */
    double earlier;           /* of it, before this call */
    bool seen;                /* has told its share */
    double images_per_second; /* at present */
};

/* Zeroed: none. A job stays where it is while the list grows. */
struct jobs {
    struct job **list;
    int count, room;
};

/* Adds a copy of what the caller fills in; the options are taken over, also when it fails. */
swwae_status jobs_add(struct jobs *jobs, const struct job *given);
void jobs_free(struct jobs *jobs);

/* Runs all, in order where that leaves a choice, at most study->jobs at once. `ended` is called for
 * every job that is done or failed, on the caller's thread and one at a time, and may add more. A
 * training whose loss stops being finite is JOB_FAILED, told to the user, as is every one after it;
 * another failure ends them all. Once the callback asks to stop, every training under way is saved
 * and SWWAE_E_INTERRUPTED is returned. Adds to study->worked, of which study->work is the whole. */
swwae_status jobs_run(struct study *study, struct jobs *jobs, const swwae_dataset *test,
                      swwae_status (*ended)(struct jobs *jobs, const struct job *job, void *user),
                      void *user);

#endif
