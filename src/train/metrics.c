/* metrics.c - means of many steps and the table of a run; see metrics.h. */
#include "train/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/file.h"
#include "train/number.h"

#define HEADER                                                                                   \
    "epoch,step,lr,loss,nll,rec,m,l1,pseudo,consistency,confident,train_error,validation_error," \
    "validation_rec,seconds\n"
#define TABLE_LIMIT (1u << 30) /* bytes */

void sums_add(struct sums *sums, const struct losses *losses) {
    sums->steps++;
    sums->loss += losses->total;
    if (!isnan(losses->nll)) {
        sums->nll_steps++;
        sums->nll += losses->nll;
    }
    if (!isnan(losses->rec)) sums->rec += losses->rec;
    for (int s = 0; s < NOTATION_STAGES; s++)
        if (!isnan(losses->m[s])) sums->m += losses->m[s];
    if (!isnan(losses->l1)) sums->l1 += losses->l1;
    sums->labelled += losses->labelled;
    sums->wrong += losses->wrong;
    if (!isnan(losses->pseudo)) sums->pseudo += losses->pseudo;
    if (!isnan(losses->consistency)) sums->consistency += losses->consistency;
    sums->unlabelled += losses->unlabelled;
    sums->guessed += losses->guessed;
}

struct means sums_means(const struct sums *sums, const struct objective *objective) {
    double steps = (double)sums->steps;
    bool any = sums->steps > 0, inner = false;
    for (int s = 0; s < NOTATION_STAGES; s++) inner = inner || objective->m[s] > 0;
    return (struct means){
        .loss = any ? sums->loss / steps : NAN,
        .nll = sums->nll_steps ? sums->nll / (double)sums->nll_steps : NAN,
        .rec = any && objective->rec > 0 ? sums->rec / steps : NAN,
        .m = any && inner ? sums->m / steps : NAN,
        .l1 = any && objective->l1 > 0 ? sums->l1 / steps : NAN,
        .error = sums->labelled ? 100 * (double)sums->wrong / (double)sums->labelled : NAN,
        .pseudo = sums->unlabelled ? sums->pseudo / steps : NAN,
        .consistency = sums->consistency > 0 ? sums->consistency / steps : NAN,
        .confident =
            sums->unlabelled ? 100 * (double)sums->guessed / (double)sums->unlabelled : NAN};
}

/* Appends text. */
static swwae_status append(struct metrics *metrics, const char *line) {
    size_t length = strlen(line);
    char *text = realloc(metrics->text, metrics->size + length + 1);
    if (!text) return status_set(SWWAE_E_MEMORY, "%.400s: no memory for its rows", metrics->path);
    memcpy(text + metrics->size, line, length + 1);
    metrics->text = text;
    metrics->size += length;
    return SWWAE_OK;
}

swwae_status metrics_create(struct metrics *metrics, const char *path) {
    *metrics = (struct metrics){.path = strdup(path)};
    if (!metrics->path) return status_set(SWWAE_E_MEMORY, "%.400s: no memory for its rows", path);
    return append(metrics, HEADER);
}

/* The step of a row, its second cell; false for what is not a row. */
static bool row_step(int64_t *step, const char *line, size_t length) {
    const char *begin = memchr(line, ',', length), *end;
    char cell[NUMBER_TEXT] = "";
    if (!begin) return false;
    begin++;
    end = memchr(begin, ',', length - (size_t)(begin - line));
    if (!end || (size_t)(end - begin) >= sizeof cell) return false;
    memcpy(cell, begin, (size_t)(end - begin));
    return number_parse_whole(step, cell, false);
}

/* The last cell of a row; 0 for none. */
static double row_seconds(const char *line, size_t length) {
    size_t begin = length;
    char cell[NUMBER_TEXT] = "";
    double seconds = 0;
    while (begin > 0 && line[begin - 1] != ',') begin--;
    if (length - begin >= sizeof cell) return 0;
    memcpy(cell, line + begin, length - begin);
    number_parse(&seconds, cell);
    return seconds;
}

swwae_status metrics_resume(struct metrics *metrics, const char *path, uint64_t last) {
    swwae_status status = SWWAE_OK;
    char *data = NULL;
    size_t size = 0;
    if (access(path, F_OK)) return metrics_create(metrics, path);
    *metrics = (struct metrics){.path = strdup(path)};
    CHECK(metrics->path, SWWAE_E_MEMORY, "%.400s: no memory for its rows", path);
    TRY(file_read(path, TABLE_LIMIT, &data, &size));
    CHECK(!strncmp(data, HEADER, strlen(HEADER)), SWWAE_E_FORMAT,
          "%.400s: does not begin with the header of this version's metrics; move it away to go on "
          "without its rows",
          path);
    size_t kept = strlen(HEADER);
    for (;;) {
        const char *line = data + kept, *end = memchr(line, '\n', size - kept);
        int64_t step;
        if (!end || !row_step(&step, line, (size_t)(end - line)) || (uint64_t)step > last) break;
        metrics->seconds = row_seconds(line, (size_t)(end - line));
        kept = (size_t)(end - data) + 1;
    }
    data[kept] = 0;
    TRY(append(metrics, data));
fail:
    free(data);
    return status;
}

swwae_status metrics_add(struct metrics *metrics, const struct row *row) {
    char line[16 * NUMBER_TEXT] = "", number[NUMBER_TEXT];
    const double after[] = {row->lr,           row->train.loss,        row->train.nll,
                            row->train.rec,    row->train.m,           row->train.l1,
                            row->train.pseudo, row->train.consistency, row->train.confident,
                            row->train.error,  row->validation_error,  row->validation_rec};
    number_print_short(number, row->epoch);
    int used = snprintf(line, sizeof line, "%s,%" PRIu64, number, row->step);
    for (size_t i = 0; i < sizeof after / sizeof *after; i++) {
        number_print_short(number, after[i]);
        used += snprintf(line + used, sizeof line - (size_t)used, ",%s", number);
    }
    number_print(number, round(row->seconds * 1000) / 1000);
    snprintf(line + used, sizeof line - (size_t)used, ",%s\n", number);
    metrics->seconds = row->seconds;
    return append(metrics, line);
}

void metrics_free(struct metrics *metrics) {
    free(metrics->path);
    free(metrics->text);
    *metrics = (struct metrics){0};
}
