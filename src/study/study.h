/* study.h - the paper's experiments: the list of them, and what they share.
 *
 * A study is a row of trainings and what is measured on their models. It is made of public calls
 * (swwae.h), so that everything it does can be done by hand. Its folder holds
 *
 *     study.json     how it was begun: a study goes on only with the same options
 *     data/          images made for it, where it trains on other than the data set's own
 *     runs/NAME/     a run folder for each training, and test.csv, which says that it is complete
 *     trainings.csv  every complete training in a line, of a study with a table (finished.h)
 *     *.csv *.md     results
 *     *.gp *.dat     plots, drawn by gnuplot into .svg and .png
 */
#ifndef SWWAE_STUDY_STUDY_H
#define SWWAE_STUDY_STUDY_H

#include "base/status.h"
#include "train/report.h"

#define STUDY_PATH 1024

/* An option that a study gives its trainings where the user did not. */
struct study_value {
    const char *name, *value;
    const char *quick; /* value of a quick study; NULL: the same */
};

struct study;
struct study_kind {
    swwae_study_info info;
    int seeds, quick_seeds;
    bool table;                       /* has rows, and trainings side by side (grid.h) */
    const struct study_value *values; /* ended by a NULL name */
    const char *const *fixed;         /* options that only the study may set; ended by NULL */
    swwae_status (*run)(struct study *study);
};

/* The i-th, or NULL past the last. */
const struct study_kind *study_kind_at(size_t i);
extern const struct study_kind study_where, study_equivariance, study_mnist, study_lambda,
    study_ablation;

/* A study under way. */
struct study {
    const struct study_kind *kind;
    char folder[STUDY_PATH];
    const swwae_options *given; /* the caller's */
    swwae_options *options;     /* of the trainings: given, completed by the study's own values */
    bool quick;
    int seeds;
    int jobs;                  /* trainings side by side */
    const char *rows, *counts; /* what to train now, with commas between; NULL: all */
    uint64_t seed;             /* the first */
    char data[128];   /* the data set's name and padding, for people: "mnist, padded to 32 x 32" */
    bool colour;      /* the images have several channels */
    int classes;      /* of the data */
    long labels_most; /* that a table asks for by itself */
    struct reporter *reporter;
    bool no_plots;         /* gnuplot is missing, and the user knows */
    struct finished *done; /* of a study with a table (finished.h), else NULL */

    /* of the trainings, in training.c */
    int trainings, training; /* in all, and the present one, from 1 */
    int finished;            /* in this call */
    double began;            /* the present one, seconds of report_now */
    double spent;            /* seconds of the finished ones in this call */
    double trained;          /* seconds of all trainings of the study, of all calls */

    /* of the trainings side by side, in units of cost (jobs.h) */
    double work, worked; /* what this call has to do, and has done */
    double work_began;   /* report_now */
};

/* As the public swwae_study, arguments checked. */
swwae_status study_run(const char *name, const swwae_options *options,
                       const swwae_study_settings *settings, struct reporter *reporter);

/* Begins or goes on: makes the folder, completes the options, compares them with study.json or
 * writes it (begin.c). */
swwae_status study_begin(struct study *study);

/* Sets what the data set, whose name is in the options, asks of them where nothing is given: with a
 * table also the network and the contrast (fit.c). */
swwae_status study_fit(struct study *study, const swwae_dataset *dataset);

/* The command that does this study again, without its folder; for the page. */
void study_command(const struct study *study, char *text, size_t size);

/* folder/name. SWWAE_E_ARGUMENT if that is too long. */
swwae_status study_path(char path[STUDY_PATH], const struct study *study, const char *name);

/* A sentence for the user. SWWAE_E_INTERRUPTED when the callback asked to stop. */
swwae_status study_say(struct study *study, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* SWWAE_E_INTERRUPTED, with how to go on, once the callback has asked to stop. */
swwae_status study_check_stop(const struct study *study);

/* ---- Trainings (training.c) ---- */

/* NaN: not measured, since the training has no such term. */
struct training_result {
    double rec;              /* mean squared error per pixel of the test images */
    double error;            /* percent of the test images that are classified wrongly */
    double validation_error; /* percent, of the best model */
    double seconds;          /* of training */
    double core_seconds;     /* processor time of a training with one thread */
};

/* folder/runs/name/file; without a file the run folder. */
swwae_status training_path(char path[STUDY_PATH], const struct study *study, const char *name,
                           const char *file);

/* *done: the training is complete, and its result is there. */
swwae_status training_read(bool *done, struct training_result *result, const struct study *study,
                           const char *name);

/* runs/NAME is complete, and not only known by trainings.csv. */
bool training_has_model(const struct study *study, const char *name);

/* Trains runs/NAME or goes on with it, then measures its best model on `test`. `out` and `threads`
 * are set in options. Reads of the study nothing that changes, so that several threads may each
 * run a training. */
swwae_status training_run(struct training_result *result, const struct study *study,
                          const char *name, swwae_options *options, int threads,
                          const swwae_dataset *test, swwae_progress_fn progress, void *user);

/* The two together, with all threads, told to the user. options: the study's with the training's
 * own changes. SWWAE_E_ARGUMENT where the decoder was not trained. */
swwae_status study_train(struct study *study, const char *name, swwae_options *options,
                         const swwae_dataset *test, struct training_result *result);

/* Loads the best model of runs/NAME, with the study's threads. */
swwae_status study_load(swwae_model **model, const struct study *study, const char *name);

/* Lets later reports of a long call end the study; a progress callback whose user is the study. */
int study_watch(const swwae_progress *event, void *user);

/* ---- Data (derived.c) ---- */

/* Opens the data set the trainings use. */
swwae_status study_open_data(swwae_dataset **dataset, const struct study *study, swwae_split split);

/* The order in which a study takes the first images of a data set: as they are, but those of class
 * folders, which are read class by class, shuffled. Images without a label, where others have one,
 * are left out. malloc'ed. */
swwae_status study_order(uint32_t **order, size_t *count, const swwae_dataset *dataset);

/* Makes a data set of its own in data/: the first images (study_order) of the study's data set, at
 * most train_count and test_count (0: all), each moved by a whole number of pixels, -most..most,
 * drawn for x and y alike from (seed, image); zeros come in, what leaves is lost. From then on it
 * is the trainings' data. */
swwae_status study_derive_data(struct study *study, size_t train_count, size_t test_count,
                               int most);

/* to = from moved right by dx and down by dy. Shapes: (channels, height, width). */
void study_shift(float *to, const float *from, int dx, int dy, int channels, int height, int width);

#endif
