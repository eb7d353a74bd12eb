/* grid.c - the trainings of a table, and the choice between candidates; see grid.h. */
#include "study/grid.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "study/finished.h"
#include "train/number.h"
#include "train/options.h"

#define QUICK_TRAIN 4000
#define QUICK_TEST 1000

static const long paper_counts[GRID_PAPER] = {100, 600, 1000, 3000, LABELS_ALL};

/* ---- Places ----------------------------------------------------------------------------- */

size_t grid_at(const struct grid *grid, int row, int count, int candidate, int draw) {
    const size_t cell = (size_t)row * (size_t)grid->counts + (size_t)count;
    return (cell * GRID_CANDIDATES + (size_t)candidate) * (size_t)grid->draws + (size_t)draw;
}

int *grid_chosen(const struct grid *grid, int row, int count) {
    return grid->chosen + row * grid->counts + count;
}

int grid_row_of(const struct grid *grid, const char *name) {
    for (int r = 0; name && r < grid->rows; r++)
        if (strcmp(grid->plan->rows[r].name, name) == 0) return r;
    return -1;
}

int grid_candidates(const struct grid_row *row) {
    int count = 0;
    while (row->candidates && row->candidates[count]) count++;
    return count ? count : 1;
}

int grid_candidates_at(const struct grid *grid, int row, int count) {
    const struct grid_row *r = &grid->plan->rows[row];
    const bool all = grid->count[count] == LABELS_ALL;
    return all && r->candidates_with_all ? r->candidates_with_all : grid_candidates(r);
}

const char *grid_count_text(char text[16], long count) {
    snprintf(text, 16, count == LABELS_ALL ? "all" : "%ld", count);
    return text;
}

int grid_paper_place(const struct grid *grid, int count) {
    for (int p = 0; p < GRID_PAPER && grid->paper; p++)
        if (paper_counts[p] == grid->count[count]) return p;
    return -1;
}

bool grid_has_choice(const struct grid *grid, int row) {
    return row >= 0 && grid_candidates(&grid->plan->rows[row]) > 1;
}

uint64_t grid_seed(const struct grid *grid, int draw) { return grid->study->seed + (uint64_t)draw; }

/* "swwae-dropout-100-c2-seed1": candidate 2; "no-l2m-100-b2-seed1": built on candidate 2 of the row
 * it is like. */
static void training_name(char name[JOB_NAME], const struct grid *grid, int row, int count,
                          int candidate, int draw) {
    const struct grid_row *r = &grid->plan->rows[row];
    const int like = grid_row_of(grid, r->like);
    char labels[16], base[16] = "", own[16] = "";
    if (grid_has_choice(grid, like))
        snprintf(base, sizeof base, "-b%d", *grid_chosen(grid, like, count));
    if (grid_has_choice(grid, row)) snprintf(own, sizeof own, "-c%d", candidate);
    snprintf(name, JOB_NAME, "%.40s-%s%s%s-seed%llu", r->name,
             grid_count_text(labels, grid->count[count]), base, own,
             (unsigned long long)grid_seed(grid, draw));
}

/* With a decoder a step takes about twice as long (docs/tables/mnist). */
static double cost_of(const swwae_options *options) {
    const struct settings *s = &options->settings;
    bool decoder = s->lambda_rec > 0;
    for (int i = 0; i < s->lambda_m.count; i++) decoder |= s->lambda_m.value[i] > 0;
    return (s->steps > 0 ? (double)s->steps : 1000 * s->epochs) * (decoder ? 2 : 1);
}

/* ---- Results so far --------------------------------------------------------------------- */

static swwae_status read_cell(struct grid *grid, int row, int count, int candidate, int draw) {
    swwae_status status = SWWAE_OK;
    const size_t i = grid_at(grid, row, count, candidate, draw);
    char name[JOB_NAME];
    bool done;
    if (grid->state[i] != GRID_MISSING) return SWWAE_OK;
    training_name(name, grid, row, count, candidate, draw);
    TRY(training_read(&done, &grid->result[i], grid->study, name));
    if (!done) return SWWAE_OK;
    grid->state[i] = GRID_DONE;
    if (!finished_find(grid->study->done, name))
        TRY(finished_note(grid->study->done, name, &grid->result[i]));
fail:
    return status;
}

double grid_score(const struct grid *grid, int row, int count, int candidate) {
    double sum = 0;
    for (int d = 0; d < grid->choice_draws; d++) {
        const size_t i = grid_at(grid, row, count, candidate, d);
        if (grid->state[i] < GRID_DONE) return NAN;
        const double error = grid->result[i].validation_error;
        sum += grid->state[i] == GRID_DONE && isfinite(error) ? error : INFINITY;
    }
    return sum / grid->choice_draws;
}

static void choose(struct grid *grid, int row, int count) {
    const int candidates = grid_candidates_at(grid, row, count);
    int best = candidates > 1 ? -1 : 0; /* where all failed there is no choice */
    double lowest = INFINITY;
    for (int k = 0; k < candidates && candidates > 1; k++) {
        const double found = grid_score(grid, row, count, k);
        if (isnan(found)) return;
        if (found < lowest) {
            lowest = found;
            best = k;
        }
    }
    *grid_chosen(grid, row, count) = best;
}

static bool base_chosen(const struct grid *grid, int row, int count) {
    const int like = grid_row_of(grid, grid->plan->rows[row].like);
    return like < 0 || *grid_chosen(grid, like, count) >= 0;
}

/* What is in the folder; rows in order, since a row's names depend on the choice of the one it is
 * like. */
static swwae_status read_all(struct grid *grid) {
    swwae_status status = SWWAE_OK;
    for (int r = 0; r < grid->rows; r++)
        for (int c = 0; c < grid->counts; c++) {
            if (!base_chosen(grid, r, c)) continue;
            for (int k = 0; k < grid_candidates_at(grid, r, c); k++)
                for (int d = 0; d < grid->draws; d++) TRY(read_cell(grid, r, c, k, d));
            if (*grid_chosen(grid, r, c) < 0) choose(grid, r, c);
        }
    TRY(finished_save(grid->study->done, grid->study));
fail:
    return status;
}

void grid_errors(double *values, const struct grid *grid, int row, int count,
                 enum grid_measure measure) {
    const int candidate = *grid_chosen(grid, row, count);
    for (int d = 0; d < grid->draws; d++) {
        const size_t i = grid_at(grid, row, count, candidate < 0 ? 0 : candidate, d);
        const struct training_result *result = &grid->result[i];
        const double core = isfinite(result->core_seconds) ? result->core_seconds : result->seconds;
        values[d] = candidate < 0 || grid->state[i] != GRID_DONE ? NAN
                    : measure == GRID_TEST                       ? result->error
                    : measure == GRID_VALIDATION                 ? result->validation_error
                                                                 : core / 60;
    }
}

struct summary grid_summary(const struct grid *grid, int row, int count,
                            enum grid_measure measure) {
    double values[GRID_SEEDS];
    grid_errors(values, grid, row, count, measure);
    return summarise(values, grid->draws);
}

bool grid_has_any(const struct grid *grid, int count) {
    for (int r = 0; r < grid->rows; r++)
        if (grid_summary(grid, r, count, GRID_TEST).count) return true;
    return false;
}

/* ---- Trainings -------------------------------------------------------------------------- */

#define NO_PLACE (-1) /* in the grid: of an unsupervised training */

/* *after: the unsupervised training of the draw among the jobs; -1: its model is there. */
static swwae_status add_unsupervised(int *after, struct jobs *jobs, const struct grid *grid,
                                     int draw) {
    swwae_status status = SWWAE_OK;
    struct job job = {.after = -1, .place = NO_PLACE};
    grid_unsupervised_name(job.name, grid, draw);
    *after = -1;
    for (int i = 0; i < jobs->count; i++)
        if (strcmp(jobs->list[i]->name, job.name) == 0) *after = i;
    if (*after >= 0) return SWWAE_OK;
    if (training_has_model(grid->study, job.name)) return SWWAE_OK;
    TRY(grid_unsupervised(&job.options, grid, draw));
    job.cost = cost_of(job.options);
    TRY(jobs_add(jobs, &job));
    *after = jobs->count - 1;
fail:
    return status;
}

static swwae_status add(struct jobs *jobs, struct grid *grid, int row, int count, int candidate,
                        int draw) {
    swwae_status status = SWWAE_OK;
    const size_t i = grid_at(grid, row, count, candidate, draw);
    struct job job = {.after = -1, .place = (ptrdiff_t)i};
    if (grid->state[i] != GRID_MISSING) return SWWAE_OK;
    if (grid->plan->rows[row].pretrained) TRY(add_unsupervised(&job.after, jobs, grid, draw));
    training_name(job.name, grid, row, count, candidate, draw);
    TRY(grid_options(&job.options, grid, row, count, candidate, draw));
    job.cost = cost_of(job.options);
    TRY(jobs_add(jobs, &job));
    grid->state[i] = GRID_LISTED;
fail:
    return status;
}

/* What can be trained for a row on a draw by what is chosen now. */
static swwae_status add_row(struct jobs *jobs, struct grid *grid, int row, int count, int draw) {
    swwae_status status = SWWAE_OK;
    const int like = grid_row_of(grid, grid->plan->rows[row].like);
    const bool base = base_chosen(grid, row, count);
    if (!base) row = like; /* its choice comes first */
    const int chosen = *grid_chosen(grid, row, count);
    if (chosen >= 0 && base) {
        TRY(add(jobs, grid, row, count, chosen, draw));
    } else if (draw < grid->choice_draws) {
        for (int k = 0; k < grid_candidates_at(grid, row, count); k++)
            TRY(add(jobs, grid, row, count, k, draw));
    }
fail:
    return status;
}

/* Draw by draw, so that a study that is stopped has compared all it could. */
static swwae_status collect(struct jobs *jobs, struct grid *grid) {
    swwae_status status = SWWAE_OK;
    for (int d = 0; d < grid->study->seeds; d++)
        for (int c = 0; c < grid->counts; c++)
            for (int r = 0; r < grid->rows; r++)
                if (grid->row_on[r] && grid->count_on[c]) TRY(add_row(jobs, grid, r, c, d));
fail:
    return status;
}

/* Mean cost of the trainings in the list for a row and number of labels; NaN: none. */
static double mean_cost(const struct grid *grid, const struct jobs *jobs, int row, int count) {
    const ptrdiff_t first = (ptrdiff_t)grid_at(grid, row, count, 0, 0);
    const ptrdiff_t next = (ptrdiff_t)grid_at(grid, row, count, GRID_CANDIDATES, 0);
    double sum = 0;
    int found = 0;
    for (int i = 0; i < jobs->count; i++) {
        const struct job *job = jobs->list[i];
        if (job->place < first || job->place >= next) continue;
        sum += job->cost;
        found++;
    }
    return found ? sum / found : NAN;
}

/* What is left to do in all, for the estimate of time: also what later choices decide on, for which
 * the row's candidates, or its base's, are in the list. */
static void plan_work(struct grid *grid, const struct jobs *jobs) {
    struct study *study = grid->study;
    study->work_began = report_now();
    for (int i = 0; i < jobs->count; i++) study->work += jobs->list[i]->cost;
    study->trainings = jobs->count;
    for (int r = 0; r < grid->rows; r++)
        for (int c = 0; c < grid->counts; c++) {
            if (!grid->row_on[r] || !grid->count_on[c] || *grid_chosen(grid, r, c) >= 0) continue;
            const bool base = base_chosen(grid, r, c);
            const int like = grid_row_of(grid, grid->plan->rows[r].like);
            const double each = mean_cost(grid, jobs, base ? r : like, c);
            int more = study->seeds - grid->choice_draws;
            if (!base) more += grid->choice_draws * grid_candidates_at(grid, r, c);
            if (isfinite(each)) study->work += each * more;
            study->trainings += more;
        }
}

static void take_result(struct grid *grid, const struct job *job) {
    if (job->place == NO_PLACE) return;
    grid->state[job->place] = job->state == JOB_DONE     ? GRID_DONE
                              : job->state == JOB_FAILED ? GRID_TRIED
                                                         : GRID_MISSING;
    grid->result[job->place] = job->result;
}

/* A training that ended may settle a choice, and so what else can be trained. */
static swwae_status go_on(struct jobs *jobs, const struct job *job, void *user) {
    swwae_status status = SWWAE_OK;
    struct grid *grid = user;
    take_result(grid, job);
    TRY(read_all(grid));
    TRY(collect(jobs, grid));
fail:
    return status;
}

static swwae_status train_all(struct grid *grid) {
    swwae_status status = SWWAE_OK;
    struct jobs jobs = {0};
    TRY(read_all(grid));
    TRY(collect(&jobs, grid));
    plan_work(grid, &jobs);
    if (jobs.count) status = jobs_run(grid->study, &jobs, grid->test, go_on, grid);
fail:
    for (int i = 0; i < jobs.count; i++) take_result(grid, jobs.list[i]);
    jobs_free(&jobs);
    return status;
}

/* ---- Beginning -------------------------------------------------------------------------- */

static swwae_status book(struct grid *grid) {
    swwae_status status = SWWAE_OK;
    const size_t cells = (size_t)grid->rows * (size_t)grid->counts;
    const size_t all = cells * GRID_CANDIDATES * (size_t)grid->draws;
    grid->chosen = malloc(cells * sizeof *grid->chosen);
    grid->state = calloc(all, sizeof *grid->state);
    grid->result = calloc(all, sizeof *grid->result);
    CHECK(grid->chosen && grid->state && grid->result, SWWAE_E_MEMORY, "no memory for %zu results",
          all);
    for (size_t i = 0; i < cells; i++) grid->chosen[i] = -1;
fail:
    return status;
}

/* Candidates are compared on validation images. */
static swwae_status check_choices(const struct grid *grid) {
    for (int r = 0; r < grid->rows; r++) {
        const bool chosen = grid_has_choice(grid, r) ||
                            grid_has_choice(grid, grid_row_of(grid, grid->plan->rows[r].like));
        if (grid->row_on[r] && chosen && grid->study->options->settings.validation == 0)
            return status_set(SWWAE_E_ARGUMENT,
                              "option --validation: 0 found, but row %s chooses its settings on "
                              "validation images; leave out --validation, or the row (--rows)",
                              grid->plan->rows[r].name);
    }
    return SWWAE_OK;
}

static swwae_status begin(struct grid *grid) {
    swwae_status status = SWWAE_OK;
    struct study *study = grid->study;
    do grid->rows++;
    while (grid->plan->rows[grid->rows].name);
    grid->choice_draws = GRID_CHOICE_DRAWS;
    grid->paper =
        strncmp(study->data, "mnist", 5) == 0 && (!study->data[5] || study->data[5] == ',');
    grid->row_on = calloc((size_t)grid->rows, sizeof *grid->row_on);
    CHECK(grid->row_on, SWWAE_E_MEMORY, "no memory for %d rows", grid->rows);
    TRY(grid_select(grid));
    TRY(check_choices(grid));
    TRY(grid_keep_rows(grid));
    TRY(book(grid));
    if (study->quick) TRY(study_derive_data(study, QUICK_TRAIN, QUICK_TEST, 0));
    TRY(study_open_data(&grid->test, study, SWWAE_SPLIT_TEST));
fail:
    return status;
}

swwae_status grid_run(struct study *study, const struct grid_plan *plan) {
    swwae_status status = SWWAE_OK;
    struct grid grid = {.study = study, .plan = plan};
    struct finished done = {0};
    char sentence[1024];
    study->done = &done;
    TRY(finished_read(&done, study));
    TRY(begin(&grid));
    status = train_all(&grid);
    if (status != SWWAE_OK && status != SWWAE_E_INTERRUPTED) goto fail;
    const swwae_status trained = status;
    snprintf(sentence, sizeof sentence, "%s", swwae_last_error());
    TRY(grid_write(&grid));
    if (trained != SWWAE_OK) status = status_set(trained, "%s", sentence);
fail:
    swwae_dataset_free(grid.test);
    free(grid.row_on);
    free(grid.chosen);
    free(grid.state);
    free(grid.result);
    finished_free(&done);
    study->done = NULL;
    return status;
}
