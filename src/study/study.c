/* study.c - the list of studies and the way through one; see study.h. */
#include "study/study.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "train/options.h"

#define KINDS 5
static const struct study_kind *const kinds[KINDS] = {&study_where, &study_equivariance,
                                                      &study_mnist, &study_lambda, &study_ablation};

const struct study_kind *study_kind_at(size_t i) { return i < KINDS ? kinds[i] : NULL; }

/* NULL, with the sentence set, where there is none of that name. */
static const struct study_kind *find_kind(const char *name) {
    char names[256] = "";
    for (size_t i = 0; i < KINDS; i++) {
        if (strcmp(name, kinds[i]->info.name) == 0) return kinds[i];
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", kinds[i]->info.name);
    }
    status_set(SWWAE_E_ARGUMENT, "there is no study \"%.100s\", expected one of %s", name, names);
    return NULL;
}

swwae_status study_path(char path[STUDY_PATH], const struct study *study, const char *name) {
    int length = snprintf(path, STUDY_PATH, "%s/%s", study->folder, name);
    if (length >= 0 && length < STUDY_PATH) return SWWAE_OK;
    return status_set(SWWAE_E_ARGUMENT, "the study's folder has a name of %zu bytes, too long",
                      strlen(study->folder));
}

swwae_status study_check_stop(const struct study *study) {
    if (!study->reporter->stop) return SWWAE_OK;
    return status_set(SWWAE_E_INTERRUPTED,
                      "stopped; run the study again with the same options and folder (%.400s) to "
                      "go on",
                      study->folder);
}

swwae_status study_say(struct study *study, const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    report_message(study->reporter, "%s", text);
    return study_check_stop(study);
}

static swwae_status name_folder(struct study *study, const char *folder) {
    swwae_status status = SWWAE_OK;
    if (folder) {
        CHECK(*folder && strlen(folder) < STUDY_PATH / 2, SWWAE_E_ARGUMENT,
              "the study's folder has a name of %zu bytes, expected 1 to %d", strlen(folder),
              STUDY_PATH / 2 - 1);
        snprintf(study->folder, sizeof study->folder, "%s", folder);
        for (size_t end = strlen(folder); end > 1 && study->folder[end - 1] == '/'; end--)
            study->folder[end - 1] = 0;
    } else {
        snprintf(study->folder, sizeof study->folder, "studies/%s%s", study->kind->info.name,
                 study->quick ? "-quick" : "");
    }
fail:
    return status;
}

/* What only a study with rows can do. */
static swwae_status check_table(const struct study *study, const swwae_study_settings *settings) {
    const char *what = settings->jobs > 1 ? "trainings side by side"
                       : settings->rows   ? "rows to choose from"
                       : settings->counts ? "numbers of labels to choose from"
                                          : NULL;
    if (study->kind->table || !what) return SWWAE_OK;
    return status_set(SWWAE_E_ARGUMENT, "the study %s has no %s", study->kind->info.name, what);
}

swwae_status study_run(const char *name, const swwae_options *options,
                       const swwae_study_settings *settings, struct reporter *reporter) {
    swwae_status status = SWWAE_OK;
    struct study study = {.kind = find_kind(name),
                          .given = options,
                          .quick = settings->quick,
                          .rows = settings->rows,
                          .counts = settings->counts,
                          .reporter = reporter};
    if (!study.kind) return SWWAE_E_ARGUMENT;
    study.seeds = settings->seeds ? settings->seeds
                  : study.quick   ? study.kind->quick_seeds
                                  : study.kind->seeds;
    study.jobs = settings->jobs ? settings->jobs : parallel_processors();
    TRY(check_table(&study, settings));
    TRY(name_folder(&study, settings->folder));
    TRY(study_begin(&study));
    TRY(study.kind->run(&study));
fail:
    swwae_options_free(study.options);
    return status;
}
