/* grid_page.c - a table's CSV files, plot data and page; see grid.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "study/grid.h"
#include "study/paired.h"
#include "study/plot.h"
#include "study/table.h"
#include "train/options.h"

/* What is known of a row at a number of labels. */
struct entry {
    struct summary test, validation, minutes;
    struct paired to_baseline, to_without;     /* of test errors */
    double paper, paper_std, paper_validation; /* NaN: the paper has none */
};

static double given(double figure) { return figure > 0 ? figure : NAN; }

/* values: (2, draws) to work in. */
static struct entry entry_of(const struct grid *grid, int row, int count, double *values) {
    struct entry entry = {.paper = NAN, .paper_std = NAN, .paper_validation = NAN};
    const struct grid_row *r = &grid->plan->rows[row];
    const int seeds = grid->draws, place = grid_paper_place(grid, count);
    const int baseline = grid_row_of(grid, grid->plan->baseline);
    const int without = grid_row_of(grid, r->without);
    double *other = values + seeds;
    entry.validation = grid_summary(grid, row, count, GRID_VALIDATION);
    entry.minutes = grid_summary(grid, row, count, GRID_CORE_MINUTES);
    grid_errors(values, grid, row, count, GRID_TEST);
    entry.test = summarise(values, seeds);
    for (int i = 0; i < seeds; i++) other[i] = NAN;
    if (baseline >= 0 && baseline != row) grid_errors(other, grid, baseline, count, GRID_TEST);
    entry.to_baseline = paired_difference(values, other, seeds);
    for (int i = 0; i < seeds; i++) other[i] = NAN;
    if (without >= 0) grid_errors(other, grid, without, count, GRID_TEST);
    entry.to_without = paired_difference(values, other, seeds);
    if (place >= 0) {
        entry.paper = given(r->paper.test[place]);
        entry.paper_std = given(r->paper.std[place]);
        entry.paper_validation = given(r->paper.validation[place]);
    }
    return entry;
}

/* ---- CSV files -------------------------------------------------------------------------- */

static swwae_status write_results(const struct grid *grid) {
    swwae_status status = SWWAE_OK;
    struct page page = {0};
    char labels[16];
    TRY(page_begin(&page, grid->study, "results.csv"));
    fputs("row,labels,candidate,seed,test_error,validation_error,test_rec,seconds,core_seconds\n",
          page.to);
    for (int c = 0; c < grid->counts; c++)
        for (int r = 0; r < grid->rows; r++)
            for (int k = 0; k < grid_candidates_at(grid, r, c); k++)
                for (int d = 0; d < grid->draws; d++) {
                    const size_t i = grid_at(grid, r, c, k, d);
                    const struct training_result *t = &grid->result[i];
                    if (grid->state[i] != GRID_DONE) continue;
                    fprintf(page.to, "%s,%s,%d,%llu,", grid->plan->rows[r].name,
                            grid_count_text(labels, grid->count[c]), k,
                            (unsigned long long)grid->study->seed + (unsigned long long)d);
                    page_row(page.to,
                             (double[]){t->error, t->validation_error, t->rec, t->seconds,
                                        t->core_seconds},
                             5);
                }
    TRY(page_commit(&page));
fail:
    page_abandon(&page);
    return status;
}

/* NaN of a single value. */
static double deviation(struct summary summary) { return summary.count > 1 ? summary.std : NAN; }

static swwae_status write_summary(const struct grid *grid, double *values) {
    swwae_status status = SWWAE_OK;
    struct page page = {0};
    char labels[16];
    TRY(page_begin(&page, grid->study, "summary.csv"));
    fputs("row,labels,draws,test_error,std,paper,paper_std,to_baseline,half_interval,to_without,"
          "without_half_interval,validation_error,validation_std,paper_validation,core_minutes\n",
          page.to);
    for (int c = 0; c < grid->counts; c++)
        for (int r = 0; r < grid->rows; r++) {
            const struct entry e = entry_of(grid, r, c, values);
            if (!e.test.count) continue;
            fprintf(page.to, "%s,%s,%d,", grid->plan->rows[r].name,
                    grid_count_text(labels, grid->count[c]), e.test.count);
            page_row(page.to,
                     (double[]){e.test.mean, deviation(e.test), e.paper, e.paper_std,
                                e.to_baseline.mean, e.to_baseline.half, e.to_without.mean,
                                e.to_without.half, e.validation.mean, deviation(e.validation),
                                e.paper_validation, e.minutes.mean},
                     12);
        }
    TRY(page_commit(&page));
fail:
    page_abandon(&page);
    return status;
}

/* ---- Choices ---------------------------------------------------------------------------- */

/* choice.csv, and the same as lines of Markdown. */
static swwae_status write_choices(FILE *to, const struct grid *grid) {
    swwae_status status = SWWAE_OK;
    struct page page = {0};
    char labels[16];
    TRY(page_begin(&page, grid->study, "choice.csv"));
    fputs("row,labels,candidate,options,draws,validation_error,chosen\n", page.to);
    for (int r = 0; r < grid->rows; r++)
        for (int c = 0; c < grid->counts; c++) {
            const struct grid_row *row = &grid->plan->rows[r];
            const int candidates = grid_candidates_at(grid, r, c);
            bool any = false;
            for (int k = 0; k < candidates && candidates > 1; k++) {
                const double score = grid_score(grid, r, c, k);
                const bool best = *grid_chosen(grid, r, c) == k;
                if (!isfinite(score)) continue;
                grid_count_text(labels, grid->count[c]);
                fprintf(page.to, "%s,%s,%d,\"%s\",%d,", row->name, labels, k, row->candidates[k],
                        grid->choice_draws);
                page_number(page.to, score);
                fprintf(page.to, ",%s\n", best ? "yes" : "no");
                fprintf(to, any ? "; %s" : "| %s | %s | ", any ? "" : row->title, labels);
                if (best) fputs("**", to);
                fprintf(to, "`%s`: ", row->candidates[k]);
                page_fixed(to, score, 2);
                if (best) fputs("**", to);
                any = true;
            }
            if (any) fputs(" |\n", to);
        }
    TRY(page_commit(&page));
fail:
    page_abandon(&page);
    return status;
}

/* ---- The page --------------------------------------------------------------------------- */

static void put_percent(FILE *to, struct summary summary) {
    if (!summary.count) {
        fputc('-', to);
        return;
    }
    page_fixed(to, summary.mean, 2);
    if (summary.count < 2) return;
    fputs(" ± ", to);
    page_fixed(to, summary.std, 2);
}

static void put_figure(FILE *to, double figure, double std) {
    if (isnan(figure)) {
        fputc('-', to);
        return;
    }
    page_fixed(to, figure, 2);
    if (isnan(std)) return;
    fputs(" ± ", to);
    page_fixed(to, std, 2);
}

static void put_difference(FILE *to, struct paired paired) {
    if (!paired.pairs) {
        fputc('-', to);
        return;
    }
    if (paired.mean > 0) fputc('+', to);
    page_fixed(to, paired.mean, 2);
    if (isnan(paired.half)) return;
    fputs(" ± ", to);
    page_fixed(to, paired.half, 2);
}

/* Whether there is anything at a number of labels, or is to be. */
static bool any_at(const struct grid *grid, int count) {
    return grid_has_any(grid, count) || grid->count_on[count];
}

/* The same of a row. */
static bool any_of(const struct grid *grid, int row) {
    for (int c = 0; c < grid->counts; c++)
        if (grid_summary(grid, row, c, GRID_TEST).count) return true;
    return grid->row_on[row];
}

/* Means of all rows and numbers of labels, as the paper's tables show them. */
static void print_overview(FILE *to, const struct grid *grid) {
    char labels[16];
    fputs("| method |", to);
    for (int c = 0; c < grid->counts; c++)
        if (any_at(grid, c)) fprintf(to, " %s labels |", grid_count_text(labels, grid->count[c]));
    fputs("\n|---|", to);
    for (int c = 0; c < grid->counts; c++)
        if (any_at(grid, c)) fputs("---|", to);
    fputc('\n', to);
    for (int r = 0; r < grid->rows; r++) {
        if (!any_of(grid, r)) continue;
        fprintf(to, "| %s |", grid->plan->rows[r].title);
        for (int c = 0; c < grid->counts; c++) {
            if (!any_at(grid, c)) continue;
            fputc(' ', to);
            put_percent(to, grid_summary(grid, r, c, GRID_TEST));
            fputs(" |", to);
        }
        fputc('\n', to);
    }
}

/* Whether the paper has figures of any row. */
static bool has_paper(const struct grid *grid) {
    for (int r = 0; r < grid->rows && grid->paper; r++)
        for (int p = 0; p < GRID_PAPER; p++) {
            const struct grid_paper *paper = &grid->plan->rows[r].paper;
            if (paper->test[p] > 0 || paper->validation[p] > 0) return true;
        }
    return false;
}

static bool has_choices(const struct grid *grid) {
    for (int r = 0; r < grid->rows; r++)
        if (grid_has_choice(grid, r)) return true;
    return false;
}

static void print_count(FILE *to, const struct grid *grid, int count, double *values) {
    const bool paper = has_paper(grid);
    bool without = false;
    for (int r = 0; r < grid->rows; r++) without |= grid->plan->rows[r].without != NULL;
    fprintf(to,
            "| method | test error, %% |%s difference to %s |%s validation error, %% |%s draws "
            "| minutes |\n|---|---|%s---|%s---|%s---|---|\n",
            paper ? " paper |" : "", grid->plan->baseline, without ? " worth of the decoder |" : "",
            paper ? " paper |" : "", paper ? "---|" : "", without ? "---|" : "",
            paper ? "---|" : "");
    for (int r = 0; r < grid->rows; r++) {
        const struct entry e = entry_of(grid, r, count, values);
        if (!e.test.count) continue;
        fprintf(to, "| %s | ", grid->plan->rows[r].title);
        put_percent(to, e.test);
        if (paper) {
            fputs(" | ", to);
            put_figure(to, e.paper, e.paper_std);
        }
        fputs(" | ", to);
        put_difference(to, e.to_baseline);
        if (without) {
            fputs(" | ", to);
            put_difference(to, e.to_without);
        }
        fputs(" | ", to);
        put_percent(to, e.validation);
        if (paper) {
            fputs(" | ", to);
            put_figure(to, e.paper_validation, NAN);
        }
        fprintf(to, " | %d | ", e.test.count);
        page_fixed(to, e.minutes.mean, 1);
        fputs(" |\n", to);
    }
}

static void print_protocol(FILE *to, const struct grid *grid) {
    const struct study *study = grid->study;
    const swwae_options *o = study->options;
    const bool steps = o->settings.steps > 0;
    char choices[256];
    snprintf(choices, sizeof choices,
             "- Choices: every candidate is trained on the first %d draw%s, and the lowest mean "
             "validation error decides, for each number of labels.\n",
             grid->choice_draws, grid->choice_draws > 1 ? "s" : "");
    fprintf(to, "# %s\n\n%s\n\n- Network: `%s`.\n- Data: ", grid->plan->title, grid->plan->about,
            swwae_options_get(o, "arch"));
    page_name(to, study->data);
    fprintf(to,
            "%s; %zu test images, looked at by none of the choices.\n- Training: %s %s, batches of "
            "%s, %s, learning rate %s (%s), where a row says nothing else. The model of the lowest "
            "validation "
            "error is kept.\n"
            "- Draws: seeds %llu to %llu; the same labelled images, validation images and first "
            "weights in every row.\n"
            "%s- ±: standard deviation over draws; of differences, half the 95 %% confidence "
            "interval of the mean over the same draws (paired t). Minutes: of one core, a "
            "training.\n\n",
            study->quick ? ", first images only (quick)" : "", swwae_dataset_count(grid->test),
            steps ? "steps" : "epochs", swwae_options_get(o, steps ? "steps" : "epochs"),
            swwae_options_get(o, "batch"), swwae_options_get(o, "optimizer"),
            swwae_options_get(o, "lr"), swwae_options_get(o, "schedule"),
            (unsigned long long)study->seed, (unsigned long long)grid_seed(grid, grid->draws - 1),
            has_choices(grid) ? choices : "");
}

/* The options of every row, so that any of its trainings can be repeated by hand. */
static void print_rows(FILE *to, const struct grid *grid) {
    fputs("\n## What the rows are\n\n| method | row | options |\n|---|---|---|\n", to);
    for (int r = 0; r < grid->rows; r++) {
        const struct grid_row *row = &grid->plan->rows[r];
        const char *between = "";
        const struct {
            const char *before, *code, *after; /* code NULL: not so */
        } parts[] = {{"begins with ", row->pretrained ? grid->plan->unsupervised : NULL,
                      " (its minutes are not among the row's)"},
                     {"the choice of ", row->like, ""},
                     {"", row->options, ""}};
        fprintf(to, "| %s | `%s` | ", row->title, row->name);
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
            if (!parts[i].code) continue;
            fprintf(to, "%s%s`%s`%s", between, parts[i].before, parts[i].code, parts[i].after);
            between = "; ";
        }
        if (row->times) {
            fprintf(to, "%s%g times the steps", between, row->times);
            between = "; ";
        }
        fprintf(to, "%s |\n", !row->candidates ? "" : *between ? "; the rest chosen" : "chosen");
    }
}

static swwae_status write_page(const struct grid *grid, double *values) {
    swwae_status status = SWWAE_OK;
    struct page page = {0};
    char labels[16];
    const bool choice = has_choices(grid);
    TRY(page_begin(&page, grid->study, "study.md"));
    print_protocol(page.to, grid);
    fputs("## Test error, %\n\n", page.to);
    print_overview(page.to, grid);
    if (!grid->study->no_plots) fputs("\n![Errors](" GRID_PLOT ".png)\n", page.to);
    for (int c = 0; c < grid->counts; c++) {
        if (!any_at(grid, c)) continue;
        fprintf(page.to, "\n## %s labels\n\n", grid_count_text(labels, grid->count[c]));
        print_count(page.to, grid, c, values);
    }
    print_rows(page.to, grid);
    if (choice) {
        fputs("\n## What was chosen\n\n| method | labels | candidates: mean validation error, % "
              "|\n|---|---|---|\n",
              page.to);
        TRY(write_choices(page.to, grid));
    }
    fprintf(page.to,
            "\nEach training: [results.csv](results.csv); the tables: [summary.csv](summary.csv)%s."
            "\n\n",
            choice ? ", [choice.csv](choice.csv)" : "");
    page_colophon(page.to, grid->study);
    TRY(page_commit(&page));
fail:
    page_abandon(&page);
    return status;
}

/* All trainings that are there, for the page's last lines. */
static void count_trainings(const struct grid *grid) {
    struct study *study = grid->study;
    study->trainings = 0;
    study->trained = 0;
    for (int r = 0; r < grid->rows; r++)
        for (int c = 0; c < grid->counts; c++)
            for (int k = 0; k < GRID_CANDIDATES; k++)
                for (int d = 0; d < grid->draws; d++) {
                    const size_t i = grid_at(grid, r, c, k, d);
                    if (grid->state[i] != GRID_DONE) continue;
                    study->trainings++;
                    study->trained += grid->result[i].seconds;
                }
}

swwae_status grid_write(const struct grid *grid) {
    swwae_status status = SWWAE_OK;
    double *values = calloc(2 * (size_t)grid->draws, sizeof *values);
    CHECK(values, SWWAE_E_MEMORY, "no memory for the tables");
    count_trainings(grid);
    TRY(write_results(grid));
    TRY(write_summary(grid, values));
    TRY(grid->plan->plot(grid));
    TRY(write_page(grid, values));
fail:
    free(values);
    return status;
}
