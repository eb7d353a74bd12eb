/* training.c - the trainings of a study: each once, gone on with where it was stopped; see study.h.
 *
 * A training is complete when runs/NAME/test.csv is there: it is written last. In a study with a
 * table it is too where trainings.csv has a line of it (finished.h). */
#include "study/study.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/parallel.h"
#include "study/finished.h"
#include "study/table.h"
#include "train/folder.h"
#include "train/model_file.h"
#include "train/number.h"

#define RESULT "test.csv" /* the last file of a training, by which it is complete */

/* Seconds a training of this study takes, as far as is known; `present` is the guess for the one
 * under way. */
static double typical(const struct study *study, double present) {
    return study->finished ? study->spent / study->finished : present;
}

int study_watch(const swwae_progress *event, void *user) {
    struct study *study = user;
    static const char folder[] = "run folder: ";
    /* its name has been told already */
    if (event->message && strncmp(event->message, folder, sizeof folder - 1) == 0)
        return study->reporter->stop;
    struct swwae_progress shown = *event;
    if (study->trainings && isfinite(shown.seconds_left)) {
        const double present = report_now() - study->began + shown.seconds_left;
        shown.seconds_left += typical(study, present) * (study->trainings - study->training);
    }
    report_send(study->reporter, &shown);
    return study->reporter->stop;
}

static swwae_status announce(struct study *study, const char *name, bool resumed) {
    char left[64] = "";
    const double seconds = typical(study, 0) * (study->trainings - study->training + 1);
    const long all = lround(seconds), hours = all / 3600;
    if (study->finished && hours)
        snprintf(left, sizeof left, "; about %ld:%02ld:%02ld left in all", hours, all / 60 % 60,
                 all % 60);
    else if (study->finished)
        snprintf(left, sizeof left, "; about %ld:%02ld left in all", all / 60, all % 60);
    return study_say(study, "training %d of %d: %s%s%s", study->training, study->trainings, name,
                     resumed ? ", going on" : "", left);
}

/* ---- Results ---------------------------------------------------------------------------- */

swwae_status training_path(char path[STUDY_PATH], const struct study *study, const char *name,
                           const char *file) {
    char part[STUDY_PATH];
    snprintf(part, sizeof part, "runs/%s%s%s", name, file ? "/" : "", file ? file : "");
    return study_path(path, study, part);
}

struct training_result training_result_of(const struct table *table, long row) {
    return (struct training_result){.rec = table_cell(table, row, "rec"),
                                    .error = table_cell(table, row, "error"),
                                    .validation_error = table_cell(table, row, "validation_error"),
                                    .seconds = table_cell(table, row, "seconds"),
                                    .core_seconds = table_cell(table, row, "core_seconds")};
}

bool training_result_whole(const struct training_result *result) {
    return isfinite(result->seconds) && (isfinite(result->rec) || isfinite(result->error));
}

void training_result_put(FILE *to, const struct training_result *result) {
    const double numbers[] = {result->rec, result->error, result->validation_error, result->seconds,
                              result->core_seconds};
    for (int i = 0; i < 5; i++) {
        char text[NUMBER_TEXT];
        number_print(text, numbers[i]);
        fprintf(to, "%s%c", text, i < 4 ? ',' : '\n');
    }
}

bool training_has_model(const struct study *study, const char *name) {
    char path[STUDY_PATH];
    return training_path(path, study, name, RESULT) == SWWAE_OK && access(path, F_OK) == 0;
}

swwae_status training_read(bool *done, struct training_result *result, const struct study *study,
                           const char *name) {
    swwae_status status = SWWAE_OK;
    struct table table = {0};
    char path[STUDY_PATH];
    const struct training_result *known = study->done ? finished_find(study->done, name) : NULL;
    *done = known != NULL;
    if (known) {
        *result = *known;
        return SWWAE_OK;
    }
    TRY(training_path(path, study, name, RESULT));
    *done = access(path, F_OK) == 0;
    if (!*done) return SWWAE_OK;
    TRY(table_read(&table, path));
    *result = training_result_of(&table, 0);
    CHECK(training_result_whole(result), SWWAE_E_FORMAT,
          "%.400s: no numbers seconds, and rec or error; remove the file to measure again", path);
fail:
    table_free(&table);
    return status;
}

static swwae_status write_result(const struct training_result *result, const struct study *study,
                                 const char *name) {
    swwae_status status = SWWAE_OK;
    struct page page = {0};
    char file[STUDY_PATH];
    snprintf(file, sizeof file, "runs/%s/" RESULT, name);
    TRY(page_begin(&page, study, file));
    fputs("rec,error,validation_error,seconds,core_seconds\n", page.to);
    training_result_put(page.to, result);
    TRY(page_commit(&page));
fail:
    page_abandon(&page);
    return status;
}

/* ---- One training ----------------------------------------------------------------------- */

static swwae_status load(swwae_model **model, const struct study *study, const char *name,
                         int threads) {
    swwae_status status = SWWAE_OK;
    swwae_model *made = NULL;
    char path[STUDY_PATH];
    TRY(training_path(path, study, name, NULL));
    TRY(swwae_model_load(&made, path));
    TRY(swwae_model_set_threads(made, threads));
    *model = made;
    made = NULL;
fail:
    swwae_model_free(made);
    return status;
}

swwae_status study_load(swwae_model **model, const struct study *study, const char *name) {
    return load(model, study, name, study->options->settings.threads);
}

/* The lowest of a column; NaN of none. */
static double lowest(const struct table *table, const char *column) {
    double low = NAN;
    for (size_t r = 0; r < table->rows; r++) low = fmin(low, table_cell(table, (long)r, column));
    return low;
}

/* core: share of a processor that the training had. */
static swwae_status measure(struct training_result *result, const struct study *study,
                            const char *name, const struct folder *folder, int threads, double core,
                            const swwae_dataset *test, swwae_progress_fn progress, void *user) {
    swwae_status status = SWWAE_OK;
    swwae_model *model = NULL;
    swwae_evaluation evaluation = {0};
    struct table metrics = {0};
    TRY(load(&model, study, name, threads));
    TRY(swwae_evaluate(model, test, progress, user, &evaluation));
    TRY(table_read(&metrics, folder->metrics));
    const double seconds = table_cell(&metrics, -1, "seconds");
    *result = (struct training_result){.rec = evaluation.has_rec ? evaluation.rec : NAN,
                                       .error = evaluation.has_error ? evaluation.error : NAN,
                                       .validation_error = lowest(&metrics, "validation_error"),
                                       .seconds = seconds,
                                       .core_seconds = seconds * core};
    TRY(write_result(result, study, name));
fail:
    swwae_evaluation_clear(&evaluation);
    table_free(&metrics);
    swwae_model_free(model);
    return status;
}

/* Trains, or goes on. */
static swwae_status train(const struct folder *folder, swwae_options *options,
                          swwae_progress_fn progress, void *user) {
    swwae_status status = SWWAE_OK;
    swwae_options *threads = NULL;
    if (access(folder->config, F_OK) == 0) {
        TRY(swwae_options_create(&threads));
        TRY(swwae_options_set(threads, "threads", swwae_options_get(options, "threads")));
        TRY(swwae_resume(folder->path, threads, progress, user));
    } else {
        TRY(swwae_options_set(options, "out", folder->path));
        TRY(swwae_train(options, progress, user));
    }
fail:
    swwae_options_free(threads);
    return status;
}

swwae_status training_run(struct training_result *result, const struct study *study,
                          const char *name, swwae_options *options, int threads,
                          const swwae_dataset *test, swwae_progress_fn progress, void *user) {
    swwae_status status = SWWAE_OK;
    struct folder folder = {0};
    char path[STUDY_PATH], text[16];
    const double start = report_now(), work = parallel_clock();
    snprintf(text, sizeof text, "%d", threads);
    TRY(training_path(path, study, name, NULL));
    TRY(folder_name(&folder, path));
    TRY(swwae_options_set(options, "threads", text));
    TRY(train(&folder, options, progress, user));
    /* a training that was stopped before had about the same share of its processor then */
    const double core =
        threads == 1 ? (parallel_clock() - work) / (report_now() - start + 1e-9) : NAN;
    TRY(measure(result, study, name, &folder, threads, core, test, progress, user));
fail:
    folder_free(&folder);
    return status;
}

swwae_status study_train(struct study *study, const char *name, swwae_options *options,
                         const swwae_dataset *test, struct training_result *result) {
    swwae_status status = SWWAE_OK;
    bool done;
    char path[STUDY_PATH];
    study->training++;
    study->began = report_now();
    TRY(training_read(&done, result, study, name));
    if (!done) {
        TRY(training_path(path, study, name, "config.json"));
        TRY(announce(study, name, access(path, F_OK) == 0));
        TRY(training_run(result, study, name, options, study->options->settings.threads, test,
                         study_watch, study));
        study->finished++;
        study->spent += report_now() - study->began;
    }
    CHECK(isfinite(result->rec), SWWAE_E_ARGUMENT,
          "runs/%s: its decoder was not trained, but this study measures reconstructions", name);
    study->trained += result->seconds;
    TRY(study_check_stop(study));
fail:
    if (status == SWWAE_E_INTERRUPTED) status = study_check_stop(study);
    return status;
}
