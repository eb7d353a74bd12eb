/* ablation.c - the study "ablation": what each ingredient of --recipe plus is worth, by leaving one
 * out at a time, and what others would add, with the decoder and without it. */
#include <stdio.h>

#include "study/grid.h"
#include "study/plot.h"

#define TIMES 2

/* A row, and before it the same without decoder. */
#define ROW(row, text, with)                                                                  \
    {.name = row "-convnet",                                                                  \
     .title = text ", without decoder",                                                       \
     .options = "recipe=plus lambda-rec=0 lambda-m=0" with,                                   \
     .times = TIMES},                                                                         \
    {                                                                                         \
        .name = row, .title = text, .options = "recipe=plus" with, .without = row "-convnet", \
        .times = TIMES                                                                        \
    }

static const struct grid_row rows[] = {
    ROW("plus", "recipe plus", ""),
    ROW("no-augment", "images as they are", " augment=none"),
    ROW("no-erase", "nothing erased", " augment=affine"),
    ROW("no-affine", "nothing moved or turned", " augment=erase"),
    ROW("no-agreement", "no pseudo-labels", " pseudo-labels=0 balance=no"),
    ROW("consistency", "consistency instead of pseudo-labels",
        " pseudo-labels=0 balance=no consistency=30"),
    ROW("and-consistency", "consistency too", " consistency=10"),
    ROW("and-dropout", "dropout too", " dropout=0.5"),
    ROW("no-average", "weights not averaged", " average=0"),
    ROW("no-balance", "pseudo-labels not balanced", " balance=no"),
    ROW("no-teacher-augment", "the teacher sees unchanged images", " teacher-augment=0"),
    ROW("no-weight-decay", "no weight decay", " weight-decay=0"),
    ROW("no-norm", "no batch normalisation", " norm=none"),
    ROW("norm-batch", "batch normalisation before the pools", " norm=batch"),
    {.name = NULL}};

#define INGREDIENTS ((int)(sizeof rows / sizeof *rows / 2))

/* ---- Plot: a panel for each number of labels, the ingredients from top to bottom -------- */

/* A block for each side of every panel: place, mean, standard deviation. */
static swwae_status write_points(int *panel, int *panels, struct grid_span *span,
                                 const struct grid *grid) {
    swwae_status status = SWWAE_OK;
    struct page page = {0};
    *panels = 0;
    TRY(page_begin(&page, grid->study, GRID_PLOT ".dat"));
    for (int c = 0; c < grid->counts; c++) {
        if (!grid_has_any(grid, c)) continue;
        panel[(*panels)++] = c;
        for (int with = 0; with < 2; with++) {
            /* the line of nothing: gnuplot does not count empty blocks */
            fprintf(page.to, "# with%s decoder\n0 ? ?\n", with ? "" : "out");
            for (int i = 0; i < INGREDIENTS; i++) {
                const struct summary test = grid_summary(grid, 2 * i + with, c, GRID_TEST);
                if (!test.count) continue;
                fprintf(page.to, "%d ", INGREDIENTS - i);
                grid_plot_point(page.to, &test, 0, span);
            }
            fputs("\n\n", page.to);
        }
    }
    TRY(page_commit(&page));
fail:
    page_abandon(&page);
    return status;
}

static swwae_status plot(const struct grid *grid) {
    swwae_status status = SWWAE_OK;
    struct grid_span span = {0};
    int panel[GRID_COUNTS], panels;
    char body[8192], labels[16];
    TRY(write_points(panel, &panels, &span, grid));
    if (!panels) return SWWAE_OK;
    size_t used = (size_t)snprintf(body, sizeof body, "set ytics nomirror (");
    for (int i = 0; i < INGREDIENTS; i++)
        used += (size_t)snprintf(body + used, sizeof body - used, "%s'%s' %d", i ? "," : "",
                                 rows[2 * i + 1].title, INGREDIENTS - i);
    used += (size_t)snprintf(body + used, sizeof body - used,
                             ")\nset yrange [0.5:%d.5]\nset border 3\nset xlabel 'test error, %%'\n"
                             "set grid lt 1 lw 0.5 lc rgb '#cccccc'\nset key below\nset bmargin "
                             "5\nset datafile missing '?'\n",
                             INGREDIENTS);
    used += grid_plot_axis(body + used, sizeof body - used, 'x', &span);
    used +=
        (size_t)snprintf(body + used, sizeof body - used, "set multiplot layout 1,%d\n", panels);
    for (int p = 0; p < panels && used < sizeof body; p++)
        used += (size_t)snprintf(
            body + used, sizeof body - used,
            "set title '%s labels'\n"
            "plot '" GRID_PLOT
            ".dat' index %d using 2:($1+0.12):3 with xerrorbars lw 2 pt 7 ps 0.8 "
            "lc rgb '%s' title 'without decoder', \\\n"
            "  '' index %d using 2:($1-0.12):3 with xerrorbars lw 2 pt 7 ps 0.8 lc rgb '%s' title "
            "'with decoder'\n",
            grid_count_text(labels, grid->count[panel[p]]), 2 * p, plot_colour(0), 2 * p + 1,
            plot_colour(1));
    snprintf(body + used, used < sizeof body ? sizeof body - used : 0, "unset multiplot\n");
    TRY(plot_draw(grid->study, GRID_PLOT, body, 700 * panels, 520));
fail:
    return status;
}

/* ---- The study -------------------------------------------------------------------------- */

static const struct grid_plan plan = {
    .rows = rows,
    .baseline = "plus",
    .title = "What each ingredient is worth",
    .about = "`--recipe plus` with one ingredient left out or added at a time, on few labels drawn "
             "in equal numbers a class and drawn again for every seed, with the rest of the "
             "training images unlabelled; every row also without decoder, so that the worth of "
             "reconstruction shows beside each ingredient.",
    .plot = plot};

static swwae_status run(struct study *study) { return grid_run(study, &plan); }

static const struct study_value values[] = {{"steps", "2000", "150"}, {NULL, NULL, NULL}};
static const char *const fixed[] = {
    "recipe",          "labels",        "lambda-nll",  "lambda-rec",   "lambda-m",       "dropout",
    "augment",         "pseudo-labels", "consistency", "average",      "balance",        "norm",
    "teacher-augment", "init-from",     "freeze",      "weight-decay", "labelled-share", NULL};

const struct study_kind study_ablation = {
    .info = {.name = "ablation",
             .help = "what each ingredient of the recipe plus is worth, with and without decoder",
             .about =
                 "Trains the paper's net by --recipe plus on 100, 600, 1000 and 3000 labels of "
                 "MNIST, drawn anew for every seed, with each of its ingredients left out, and two "
                 "others added, in turn, everything with and without decoder, and compares the "
                 "test errors draw by draw. --data takes other images. Its own options: twice "
                 "--steps 2000, --seeds 5; with --quick 4,000 training images, 100 and 1000 "
                 "labels, --steps 150 and --seeds 2."},
    .seeds = 5,
    .quick_seeds = 2,
    .table = true,
    .values = values,
    .fixed = fixed,
    .run = run};
