/* lambda.c - the study "lambda": error against the weight of reconstruction (paper, figure 5). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "study/grid.h"
#include "study/plot.h"
#include "study/table.h"
#include "train/options.h"

#define WEIGHTS 7
#define ROW(x, ...)                                                                        \
    {                                                                                      \
        .name = "lambda-" x, .title = "λ = " x, .options = "lambda-rec=" x " lambda-m=" x, \
        .paper = {                                                                         \
            .validation = {__VA_ARGS__}                                                    \
        }                                                                                  \
    }

static const double weights[WEIGHTS] = {0, 0.5, 1, 1.5, 2, 2.5, 3};

/* The paper's errors are read off its figure 5. */
static const struct grid_row rows[] = {
    ROW("0", 18.97, 7.20, 4.71, 3.06), ROW("0.5", 12.69, 5.47, 4.09, 2.67),
    ROW("1", 11.98, 5.30, 4.09, 2.72), ROW("1.5", 11.68, 5.24, 3.92, 2.75),
    ROW("2", 11.65, 5.35, 3.97, 2.71), ROW("2.5", 11.71, 5.51, 4.02, 2.66),
    ROW("3", 12.29, 5.49, 4.05, 2.68), {.name = NULL}};

/* A block for each number of labels: weight, mean, standard deviation, paper. */
static swwae_status write_points(int *block, int *blocks, struct grid_span *span,
                                 const struct grid *grid) {
    swwae_status status = SWWAE_OK;
    struct page page = {0};
    *blocks = 0;
    TRY(page_begin(&page, grid->study, GRID_PLOT ".dat"));
    for (int c = 0; c < grid->counts; c++) {
        const int place = grid_paper_place(grid, c);
        bool any = false;
        for (int r = 0; r < WEIGHTS; r++) {
            const struct summary error = grid_summary(grid, r, c, GRID_VALIDATION);
            if (!error.count) continue;
            const double paper = place < 0 ? 0 : rows[r].paper.validation[place];
            if (!any) {
                char labels[16];
                fprintf(page.to, "# %s labels\n", grid_count_text(labels, grid->count[c]));
            }
            page_number(page.to, weights[r]);
            fputc(' ', page.to);
            grid_plot_point(page.to, &error, paper, span);
            any = true;
        }
        if (!any) continue;
        fputs("\n\n", page.to);
        block[(*blocks)++] = c;
    }
    TRY(page_commit(&page));
fail:
    page_abandon(&page);
    return status;
}

static swwae_status plot(const struct grid *grid) {
    swwae_status status = SWWAE_OK;
    struct grid_span span = {0};
    int block[GRID_COUNTS], blocks;
    char body[8192], labels[16];
    TRY(write_points(block, &blocks, &span, grid));
    if (!blocks) return SWWAE_OK;
    size_t used = (size_t)snprintf(
        body, sizeof body,
        "set title 'Validation error against the weight of reconstruction'\n"
        "set xlabel 'weight of L2rec and of L2M'\nset ylabel 'validation error, %%'\n"
        "set datafile missing '?'\n"
        "set xrange [-0.1:3.1]\nset xtics nomirror; set border 3\n"
        "set grid ytics lt 1 lw 0.5 lc rgb '#cccccc'\n"
        "set key outside right center\n");
    used += grid_plot_axis(body + used, sizeof body - used, 'y', &span);
    used += (size_t)snprintf(body + used, sizeof body - used, "plot ");
    for (int b = 0; b < blocks && used < sizeof body; b++) {
        const int count = block[b];
        used += (size_t)snprintf(
            body + used, sizeof body - used,
            "%s'" GRID_PLOT ".dat' index %d using 1:2:3 with yerrorlines lw 2 pt 7 ps 0.7 lc rgb "
            "'%s' title '%s labels'",
            b ? ", \\\n  " : "", b, plot_colour(b), grid_count_text(labels, grid->count[count]));
        if (grid_paper_place(grid, count) >= 0 && used < sizeof body)
            used += (size_t)snprintf(body + used, sizeof body - used,
                                     ", \\\n  '' index %d using 1:4 with linespoints lw 1 pt 2 "
                                     "dt 3 lc rgb '%s' title 'the same, paper'",
                                     b, plot_colour(b));
    }
    snprintf(body + used, sizeof body - used, "\n");
    TRY(plot_draw(grid->study, GRID_PLOT, body, 900, 520));
fail:
    return status;
}

static const struct grid_plan plan = {
    .rows = rows,
    .baseline = "lambda-0",
    .title = "How much reconstruction?",
    .about =
        "After the paper's figure 5 (arXiv 1506.02351): the error on validation images against "
        "the weight of the reconstruction terms, λ = λ_rec = λ_M, with no other regulariser. "
        "The paper's figures are read off its plot. It prints an unsquared norm; the terms here "
        "are means of squares, where `--reduction` does not say otherwise.",
    .plot = plot};

static swwae_status run(struct study *study) { return grid_run(study, &plan); }

static const struct study_value values[] = {{"steps", "2000", "150"}, {NULL, NULL, NULL}};
static const char *const fixed[] = {"labels", "lambda-nll", "lambda-rec", "lambda-m", NULL};

const struct study_kind study_lambda = {
    .info = {.name = "lambda",
             .help = "error against the weight of reconstruction (paper figure 5)",
             .about =
                 "Trains the paper's net on 100, 600, 1000 and 3000 labels of MNIST with the "
                 "weight of the reconstruction terms 0, 0.5, 1, 1.5, 2, 2.5 and 3 and no other "
                 "regulariser, and draws the validation errors beside those of the paper's figure "
                 "5. Its own options: --steps 2000, --seeds 5; with --quick 4,000 training images, "
                 "100 and 1000 labels, --steps 150 and --seeds 2. --reduction norm takes the "
                 "unsquared norms of the paper's formula."},
    .seeds = 5,
    .quick_seeds = 2,
    .table = true,
    .values = values,
    .fixed = fixed,
    .run = run};
