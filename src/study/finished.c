/* finished.c - trainings.csv; see finished.h. */
#include "study/finished.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cpu.h"
#include "study/table.h"
#include "train/number.h"

#define TEXTS 3 /* first columns: training, version, kernels */
#define HEADER "training,version,kernels,rec,error,validation_error,seconds,core_seconds\n"

static swwae_status make_room(struct finished *finished) {
    if (finished->count < finished->room) return SWWAE_OK;
    const int room = 2 * finished->room + 64;
    void *list = realloc(finished->list, (size_t)room * sizeof *finished->list);
    if (!list) return status_set(SWWAE_E_MEMORY, "no memory for %d finished trainings", room);
    finished->list = list;
    finished->room = room;
    return SWWAE_OK;
}

static struct finished_training *find(const struct finished *finished, const char *name) {
    for (int i = 0; i < finished->count; i++)
        if (strcmp(finished->list[i].name, name) == 0) return &finished->list[i];
    return NULL;
}

const struct training_result *finished_find(const struct finished *finished, const char *name) {
    const struct finished_training *found = find(finished, name);
    return found ? &found->result : NULL;
}

/* ---- Reading ---------------------------------------------------------------------------- */

static swwae_status take_line(struct finished *finished, const struct table *table, size_t row,
                              const char *path) {
    swwae_status status = SWWAE_OK;
    const long r = (long)row;
    const char *name = table_text(table, r, "training");
    const char *version = table_text(table, r, "version");
    const char *kernels = table_text(table, r, "kernels");
    struct finished_training made = {.result = training_result_of(table, r)};
    CHECK(name && version && kernels && *name && strlen(name) < sizeof made.name &&
              strlen(version) < sizeof made.version && strlen(kernels) < sizeof made.kernels,
          SWWAE_E_FORMAT, "%.400s: row %zu does not begin with a training, a version and kernels",
          path, row + 1);
    CHECK(training_result_whole(&made.result), SWWAE_E_FORMAT,
          "%.400s: row %zu (%s) has no numbers seconds, and rec or error; remove the row to train "
          "again",
          path, row + 1, name);
    CHECK(!find(finished, name), SWWAE_E_FORMAT, "%.400s: row %zu: %s is there twice", path,
          row + 1, name);
    snprintf(made.name, sizeof made.name, "%s", name);
    snprintf(made.version, sizeof made.version, "%s", version);
    snprintf(made.kernels, sizeof made.kernels, "%s", kernels);
    TRY(make_room(finished));
    finished->list[finished->count++] = made;
fail:
    return status;
}

swwae_status finished_read(struct finished *finished, const struct study *study) {
    swwae_status status = SWWAE_OK;
    struct table table = {0};
    char path[STUDY_PATH];
    TRY(study_path(path, study, FINISHED_FILE));
    if (access(path, F_OK)) return SWWAE_OK;
    TRY(table_read_after(&table, path, TEXTS));
    for (size_t r = 0; r < table.rows; r++) TRY(take_line(finished, &table, r, path));
fail:
    table_free(&table);
    return status;
}

/* ---- Writing ---------------------------------------------------------------------------- */

swwae_status finished_note(struct finished *finished, const char *name,
                           const struct training_result *result) {
    swwae_status status = SWWAE_OK;
    const char *complaint;
    struct finished_training made = {.result = *result}, *place = find(finished, name);
    snprintf(made.name, sizeof made.name, "%s", name);
    snprintf(made.version, sizeof made.version, "%s", swwae_version());
    snprintf(made.kernels, sizeof made.kernels, "%s", cpu_isa_name(cpu_choose(&complaint)));
    if (!place) {
        TRY(make_room(finished));
        place = &finished->list[finished->count++];
    }
    *place = made;
    finished->changed = true;
fail:
    return status;
}

swwae_status finished_save(struct finished *finished, const struct study *study) {
    swwae_status status = SWWAE_OK;
    struct page page = {0};
    if (!finished->changed) return SWWAE_OK;
    TRY(page_begin(&page, study, FINISHED_FILE));
    fputs(HEADER, page.to);
    for (int i = 0; i < finished->count; i++) {
        const struct finished_training *t = &finished->list[i];
        fprintf(page.to, "%s,%s,%s,", t->name, t->version, t->kernels);
        training_result_put(page.to, &t->result);
    }
    TRY(page_commit(&page));
    finished->changed = false;
fail:
    page_abandon(&page);
    return status;
}

void finished_free(struct finished *finished) {
    free(finished->list);
    *finished = (struct finished){0};
}
