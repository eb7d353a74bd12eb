/* training.c - the trainings of a study: each once, gone on with where it was stopped; see study.h.
 *
 * A training is complete when runs/NAME/test.csv is there: it is written last. */
#include "study/study.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "study/table.h"
#include "train/folder.h"
#include "train/number.h"

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

/* ---- test.csv --------------------------------------------------------------------------- */

static swwae_status read_result(struct training_result *result, const char *path) {
    swwae_status status = SWWAE_OK;
    struct table table = {0};
    TRY(table_read(&table, path));
    *result = (struct training_result){.rec = table_cell(&table, 0, "rec"),
                                       .seconds = table_cell(&table, 0, "seconds")};
    CHECK(isfinite(result->rec) && isfinite(result->seconds), SWWAE_E_FORMAT,
          "%.400s: no numbers rec and seconds; remove the file to measure again", path);
fail:
    table_free(&table);
    return status;
}

static swwae_status write_result(const struct training_result *result, const struct study *study,
                                 const char *name) {
    swwae_status status = SWWAE_OK;
    struct page page = {0};
    char file[STUDY_PATH], rec[NUMBER_TEXT], seconds[NUMBER_TEXT];
    snprintf(file, sizeof file, "runs/%s/test.csv", name);
    TRY(page_begin(&page, study, file));
    fputs("rec,seconds\n", page.to);
    /* exact, so that what is computed from it is the same when it is read back */
    number_print(rec, result->rec);
    number_print(seconds, result->seconds);
    fprintf(page.to, "%s,%s\n", rec, seconds);
    TRY(page_commit(&page));
fail:
    page_abandon(&page);
    return status;
}

/* ---- One training ----------------------------------------------------------------------- */

swwae_status study_load(swwae_model **model, const struct study *study, const char *name) {
    swwae_status status = SWWAE_OK;
    swwae_model *made = NULL;
    char part[STUDY_PATH], path[STUDY_PATH];
    snprintf(part, sizeof part, "runs/%s", name);
    TRY(study_path(path, study, part));
    TRY(swwae_model_load(&made, path));
    TRY(swwae_model_set_threads(made, study->options->settings.threads));
    *model = made;
    made = NULL;
fail:
    swwae_model_free(made);
    return status;
}

static swwae_status measure(struct training_result *result, struct study *study, const char *name,
                            const struct folder *folder, const swwae_dataset *test) {
    swwae_status status = SWWAE_OK;
    swwae_model *model = NULL;
    swwae_evaluation evaluation = {0};
    struct table metrics = {0};
    TRY(study_load(&model, study, name));
    TRY(swwae_evaluate(model, test, study_watch, study, &evaluation));
    CHECK(evaluation.has_rec, SWWAE_E_ARGUMENT,
          "runs/%s: its decoder was not trained, but this study measures reconstructions", name);
    TRY(table_read(&metrics, folder->metrics));
    *result = (struct training_result){.rec = evaluation.rec,
                                       .seconds = table_cell(&metrics, -1, "seconds")};
    TRY(write_result(result, study, name));
fail:
    swwae_evaluation_clear(&evaluation);
    table_free(&metrics);
    swwae_model_free(model);
    return status;
}

/* Trains, or goes on. */
static swwae_status train(struct study *study, const char *name, const struct folder *folder,
                          swwae_options *options) {
    swwae_status status = SWWAE_OK;
    swwae_options *threads = NULL;
    const bool begun = access(folder->checkpoint, F_OK) == 0;
    TRY(announce(study, name, begun));
    if (begun) {
        TRY(swwae_options_create(&threads));
        TRY(swwae_options_set(threads, "threads", swwae_options_get(study->options, "threads")));
        TRY(swwae_resume(folder->path, threads, study_watch, study));
    } else {
        folder_discard(folder); /* of one that was killed before its first checkpoint */
        TRY(swwae_options_set(options, "out", folder->path));
        TRY(swwae_train(options, study_watch, study));
    }
fail:
    swwae_options_free(threads);
    return status;
}

swwae_status study_train(struct study *study, const char *name, swwae_options *options,
                         const swwae_dataset *test, struct training_result *result) {
    swwae_status status = SWWAE_OK;
    struct folder folder = {0};
    char part[STUDY_PATH], path[STUDY_PATH];
    study->training++;
    study->began = report_now();
    snprintf(part, sizeof part, "runs/%s/test.csv", name);
    TRY(study_path(path, study, part));
    if (access(path, F_OK) == 0) {
        TRY(read_result(result, path));
    } else {
        *strrchr(path, '/') = 0;
        TRY(folder_name(&folder, path));
        TRY(train(study, name, &folder, options));
        TRY(measure(result, study, name, &folder, test));
        study->finished++;
        study->spent += report_now() - study->began;
    }
    study->trained += result->seconds;
    TRY(study_check_stop(study));
fail:
    folder_free(&folder);
    if (status == SWWAE_E_INTERRUPTED) status = study_check_stop(study);
    return status;
}
