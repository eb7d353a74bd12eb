/* grid_plot.c - a table's plot: test error against the number of labels, a line for each row. */
#include <math.h>
#include <stdio.h>

#include "study/grid.h"
#include "study/plot.h"
#include "train/number.h"
#include "train/options.h"

#define AXIS_MARGIN 1.08
#define SPREAD 1.12 /* rows stand beside each other: the last's labels over the first's */
#define SHAPES 4

static void widen(struct grid_span *span, double value) {
    if (!(value > 0)) return; /* has no place on a logarithmic axis */
    span->low = span->low > 0 ? fmin(span->low, value) : value;
    span->high = fmax(span->high, value);
}

/* Appends a tic to gnuplot's list of them; returns how long the text is. */
static size_t add_tic(char *text, size_t size, size_t used, bool first, double tic) {
    char number[NUMBER_TEXT];
    number_print_short(number, tic);
    if (used >= size) return used;
    return used + (size_t)snprintf(text + used, size - used, "%s'%s' %s", first ? "" : ",", number,
                                   number);
}

size_t grid_plot_axis(char *text, size_t size, char axis, const struct grid_span *span) {
    static const int steps[] = {1, 2, 3, 5, 7}; /* of each power of ten; narrow: even ones */
    const double low = (span->low > 0 ? span->low : 1) / AXIS_MARGIN;
    const double high = (span->high > 0 ? span->high : 100) * AXIS_MARGIN;
    const double width = high - low, ten = pow(10, floor(log10(width / 4)));
    /* 4 to 10 steps */
    const double even = ten * (width > 20 * ten ? 5 : width > 10 * ten ? 2 : 1);
    const bool narrow = high <= 3 * low;
    char number[NUMBER_TEXT], end[NUMBER_TEXT];
    number_print_short(number, low);
    number_print_short(end, high);
    size_t used =
        (size_t)snprintf(text, size, "set logscale %c\nset %crange [%s:%s]\nset %ctics nomirror (",
                         axis, axis, number, end, axis);
    bool first = true;
    for (int power = -3; power < 3 && !narrow; power++)
        for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
            const double tic = pow(10, power) * steps[s];
            if (tic < low || tic > high) continue;
            used = add_tic(text, size, used, first, tic);
            first = false;
        }
    for (long k = lround(ceil(low / even)); (double)k * even <= high && narrow; k++) {
        used = add_tic(text, size, used, first, (double)k * even);
        first = false;
    }
    return used + (size_t)snprintf(text + used, used < size ? size - used : 0, ")\n");
}

void grid_plot_point(FILE *to, const struct summary *error, double paper, struct grid_span *span) {
    widen(span, error->mean - error->std);
    widen(span, error->mean);
    widen(span, error->mean + error->std);
    widen(span, paper);
    page_number(to, error->mean);
    fputc(' ', to);
    page_number(to, error->std);
    fputc(' ', to);
    if (paper > 0)
        page_number(to, paper);
    else
        fputc('?', to);
    fputc('\n', to);
}

/* How many labels "all" are, about: the training images. 0: the table has no such column. */
static swwae_status count_all(long *all, const struct grid *grid) {
    swwae_status status = SWWAE_OK;
    swwae_dataset *train = NULL;
    *all = 0;
    if (grid->count[grid->counts - 1] != LABELS_ALL) return SWWAE_OK;
    TRY(study_open_data(&train, grid->study, SWWAE_SPLIT_TRAIN));
    *all = (long)swwae_dataset_count(train);
fail:
    swwae_dataset_free(train);
    return status;
}

static long labels_of(const struct grid *grid, int count, long all) {
    return grid->count[count] == LABELS_ALL ? all : grid->count[count];
}

/* A block for each row that has anything: labels, mean, standard deviation, paper. Returns how many
 * blocks, with their rows. */
static swwae_status write_points(int *block, int *blocks, struct grid_span *span,
                                 const struct grid *grid, long all) {
    swwae_status status = SWWAE_OK;
    struct page page = {0};
    *blocks = 0;
    TRY(page_begin(&page, grid->study, GRID_PLOT ".dat"));
    for (int r = 0; r < grid->rows; r++) {
        bool any = false;
        for (int c = 0; c < grid->counts; c++) {
            const struct summary test = grid_summary(grid, r, c, GRID_TEST);
            const int place = grid_paper_place(grid, c);
            const double paper = place < 0 ? 0 : grid->plan->rows[r].paper.test[place];
            if (!test.count) continue;
            if (!any) fprintf(page.to, "# %s\n", grid->plan->rows[r].title);
            fprintf(page.to, "%ld ", labels_of(grid, c, all));
            grid_plot_point(page.to, &test, paper, span);
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

/* The axis of the numbers of labels that have an error. */
static size_t write_labels(char *text, size_t size, const struct grid *grid, long all) {
    char labels[16];
    int first = -1, last = -1;
    size_t used = (size_t)snprintf(text, size, "set logscale x\nset xtics nomirror (");
    for (int c = 0; c < grid->counts && used < size; c++) {
        if (!grid_has_any(grid, c)) continue;
        used += (size_t)snprintf(text + used, size - used, "%s'%s' %ld", first < 0 ? "" : ",",
                                 grid_count_text(labels, grid->count[c]), labels_of(grid, c, all));
        if (first < 0) first = c;
        last = c;
    }
    return used + (size_t)snprintf(
                      text + used, used < size ? size - used : 0, ")\nset xrange [%ld:%ld]\n",
                      labels_of(grid, first, all) * 8 / 10, labels_of(grid, last, all) * 12 / 10);
}

swwae_status grid_plot(const struct grid *grid) {
    swwae_status status = SWWAE_OK;
    static const int shapes[SHAPES] = {7, 6, 5, 4}; /* gnuplot's circles and squares */
    struct grid_span span = {0};
    int block[64], blocks;
    char body[16384];
    long all;
    TRY(count_all(&all, grid));
    TRY(write_points(block, &blocks, &span, grid, all));
    if (!blocks) return SWWAE_OK;
    size_t used = (size_t)snprintf(body, sizeof body,
                                   "set title 'Test error against number of labels'\n"
                                   "set xlabel 'labels'\nset ylabel 'test error, %%'\n"
                                   "set datafile missing '?'\n");
    used += grid_plot_axis(body + used, sizeof body - used, 'y', &span);
    used += write_labels(body + used, sizeof body - used, grid, all);
    used += (size_t)snprintf(body + used, sizeof body - used,
                             "set border 3\n"
                             "set grid ytics lt 1 lw 0.5 lc rgb '#cccccc'\n"
                             "set key outside right center\nplot ");
    for (int b = 0; b < blocks && used < sizeof body; b++) {
        const struct grid_row *row = &grid->plan->rows[block[b]];
        const double beside = pow(SPREAD, (b + 0.5) / blocks - 0.5);
        used += (size_t)snprintf(body + used, sizeof body - used,
                                 "%s'" GRID_PLOT ".dat' index %d using ($1*%.3f):2:3 with "
                                 "yerrorbars lw 2 pt 0 lc rgb '%s' notitle, \\\n"
                                 "  '' index %d using ($1*%.3f):2 with linespoints lw 2 pt %d "
                                 "ps 0.7 dt %d lc rgb '%s' title '%s'",
                                 b ? ", \\\n  " : "", b, beside, plot_colour(b), b, beside,
                                 shapes[b / 4 % SHAPES], b / 4 % SHAPES + 1, plot_colour(b),
                                 row->title);
        if (grid->paper && row->paper.test[0] > 0 && used < sizeof body)
            used += (size_t)snprintf(body + used, sizeof body - used,
                                     ", \\\n  '' index %d using ($1*%.3f):4 with linespoints lw 1 "
                                     "pt 2 dt 3 lc rgb '%s' title 'the same, paper'",
                                     b, beside, plot_colour(b));
    }
    snprintf(body + used, sizeof body - used, "\n");
    TRY(plot_draw(grid->study, GRID_PLOT, body, 1000, 520));
fail:
    return status;
}
