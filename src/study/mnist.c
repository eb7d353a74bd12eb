/* mnist.c - the study "mnist": what few labels are worth (paper sections 5.1 and 5.2), on MNIST
 * and, by --data, on other images. The rows of its table are data: an ingredient more is a line
 * more. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "study/grid.h"
#include "study/plot.h"
#include "study/table.h"
#include "train/options.h"

/* Mean reductions: an image's term is its mean squared error, so that lambda-rec 100 on 32 x 32
 * pixels is about 0.1 of the sum. */
static const char *const dropouts[] = {"dropout=0", "dropout=0.5", "dropout=0.8", NULL};
static const char *const lambdas[] = {"lambda-rec=1 lambda-m=1", "lambda-rec=5 lambda-m=5",
                                      "lambda-rec=20 lambda-m=20", "lambda-rec=100 lambda-m=5",
                                      NULL};
static const char *const both[] = {
    "dropout=0.5 lambda-rec=5 lambda-m=5", "dropout=0.8 lambda-rec=5 lambda-m=5",
    "dropout=0.8 lambda-rec=20 lambda-m=20", "dropout=0.8 lambda-rec=100 lambda-m=5", NULL};
static const char *const sparsities[] = {"lambda-l1=0.01", "lambda-l1=0.1", NULL};
static const char *const conv_dropouts[] = {"dropout-conv=0.1", "dropout-conv=0.3", NULL};

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
     .paper = {.test = {8.71, 3.31, 2.83, 2.10, 0.71},
               .std = {.34, .40, .10, .22},
               .validation = {10.66, 4.35, 3.17, 2.13}}},
    {.name = "swwae",
     .title = "SWWAE without dropout",
     .candidates = lambdas,
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
    {.name = NULL}};

/* ---- The plot --------------------------------------------------------------------------- */

/* A block for each row that has anything: labels, mean, standard deviation, paper. Returns how many
 * blocks, with their rows. */
static swwae_status write_points(int *block, int *blocks, const struct grid *grid) {
    swwae_status status = SWWAE_OK;
    struct page page = {0};
    double values[1000];
    *blocks = 0;
    TRY(page_begin(&page, grid->study, GRID_PLOT ".dat"));
    for (int r = 0; r < grid->rows; r++) {
        bool any = false;
        for (int c = 0; c < grid->counts; c++) {
            grid_errors(values, grid, r, c, GRID_TEST);
            const struct summary test = summarise(values, grid->study->seeds);
            const int place = grid_paper_place(grid, c);
            const double paper = place < 0 ? 0 : grid->plan->rows[r].paper.test[place];
            if (!test.count || grid->count[c] == LABELS_ALL) continue;
            if (!any) fprintf(page.to, "# %s\n", grid->plan->rows[r].title);
            fprintf(page.to, "%ld ", grid->count[c]);
            page_number(page.to, test.mean);
            fputc(' ', page.to);
            page_number(page.to, test.std);
            fputc(' ', page.to);
            if (paper > 0)
                page_number(page.to, paper);
            else
                fputc('?', page.to);
            fputc('\n', page.to);
            any = true;
        }
        if (!any) continue;
        fputs("\n\n", page.to);
        block[(*blocks)++] = r;
    }
    TRY(page_commit(&page));
fail:
    page_abandon(&page);
    return status;
}

static swwae_status plot(const struct grid *grid) {
    swwae_status status = SWWAE_OK;
    int block[64], blocks;
    char body[8192];
    TRY(write_points(block, &blocks, grid));
    if (!blocks) return SWWAE_OK;
    size_t used = (size_t)snprintf(body, sizeof body,
                                   "set title 'Test error against number of labels'\n"
                                   "set xlabel 'labels'\nset ylabel 'test error, %%'\n"
                                   "set logscale xy\nset datafile missing '?'\n"
                                   "set xtics nomirror (");
    for (int c = 0; c < grid->counts; c++)
        if (grid->count[c] != LABELS_ALL)
            used += (size_t)snprintf(body + used, sizeof body - used, "%s%ld", c ? "," : "",
                                     grid->count[c]);
    used += (size_t)snprintf(
        body + used, sizeof body - used,
        ")\nset xrange [%ld:%ld]\nset ytics nomirror; set border 3\n"
        "set grid ytics lt 1 lw 0.5 lc rgb '#cccccc'\n"
        "set key outside right center\nplot ",
        grid->count[0] * 8 / 10,
        grid->count[grid->counts - 1 - (grid->count[grid->counts - 1] == LABELS_ALL)] * 12 / 10);
    for (int b = 0; b < blocks && used < sizeof body; b++) {
        const struct grid_row *row = &grid->plan->rows[block[b]];
        used += (size_t)snprintf(body + used, sizeof body - used,
                                 "%s'" GRID_PLOT ".dat' index %d using 1:2:3 with yerrorlines lw 2 "
                                 "pt %d ps 0.7 dt %d lc rgb '%s' title '%s'",
                                 b ? ", \\\n  " : "", b, b / 4 ? 6 : 7, b / 4 ? 2 : 1,
                                 plot_colour(b), row->title);
        if (grid->paper && row->paper.test[0] > 0 && used < sizeof body)
            used += (size_t)snprintf(body + used, sizeof body - used,
                                     ", \\\n  '' index %d using 1:4 with linespoints lw 1 pt 2 "
                                     "dt 3 lc rgb '%s' title 'the same, paper'",
                                     b, plot_colour(b));
    }
    snprintf(body + used, sizeof body - used, "\n");
    TRY(plot_draw(grid->study, GRID_PLOT, body, 1000, 520));
fail:
    return status;
}

/* ---- The study -------------------------------------------------------------------------- */

static const struct grid_plan plan = {
    .rows = rows,
    .baseline = "convnet",
    .unsupervised = "labels=none lambda-rec=1 lambda-m=1",
    .title = "What few labels are worth",
    .about = "After the paper's section 5.1 (arXiv 1506.02351): a classifier is trained on few "
             "labels, drawn in equal numbers a class and drawn again for every seed, with the rest "
             "of the training images unlabelled; beside it the convnet alone on the same labels, "
             "with the same optimiser and as many steps.",
    .plot = plot};

static swwae_status run(struct study *study) { return grid_run(study, &plan); }

static const struct study_value values[] = {{"steps", "2000", "150"}, {NULL, NULL, NULL}};
static const char *const fixed[] = {"labels",    "lambda-nll", "lambda-rec",   "lambda-m",
                                    "lambda-l1", "dropout",    "dropout-conv", NULL};

const struct study_kind study_mnist = {
    .info =
        {.name = "mnist",
         .help = "what few labels are worth: the paper's tables of errors (section 5.1)",
         .about =
             "Trains the paper's net on 100, 600, 1000 and 3000 labels of MNIST, drawn anew "
             "for every seed, alone and as a what-where auto-encoder in several variants, with "
             "dropout and loss weights chosen on validation images, and compares the test "
             "errors with each other, draw by draw, and with the paper's. --data takes "
             "other images (100, 500, 1000 and 5000 labels; 1000 and 4000 of CIFAR-10). Its own "
             "options: --steps 2000, --seeds 5; with --quick 4,000 training images, 100 and "
             "1000 labels, --steps 150 and --seeds 2."},
    .seeds = 5,
    .quick_seeds = 2,
    .table = true,
    .values = values,
    .fixed = fixed,
    .run = run};
