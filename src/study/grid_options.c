/* grid_options.c - what the trainings of a table's rows change of the study's options; see grid.h.
 */
#include <math.h>
#include <stdio.h>

#include "study/grid.h"
#include "study/protocol.h"
#include "train/options.h"

#define UNSUPERVISED "unsupervised"
#define ALL_STEPS 4 /* times as many steps where all images are labelled */

/* Sets "name=value name=value". */
static swwae_status apply(swwae_options *options, const char *text) {
    swwae_status status = SWWAE_OK;
    char name[64], value[512];
    int used;
    while (text && sscanf(text, " %63[^= ]=%511s%n", name, value, &used) == 2) {
        TRY(swwae_options_set(options, name, value));
        text += used;
    }
fail:
    return status;
}

static swwae_status set_seed(swwae_options *options, const struct grid *grid, int draw) {
    char seed[32];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)grid_seed(grid, draw));
    return swwae_options_set(options, "seed", seed);
}

/* Multiplies the study's steps, unless they were given. */
static swwae_status more_steps(swwae_options *options, const struct grid *grid, double times) {
    char text[32];
    const bool free = !options_given(grid->study->given, "steps") && options->settings.steps > 0;
    if (times == 0 || !free) return SWWAE_OK;
    snprintf(text, sizeof text, "%.0f", round(times * (double)options->settings.steps));
    return swwae_options_set(options, "steps", text);
}

/* The row's own changes. */
static swwae_status apply_row(swwae_options *options, const struct grid *grid, int row,
                              int candidate) {
    swwae_status status = SWWAE_OK;
    const struct grid_row *r = &grid->plan->rows[row];
    TRY(more_steps(options, grid, r->times));
    TRY(apply(options, r->options));
    if (r->candidates) TRY(apply(options, r->candidates[candidate]));
fail:
    return status;
}

/* All images labelled are worth more steps than a hundred. */
static swwae_status set_labels(swwae_options *options, const struct grid *grid, int count) {
    swwae_status status = SWWAE_OK;
    char text[32];
    TRY(swwae_options_set(options, "labels", grid_count_text(text, grid->count[count])));
    if (grid->count[count] == LABELS_ALL) TRY(more_steps(options, grid, ALL_STEPS));
fail:
    return status;
}

swwae_status grid_options(swwae_options **options, const struct grid *grid, int row, int count,
                          int candidate, int draw) {
    swwae_status status = SWWAE_OK;
    swwae_options *made = NULL;
    char name[JOB_NAME], path[STUDY_PATH];
    const struct grid_row *r = &grid->plan->rows[row];
    const int like = grid_row_of(grid, r->like);
    TRY(options_copy(&made, grid->study->options));
    TRY(set_seed(made, grid, draw));
    TRY(set_labels(made, grid, count));
    if (like >= 0) TRY(apply_row(made, grid, like, *grid_chosen(grid, like, count)));
    TRY(apply_row(made, grid, row, candidate));
    if (r->pretrained) {
        grid_unsupervised_name(name, grid, draw);
        TRY(training_path(path, grid->study, name, NULL));
        TRY(swwae_options_set(made, "init-from", path));
    }
    *options = made;
    made = NULL;
fail:
    swwae_options_free(made);
    return status;
}

swwae_status grid_unsupervised(swwae_options **options, const struct grid *grid, int draw) {
    swwae_status status = SWWAE_OK;
    swwae_options *made = NULL;
    TRY(options_copy(&made, grid->study->options));
    TRY(set_seed(made, grid, draw));
    TRY(apply(made, grid->plan->unsupervised));
    *options = made;
    made = NULL;
fail:
    swwae_options_free(made);
    return status;
}

void grid_unsupervised_name(char name[JOB_NAME], const struct grid *grid, int draw) {
    snprintf(name, JOB_NAME, UNSUPERVISED "-seed%llu", (unsigned long long)grid_seed(grid, draw));
}

/* ---- In study.json ---------------------------------------------------------------------- */

/* Asked for, or chosen from for a row that is like it. */
static bool is_trained(const struct grid *grid, int row) {
    for (int r = 0; r < grid->rows; r++)
        if (grid->row_on[r] && (r == row || grid_row_of(grid, grid->plan->rows[r].like) == row))
            return true;
    return false;
}

static swwae_status keep_row(json_t *file, const struct grid *grid, int row, int candidate) {
    swwae_status status = SWWAE_OK;
    swwae_options *options = NULL;
    char name[JOB_NAME], own[16] = "";
    if (grid_has_choice(grid, row)) snprintf(own, sizeof own, "-c%d", candidate);
    snprintf(name, sizeof name, "%.40s%s", grid->plan->rows[row].name, own);
    TRY(options_copy(&options, grid->study->options));
    TRY(apply_row(options, grid, row, candidate));
    TRY(protocol_row(file, grid->study, name, options, is_trained(grid, row)));
fail:
    swwae_options_free(options);
    return status;
}

static swwae_status keep_unsupervised(json_t *file, const struct grid *grid, bool on) {
    swwae_status status = SWWAE_OK;
    swwae_options *options = NULL;
    TRY(grid_unsupervised(&options, grid, 0));
    TRY(protocol_row(file, grid->study, UNSUPERVISED, options, on));
fail:
    swwae_options_free(options);
    return status;
}

swwae_status grid_keep_rows(const struct grid *grid) {
    swwae_status status = SWWAE_OK;
    bool pretrained = false;
    json_t *file = NULL;
    TRY(protocol_read(&file, grid->study));
    for (int r = 0; r < grid->rows; r++) {
        pretrained |= grid->row_on[r] && grid->plan->rows[r].pretrained;
        for (int k = 0; k < grid_candidates(&grid->plan->rows[r]); k++)
            TRY(keep_row(file, grid, r, k));
    }
    TRY(keep_unsupervised(file, grid, pretrained));
    TRY(protocol_save(grid->study, file));
fail:
    json_decref(file);
    return status;
}
