/* grid_select.c - which rows and numbers of labels a table has, and which are trained now; see
 * grid.h. */
#include <stdio.h>
#include <string.h>

#include "study/finished.h"
#include "study/grid.h"
#include "train/number.h"
#include "train/options.h"

#define MOST_LABELS 1000000000

/* The next word of "a,b,c"; false at the end. */
static bool next_word(char *word, size_t size, const char **text) {
    if (!*text || !**text) return false;
    const size_t length = strcspn(*text, ",");
    snprintf(word, size, "%.*s", (int)(length < size ? length : size - 1), *text);
    *text += length + ((*text)[length] == ',');
    return true;
}

static swwae_status select_rows(struct grid *grid) {
    swwae_status status = SWWAE_OK;
    const char *text = grid->study->rows;
    char word[64], names[512] = "";
    for (int r = 0; r < grid->rows; r++) {
        const size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", r ? ", " : "",
                 grid->plan->rows[r].name);
        grid->row_on[r] = !text;
    }
    while (next_word(word, sizeof word, &text)) {
        const int row = grid_row_of(grid, word);
        CHECK(row >= 0, SWWAE_E_ARGUMENT, "rows: \"%s\" found, expected some of %s", word, names);
        grid->row_on[row] = true;
    }
fail:
    return status;
}

/* In its place among the rising counts; already there: nothing changes. */
static swwae_status insert_count(struct grid *grid, long count, bool on) {
    swwae_status status = SWWAE_OK;
    const unsigned long value = (unsigned long)count; /* LABELS_ALL is the largest */
    int c = 0;
    while (c < grid->counts && (unsigned long)grid->count[c] < value) c++;
    if (c == grid->counts || grid->count[c] != count) {
        CHECK(grid->counts < GRID_COUNTS, SWWAE_E_ARGUMENT, "counts: more than %d found",
              GRID_COUNTS);
        memmove(grid->count + c + 1, grid->count + c,
                (size_t)(grid->counts - c) * sizeof *grid->count);
        memmove(grid->count_on + c + 1, grid->count_on + c,
                (size_t)(grid->counts - c) * sizeof *grid->count_on);
        grid->count[c] = count;
        grid->count_on[c] = false;
        grid->counts++;
    }
    grid->count_on[c] |= on;
fail:
    return status;
}

/* "100" of "convnet-100-c0-seed1", "all"; false: something else. */
static bool count_of(long *count, const char *text, size_t length) {
    char word[16];
    int64_t number = LABELS_ALL;
    if (length >= sizeof word) return false;
    snprintf(word, sizeof word, "%.*s", (int)length, text);
    if (strcmp(word, "all") != 0 &&
        !(number_parse_whole(&number, word, false) && number > 0 && number <= MOST_LABELS))
        return false;
    *count = (long)number;
    return true;
}

/* As many draws as it takes to show "...-seed3". */
static void insert_draw(struct grid *grid, const char *name) {
    const char *seed = strrchr(name, '-');
    int64_t number;
    if (!seed || strncmp(seed, "-seed", 5) != 0 || !number_parse_whole(&number, seed + 5, false))
        return;
    const uint64_t first = grid->study->seed, value = (uint64_t)number;
    if (value >= first && value - first < GRID_SEEDS && value - first >= (uint64_t)grid->draws)
        grid->draws = (int)(value - first) + 1;
}

/* Those of the finished trainings, so that the tables show all that the folder holds. */
static swwae_status select_finished(struct grid *grid) {
    swwae_status status = SWWAE_OK;
    const struct finished *done = grid->study->done;
    for (int i = 0; i < done->count; i++)
        for (int r = 0; r < grid->rows; r++) {
            const char *name = done->list[i].name, *row = grid->plan->rows[r].name;
            const size_t length = strlen(row);
            long count;
            if (strncmp(name, row, length) != 0 || name[length] != '-') continue;
            name += length + 1;
            if (!count_of(&count, name, strcspn(name, "-"))) continue;
            TRY(insert_count(grid, count, false));
            insert_draw(grid, name);
        }
fail:
    return status;
}

/* The same number of each class, and no more than the data can give; 0: not one of each. */
static long fitting(const struct study *study, long count) {
    const long fits = count < study->labels_most ? count : study->labels_most;
    return study->classes > 0 ? fits - fits % study->classes : fits;
}

static swwae_status select_counts(struct grid *grid) {
    swwae_status status = SWWAE_OK;
    static const long usual[3][4] = {{100, 600, 1000, 3000}, {1000, 4000}, {100, 500, 1000, 5000}};
    static const long quick[4] = {100, 1000};
    const char *text = grid->study->counts;
    const int kind = grid->paper ? 0 : grid->study->colour ? 1 : 2;
    const long *counts = grid->study->quick ? quick : usual[kind];
    char word[32];
    for (int i = 0; i < 4 && counts[i]; i++) {
        const long count = fitting(grid->study, counts[i]);
        if (count > 0) TRY(insert_count(grid, count, !text));
    }
    CHECK(text || grid->counts, SWWAE_E_DATA, "%s has too few labels for a table",
          grid->study->data);
    while (next_word(word, sizeof word, &text)) {
        long count;
        CHECK(count_of(&count, word, strlen(word)), SWWAE_E_ARGUMENT,
              "counts: \"%s\" found, expected numbers of labels with commas between, or all", word);
        CHECK(
            count == LABELS_ALL || grid->study->classes <= 0 || count % grid->study->classes == 0,
            SWWAE_E_ARGUMENT,
            "counts: \"%s\" found, but labels are shared equally by the %d classes of %s, expected "
            "multiples of %d",
            word, grid->study->classes, grid->study->data, grid->study->classes);
        TRY(insert_count(grid, count, true));
    }
fail:
    return status;
}

swwae_status grid_select(struct grid *grid) {
    swwae_status status = SWWAE_OK;
    grid->draws = grid->study->seeds;
    TRY(select_rows(grid));
    TRY(select_counts(grid));
    TRY(select_finished(grid));
fail:
    return status;
}
