/* grid.h - tables of errors: methods (rows) against numbers of labels, over several draws of the
 * labels (the paper's tables 1 and 2).
 *
 * A row is data: a name and the options it changes. Where it lists candidates, a first stage trains
 * them all on the first draws, the mean validation error chooses one for each number of labels, and
 * only that one is trained on the other draws; test images play no part in it. A draw is a seed,
 * the same for every row: the same labelled and validation images, the same first weights. */
#ifndef SWWAE_STUDY_GRID_H
#define SWWAE_STUDY_GRID_H

#include "study/jobs.h"
#include "study/table.h"

#define GRID_COUNTS 16
#define GRID_CANDIDATES 6
#define GRID_PAPER 5        /* numbers of labels in the paper: 100, 600, 1000, 3000, all */
#define GRID_SEEDS 1000     /* swwae_study takes no more */
#define GRID_CHOICE_DRAWS 1 /* draws that choose among candidates; there is always one */

/* The paper's errors in percent, at its numbers of labels; 0: not given there. */
struct grid_paper {
    double test[GRID_PAPER], std[GRID_PAPER], validation[GRID_PAPER];
};

/* Options are written "name=value name=value"; a later one wins. */
struct grid_row {
    const char *name;    /* in folders and CSV files: "swwae-dropout"; NULL ends the rows */
    const char *title;   /* on the page */
    const char *like;    /* an earlier row whose options, with its choice, come first; NULL: none */
    const char *options; /* of every training of the row */
    const char *const *candidates; /* more options to choose from, ended by NULL; NULL: none */
    int candidates_with_all; /* the first so many, where all images are labelled; 0: all of them */
    const char *without; /* the row that is the same but without decoder, to compare with; NULL */
    double times;        /* as many times the study's steps, unless those are given; 0: once */
    bool pretrained;     /* begins with the model of the plan's unsupervised training */
    struct grid_paper paper;
};

struct grid;
struct grid_plan {
    const struct grid_row *rows;
    const char *baseline;      /* the row that every other is compared to */
    const char *unsupervised;  /* options of what pretrained rows begin with; NULL */
    const char *title, *about; /* of the page: its heading, and a paragraph */
    swwae_status (*plot)(const struct grid *grid); /* draws GRID_PLOT */
};
#define GRID_PLOT "errors"

/* Test error against the number of labels, as GRID_PLOT (grid_plot.c). */
swwae_status grid_plot(const struct grid *grid);

/* The lowest and the highest that is drawn; zeroed: nothing yet. */
struct grid_span {
    double low, high;
};

/* The end of a line of a plot's points: mean, standard deviation, the paper's; ? where it has none
 * (0). Widens the span. */
void grid_plot_point(FILE *to, const struct summary *error, double paper, struct grid_span *span);

/* gnuplot's commands for a logarithmic axis, 'x' or 'y', from the lowest to the highest: by itself
 * it goes on to the next power of ten. Returns how many characters. */
size_t grid_plot_axis(char *text, size_t size, char axis, const struct grid_span *span);

/* A listed training is yet to end; one that was tried failed. */
enum grid_state { GRID_MISSING = 0, GRID_LISTED, GRID_DONE, GRID_TRIED };

struct grid {
    struct study *study;
    const struct grid_plan *plan;
    swwae_dataset *test;
    int rows, counts, choice_draws;
    int draws; /* that the tables show: those of the folder, at least those that are asked for */
    long count[GRID_COUNTS];        /* numbers of labels, rising; LABELS_ALL last */
    bool count_on[GRID_COUNTS];     /* to train in this call */
    bool *row_on;                   /* (rows) */
    int *chosen;                    /* (rows, counts): candidate; -1: not chosen yet */
    unsigned char *state;           /* (rows, counts, GRID_CANDIDATES, draws): enum grid_state */
    struct training_result *result; /* the same shape */
    bool paper;                     /* the data set is the paper's MNIST */
};

/* The whole study: trains what is missing, writes what there is, also when it is stopped. */
swwae_status grid_run(struct study *study, const struct grid_plan *plan);

/* Sets row_on, count with count_on, and draws, from what the study is asked for and what the folder
 * holds (grid_select.c). */
swwae_status grid_select(struct grid *grid);

/* A training's options, and those and the name of the one that pretrained rows begin with on a draw
 * (grid_options.c). The caller releases the options. */
swwae_status grid_options(swwae_options **options, const struct grid *grid, int row, int count,
                          int candidate, int draw);
swwae_status grid_unsupervised(swwae_options **options, const struct grid *grid, int draw);
void grid_unsupervised_name(char name[JOB_NAME], const struct grid *grid, int draw);

/* Keeps in study.json what each row that is trained changes; a recipe of another version is another
 * row: SWWAE_E_ARGUMENT, never two of them in one table (grid_options.c). */
swwae_status grid_keep_rows(const struct grid *grid);

size_t grid_at(const struct grid *grid, int row, int count, int candidate, int draw);
/* -1: no such row. */
int grid_row_of(const struct grid *grid, const char *name);
int grid_candidates(const struct grid_row *row);
/* The first so many of them are tried at a number of labels. */
int grid_candidates_at(const struct grid *grid, int row, int count);
/* Whether the row lists several. -1: no. */
bool grid_has_choice(const struct grid *grid, int row);
/* The row's candidate at a number of labels; -1: not chosen yet. */
int *grid_chosen(const struct grid *grid, int row, int count);
/* Mean validation error of a candidate over the draws that choose. Infinite: one of its trainings
 * failed; NaN: not all have been tried. */
double grid_score(const struct grid *grid, int row, int count, int candidate);
uint64_t grid_seed(const struct grid *grid, int draw);

/* "100", "all". */
const char *grid_count_text(char text[16], long count);

/* (draws) test or validation errors of the row's chosen candidate; NaN where there is none yet. */
enum grid_measure { GRID_TEST, GRID_VALIDATION, GRID_CORE_MINUTES };
void grid_errors(double *values, const struct grid *grid, int row, int count,
                 enum grid_measure measure);
/* Mean and standard deviation of the same over the draws that are there. */
struct summary grid_summary(const struct grid *grid, int row, int count, enum grid_measure measure);
/* Whether any row has a test error at a number of labels. */
bool grid_has_any(const struct grid *grid, int count);

/* Place of a number of labels in grid_paper; -1: the paper has none. */
int grid_paper_place(const struct grid *grid, int count);

/* The CSV files, the plot and study.md (grid_page.c). */
swwae_status grid_write(const struct grid *grid);

#endif
