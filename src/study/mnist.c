/* mnist.c - the study "mnist": what few labels are worth (the paper's tables 1 and 2), on MNIST
 * and, by --data, on other images. The rows of its table are data: an ingredient more is a line
 * more. */
#include <stddef.h>

#include "study/grid.h"

/* Mean reductions: an image's term is its mean squared error, so that lambda-rec 100 on 32 x 32
 * pixels is about 0.1 of the sum. */
static const char *const dropouts[] = {"dropout=0", "dropout=0.5", "dropout=0.8", NULL};
static const char *const lambdas[] = {"lambda-rec=1 lambda-m=1", "lambda-rec=5 lambda-m=5",
                                      "lambda-rec=20 lambda-m=20", "lambda-rec=100 lambda-m=5",
                                      NULL};
static const char *const both[] = {
    "dropout=0.5 lambda-rec=5 lambda-m=5", "dropout=0.8 lambda-rec=100 lambda-m=5",
    /* Where a quarter of the batch goes over the labels too seldom. With all images labelled there
     * is no share, and only the first two are candidates. */
    "dropout=0.5 lambda-rec=5 lambda-m=5 labelled-share=0.5",
    "dropout=0.8 lambda-rec=100 lambda-m=5 labelled-share=0.5",
    "dropout=0.8 lambda-rec=20 lambda-m=20 labelled-share=0.5", NULL};
static const char *const sparsities[] = {"lambda-l1=0.01", "lambda-l1=0.1", NULL};
static const char *const conv_dropouts[] = {"dropout-conv=0.1", "dropout-conv=0.3", NULL};

#define PLUS_TIMES 0.8 /* the 4000 steps of --recipe plus */

/* The paper's figures: its tables 2 (test) and 1 (validation). */
static const struct grid_row rows[] = {
    {.name = "convnet",
     .title = "convnet alone, dropout chosen",
     .options = "lambda-rec=0 lambda-m=0",
     .candidates = dropouts,
     .paper = {.test = {22.98, 7.86, 6.45, 3.35, 0.76}}},
    {.name = "swwae-dropout",
     .title = "SWWAE with dropout",
     .candidates = both,
     .candidates_with_all = 2,
     .paper = {.test = {8.71, 3.31, 2.83, 2.10, 0.71},
               .std = {.34, .40, .10, .22},
               .validation = {10.66, 4.35, 3.17, 2.13}}},
    {.name = "swwae-convnet",
     .title = "convnet alone, without dropout",
     .options = "lambda-rec=0 lambda-m=0"},
    {.name = "swwae",
     .title = "SWWAE without dropout",
     .candidates = lambdas,
     .without = "swwae-convnet",
     .paper = {.test = {9.17, 4.16, 3.39, 2.50}, .std = {.11, .11, .01, .01}}},
    {.name = "no-l2m",
     .title = "SWWAE with dropout, no L2M",
     .like = "swwae-dropout",
     .options = "lambda-m=0",
     .paper = {.validation = {12.41, 4.63, 3.15, 2.08}}},
    {.name = "l1",
     .title = "SWWAE with dropout and L1",
     .like = "swwae-dropout",
     .candidates = sparsities,
     .paper = {.validation = {10.91, 4.61, 3.55, 2.67}}},
    {.name = "dropout-conv",
     .title = "SWWAE with dropout, on convolutions too",
     .like = "swwae-dropout",
     .candidates = conv_dropouts,
     .paper = {.validation = {14.23, 4.70, 3.37, 2.08}}},
    {.name = "frozen",
     .title = "unsupervised, then softmax on frozen codes",
     .options = "lambda-rec=0 lambda-m=0 freeze=encoder",
     .pretrained = true,
     .paper = {.validation = {17.81, 8.41, 6.40, 4.76}}},
    {.name = "fine-tuned",
     .title = "unsupervised, then fine-tuned with dropout",
     .options = "lambda-rec=0 lambda-m=0 dropout=0.5",
     .pretrained = true,
     .paper = {.validation = {0, 9.80, 6.14, 4.41}}},
    {.name = "plain-convnet",
     .title = "recipe plain without decoder",
     .options = "recipe=plain lambda-rec=0 lambda-m=0"},
    {.name = "plain",
     .title = "recipe plain",
     .options = "recipe=plain",
     .without = "plain-convnet",
     .paper = {.test = {8.71, 3.31, 2.83, 2.10, 0.71}}},
    {.name = "plus-convnet",
     .title = "recipe plus without decoder",
     .options = "recipe=plus lambda-rec=0 lambda-m=0",
     .times = PLUS_TIMES},
    {.name = "plus",
     .title = "recipe plus",
     .options = "recipe=plus",
     .without = "plus-convnet",
     .times = PLUS_TIMES},
    {.name = "photo-convnet",
     .title = "recipe photo without decoder",
     .options = "recipe=photo lambda-rec=0 lambda-m=0",
     .times = 2},
    {.name = "photo",
     .title = "recipe photo",
     .options = "recipe=photo",
     .without = "photo-convnet",
     .times = 2},
    {.name = NULL}};

/* ---- The study -------------------------------------------------------------------------- */

static const struct grid_plan plan = {
    .rows = rows,
    .baseline = "convnet",
    .unsupervised = "labels=none lambda-rec=1 lambda-m=1",
    .title = "What few labels are worth",
    .about = "After the paper's tables 1 and 2 (arXiv 1506.02351): a classifier is trained on few "
             "labels, drawn in equal numbers a class and drawn again for every seed, with the rest "
             "of the training images unlabelled; beside it the convnet alone on the same labels, "
             "with the same optimiser and as many steps.",
    .plot = grid_plot};

static swwae_status run(struct study *study) { return grid_run(study, &plan); }

static const struct study_value values[] = {{"steps", "5000", "150"}, {NULL, NULL, NULL}};
static const char *const fixed[] = {"recipe",    "labels",    "lambda-nll",     "lambda-rec",
                                    "lambda-m",  "lambda-l1", "dropout",        "dropout-conv",
                                    "init-from", "freeze",    "labelled-share", NULL};

const struct study_kind study_mnist = {
    .info = {.name = "mnist",
             .help = "what few labels are worth: the paper's tables of errors",
             .about =
                 "Trains the paper's net on 100, 600, 1000 and 3000 labels of MNIST, drawn anew "
                 "for every seed, alone and as a what-where auto-encoder in several variants, with "
                 "dropout and loss weights chosen on validation images, and by the recipes, and "
                 "compares the test errors with each other, draw by draw, and with the paper's. "
                 "--data takes other images (100, 500, 1000 and 5000 labels; 1000 and 4000 of "
                 "CIFAR-10). Its own options: --steps 5000, --seeds 5; with --quick 4,000 training "
                 "images, 100 and 1000 labels, --steps 150 and --seeds 2."},
    .seeds = 5,
    .quick_seeds = 2,
    .table = true,
    .values = values,
    .fixed = fixed,
    .run = run};
