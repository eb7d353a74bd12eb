/* ablation.c - the study "ablation": what each ingredient of --recipe plus is worth, by leaving one
 * out at a time, with the decoder and without it. */
#include <stddef.h>

#include "study/grid.h"

#define TIMES 2

/* A row, and before it the same without decoder. */
#define ROW(row, text, with)                                                                   \
    {.name = row "-convnet",                                                                   \
     .title = text ", without decoder",                                                        \
     .options = "recipe=plus lambda-rec=0 lambda-m=0 " with,                                   \
     .times = TIMES},                                                                          \
    {                                                                                          \
        .name = row, .title = text, .options = "recipe=plus " with, .without = row "-convnet", \
        .times = TIMES                                                                         \
    }

static const struct grid_row rows[] = {
    ROW("plus", "recipe plus", ""),
    ROW("no-augment", "images as they are", "augment=none"),
    ROW("no-pseudo-labels", "no pseudo-labels", "pseudo-labels=0"),
    ROW("no-consistency", "no consistency", "consistency=0"),
    ROW("no-agreement", "neither of the two", "pseudo-labels=0 consistency=0"),
    ROW("no-average", "weights not averaged", "average=0"),
    ROW("no-balance", "pseudo-labels not balanced", "balance=no"),
    ROW("no-teacher-augment", "the teacher sees unchanged images", "teacher-augment=0"),
    ROW("no-dropout", "no dropout", "dropout=0"),
    ROW("no-norm", "no batch normalisation", "norm=none"),
    ROW("norm-batch", "batch normalisation before the pools", "norm=batch"),
    {.name = NULL}};

static const struct grid_plan plan = {
    .rows = rows,
    .baseline = "plus",
    .title = "What each ingredient is worth",
    .about = "`--recipe plus` with one ingredient left out at a time, on few labels drawn in equal "
             "numbers a class and drawn again for every seed, with the rest of the training images "
             "unlabelled; every row also without decoder, so that the worth of reconstruction "
             "shows beside each ingredient.",
    .plot = grid_plot};

static swwae_status run(struct study *study) { return grid_run(study, &plan); }

static const struct study_value values[] = {{"steps", "2000", "150"}, {NULL, NULL, NULL}};
static const char *const fixed[] = {"recipe",          "labels",    "lambda-nll", "lambda-rec",
                                    "lambda-m",        "dropout",   "augment",    "pseudo-labels",
                                    "consistency",     "average",   "balance",    "norm",
                                    "teacher-augment", "init-from", "freeze",     NULL};

const struct study_kind study_ablation = {
    .info = {.name = "ablation",
             .help = "what each ingredient of the recipe plus is worth, with and without decoder",
             .about =
                 "Trains the paper's net by --recipe plus on 100, 600, 1000 and 3000 labels of "
                 "MNIST, drawn anew for every seed, with each of its ingredients left out in "
                 "turn, everything with and without decoder, and compares the test errors "
                 "draw by draw. --data takes other images. Its own options: twice --steps "
                 "2000, --seeds 5; with --quick 4,000 training images, 100 and 1000 labels, "
                 "--steps 150 and --seeds 2."},
    .seeds = 5,
    .quick_seeds = 2,
    .table = true,
    .values = values,
    .fixed = fixed,
    .run = run};
