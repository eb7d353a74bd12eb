/* start.c - training runs: a new one, and going on with one that was stopped or killed at any
 * moment; see trainer.h. */
#include "train/trainer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "train/model_file.h"
#include "train/number.h"
#include "train/recipe.h"
#include "train/recipes.h"
#include "train/run.h"
#include "train/teacher.h"

#define VALIDATION_LEAST 20 /* an error of one of fewer is more than 5 points */

static void tell_about_validation(struct run *run) {
    if (!run->draw.validation_count)
        report_message(&run->reporter,
                       "there is no validation set, so " MODEL_FILE " holds the last model, not "
                       "the best one");
    else if (run->draw.validation_count < VALIDATION_LEAST)
        report_message(&run->reporter,
                       "few images (%zu) choose the best model; --validation N takes more",
                       run->draw.validation_count);
}

static void tell_about_recipe(struct run *run) {
    const int recipe = options_recipe(run->options);
    if (run->settings->recipe != RECIPE_AUTO || !teacher_wanted(run->settings)) return;
    if (recipe == RECIPE_PLUS)
        report_message(&run->reporter,
                       "few labels: trains with changed images, pseudo-labels and what else "
                       "--recipe plus sets; --recipe none: with nothing but what is given");
    if (recipe == RECIPE_PHOTO)
        report_message(&run->reporter,
                       "few labels of images in colour: trains with images mirrored and "
                       "recoloured, pseudo-labels and what else --recipe photo sets; --recipe "
                       "plus: where that changes a class; --recipe none: with nothing but what is "
                       "given");
}

/* The weights of step 0. A run that goes on has them from its checkpoint, so that it needs the
 * model that it began with no more. */
static swwae_status first_weights(struct run *run) {
    swwae_status status = recipe_init(run->model, run->options, &run->reporter);
    if (status == SWWAE_OK && run->optimizer.average)
        memcpy(run->optimizer.average, run->model->parameters,
               run->optimizer.size * sizeof *run->optimizer.average);
    return status;
}

/* The first files but config.json, and the first state: from here on a run can be resumed. */
static swwae_status begin(struct run *run) {
    swwae_status status = SWWAE_OK;
    TRY(folder_write_labels(&run->folder, &run->draw, run->dataset,
                            recipe_label_seed(run->settings)));
    TRY(metrics_create(&run->metrics, run->folder.metrics));
    TRY(run_make_saver(run, false));
    TRY(run_save(run, false));
    TRY(saver_wait(run->saver));
fail:
    return status;
}

static void tell_about_lock(struct run *run) {
    if (!run->folder.lock.held)
        report_message(&run->reporter,
                       "%.300s: this file system has no locks, so nothing keeps a second training "
                       "out of the folder",
                       run->folder.path);
}

/* ---- Going back -------------------------------------------------------------------------- */

#define REWINDS_LIMIT 20 /* a millionth of the rate */

/* After a step that cannot be taken: the run to go on with from its checkpoint. */
struct rewind {
    char *path;     /* its folder, malloc'ed; NULL: training does not go back */
    uint64_t times; /* that it will have gone back */
};

/* A step straight after the checkpoint does not depend on the rate, so that going back would come
 * to the same. */
static void ask_rewind(struct rewind *rewind, struct run *run, swwae_status status) {
    if (status != SWWAE_E_NUMERIC || run->settings->on_nan != ON_NAN_REWIND ||
        run->state.step == run->began || run->state.rewinds >= REWINDS_LIMIT)
        return;
    report_message(&run->reporter, "%s", swwae_last_error());
    rewind->path = strdup(run->folder.path);
    rewind->times = run->state.rewinds + 1;
}

/* ---- Starting and going on --------------------------------------------------------------- */

static swwae_status train_new(struct rewind *rewind, const swwae_options *options,
                              swwae_progress_fn progress, void *user) {
    swwae_status status = SWWAE_OK;
    struct run run = {.reporter = report_begin(progress, user), .start = report_now()};
    bool started = false;
    TRY(options_copy(&run.options, options));
    TRY(folder_check(run.options)); /* before the work of reading data */
    TRY(run_prepare(&run));
    TRY(first_weights(&run));
    TRY(folder_claim(&run.folder, run.options, run.dataset));
    report_message(&run.reporter, "run folder: %s", run.folder.path);
    tell_about_lock(&run);
    TRY(folder_write_config(&run.folder, run.options));
    TRY(begin(&run));
    started = true;
    tell_about_recipe(&run);
    tell_about_validation(&run);
    TRY(run_train(&run));
fail:
    if (status != SWWAE_OK && !started) {
        saver_free(run.saver); /* it still writes */
        run.saver = NULL;
        folder_discard(&run.folder);
    }
    if (started) ask_rewind(rewind, &run, status);
    run_free(&run);
    return status;
}

/* The same text or the same number. */
static bool same_value(const char *a, const char *b) {
    double x, y;
    return !strcmp(a, b) || (number_parse(&x, a) && number_parse(&y, b) && x == y);
}

/* The options of a run as it began. One that its file does not have came later than the run, and
 * has its own default: not what the recipe of now makes of it. */
static swwae_status load_options(swwae_options *options, const char *path) {
    swwae_status status = SWWAE_OK;
    const swwae_option_info *info;
    TRY(swwae_options_load(options, path));
    for (size_t i = 0; (info = swwae_option_info_at(i)); i++)
        if (!options_given(options, info->name))
            TRY(swwae_options_set(options, info->name, info->fallback));
fail:
    return status;
}

/* Takes the options of `more` that may change; the others must be as they are. *changed: any did;
 * *further: the steps to come are others than those the run was on its way to. */
static swwae_status override(swwae_options *options, const swwae_options *more, bool *changed,
                             bool *further) {
    static const char *const free_ones[] = {"threads", "checkpoint-every", "epochs", "steps"};
    swwae_status status = SWWAE_OK;
    const swwae_option_info *info;
    for (size_t i = 0; (info = swwae_option_info_at(i)); i++) {
        const char *name = info->name, *now = swwae_options_get(options, name);
        if (!options_given(more, name)) continue;
        const char *wanted = swwae_options_get(more, name);
        if (same_value(now, wanted)) continue;
        size_t k = 0;
        while (k < 4 && strcmp(name, free_ones[k]) != 0) k++;
        CHECK(k < 4, SWWAE_E_ARGUMENT,
              "option --%s: \"%.200s\" found, but the run has \"%.200s\" and only --epochs, "
              "--steps, --threads and --checkpoint-every may change when it goes on",
              name, wanted, now);
        TRY(swwae_options_set(options, name, wanted));
        *changed = true;
        *further = *further || k >= 2;
    }
    /* steps go before epochs: new epochs replace old steps */
    if (options_given(more, "epochs") && !options_given(more, "steps") && options->settings.steps) {
        TRY(swwae_options_set(options, "steps", "0"));
        *changed = *further = true;
    }
fail:
    return status;
}

static swwae_status write_model(struct run *run) {
    optimizer_swap_average(&run->optimizer, &run->model->parameters);
    swwae_status status = model_write(run->model, run->folder.model, NULL);
    optimizer_swap_average(&run->optimizer, &run->model->parameters);
    return status;
}

/* MODEL_FILE after a kill: written anew where this state is the best one and the run ended just
 * before it. Where it is of no state the run will come to know of (it is missing, or newer than a
 * checkpoint that is gone on from in another way), the next validation chooses anew. */
static swwae_status mend_model(struct run *run, bool further) {
    swwae_status status = SWWAE_OK;
    struct progress_state *state = &run->state;
    struct swwae_model *found = NULL;
    const bool validation = run->draw.validation_count > 0;
    const bool own = validation ? state->best && state->best_step == state->step : state->step > 0;
    if (!own && !state->best) return SWWAE_OK;
    const bool readable = model_read(&found, run->folder.model) == SWWAE_OK;
    const uint64_t step = readable ? found->step : 0;
    model_free(found);
    if (own && !(readable && step == state->step)) {
        TRY(write_model(run));
    } else if (!own &&
               !(readable && (step == state->best_step || (step > state->step && !further)))) {
        state->best = false;
        state->best_score = 0;
        state->best_step = 0;
        report_message(&run->reporter,
                       "%.400s: not the best model of the steps so far, so the next validation "
                       "chooses anew",
                       run->folder.model);
    }
fail:
    return status;
}

/* Takes up the newest state that can be read. */
static swwae_status restore(struct run *run, bool *damaged, bool further) {
    swwae_status status = SWWAE_OK;
    TRY(folder_check_labels(&run->folder, &run->draw, run->dataset,
                            recipe_label_seed(run->settings)));
    TRY(checkpoint_restore(run->model, &run->optimizer, &run->teacher, &run->state,
                           run->folder.checkpoint, run->folder.previous, damaged));
    if (*damaged)
        report_message(&run->reporter, "%.700s; going on from step %llu, the checkpoint before it",
                       swwae_last_error(), (unsigned long long)run->state.step);
    TRY(mend_model(run, further));
fail:
    return status;
}

/* Goes on from where the run was. */
static swwae_status go_on(struct run *run, bool changed, bool further, uint64_t rewinds) {
    swwae_status status = SWWAE_OK;
    bool damaged;
    TRY(restore(run, &damaged, further));
    if (changed) TRY(folder_write_config(&run->folder, run->options));
    if (run->state.step > run->steps) run->steps = run->state.step; /* fewer were asked for */
    if (run->state.step == run->steps && run->state.row_step == run->state.step) {
        run_tell(run, false, false); /* how far it came, and its best */
        report_message(&run->reporter,
                       "%.300s is complete with its %llu steps; ask for more --%s to go on",
                       run->folder.path, (unsigned long long)run->state.step,
                       run->settings->steps > 0 ? "steps" : "epochs");
        return SWWAE_OK;
    }
    TRY(metrics_resume(&run->metrics, run->folder.metrics, run->state.row_step));
    TRY(run_make_saver(run, damaged));
    if (rewinds) {
        run->state.rewinds = rewinds;
        TRY(run_save(run, false));
        report_message(&run->reporter, "going back to step %llu with a rate of %g",
                       (unsigned long long)run->state.step, run_rate(run, run->state.step));
    } else {
        tell_about_validation(run);
    }
    TRY(run_train(run));
fail:
    return status;
}

/* A run that was killed before its first state was on disk: from its beginning. */
static swwae_status begin_again(struct run *run, bool changed) {
    swwae_status status = SWWAE_OK;
    CHECK(access(run->folder.model, F_OK), SWWAE_E_IO,
          "%.400s: cannot be opened (%s), though the folder holds a model; start a new run",
          run->folder.checkpoint, strerror(ENOENT));
    if (changed) TRY(folder_write_config(&run->folder, run->options));
    TRY(first_weights(run));
    TRY(begin(run));
    tell_about_validation(run);
    TRY(run_train(run));
fail:
    return status;
}

static swwae_status resume(struct rewind *rewind, const char *path, const swwae_options *more,
                           swwae_progress_fn progress, void *user) {
    swwae_status status = SWWAE_OK;
    struct run run = {.reporter = report_begin(progress, user), .start = report_now()};
    bool changed = false, further = rewind->times > 0, trained = false;
    struct stat about;
    CHECK(stat(path, &about) || S_ISDIR(about.st_mode), SWWAE_E_IO,
          "%.400s: a file found, expected the folder of a run (the one with " CHECKPOINT_FILE
          " and config.json)",
          path);
    TRY(folder_name(&run.folder, path));
    TRY(swwae_options_create(&run.options));
    TRY(load_options(run.options, run.folder.config));
    TRY(folder_lock(&run.folder));
    tell_about_lock(&run);
    TRY(load_options(run.options, run.folder.config)); /* as it is under the lock */
    if (more) TRY(override(run.options, more, &changed, &further));
    run.resumed = folder_begun(&run.folder);
    TRY(run_prepare(&run));
    trained = true;
    TRY(run.resumed ? go_on(&run, changed, further, rewind->times) : begin_again(&run, changed));
fail:
    *rewind = (struct rewind){0};
    if (trained) ask_rewind(rewind, &run, status);
    run_free(&run);
    return status;
}

/* Goes back as often as is asked for. */
static swwae_status rewind_on(struct rewind *rewind, swwae_status status,
                              swwae_progress_fn progress, void *user) {
    while (rewind->path) {
        char *path = rewind->path;
        status = resume(rewind, path, NULL, progress, user);
        free(path);
    }
    return status;
}

swwae_status trainer_train(const swwae_options *options, swwae_progress_fn progress, void *user) {
    struct rewind rewind = {0};
    const swwae_status status = train_new(&rewind, options, progress, user);
    return rewind_on(&rewind, status, progress, user);
}

swwae_status trainer_resume(const char *path, const swwae_options *more, swwae_progress_fn progress,
                            void *user) {
    struct rewind rewind = {0};
    const swwae_status status = resume(&rewind, path, more, progress, user);
    return rewind_on(&rewind, status, progress, user);
}
