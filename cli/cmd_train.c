/* cmd_train.c - `swwae train`: trains a model as its options say, or goes on with a stopped run.
 *
 * The options, their defaults and their help are the library's; this file groups them, shows
 * progress, and turns the first Ctrl-C into a stop that can be resumed. */
#include "commands.h"
#include "options.h"
#include "progress.h"
#include "stop.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] = "train [options]\n"
                            "train --resume RUN [--epochs X] [--steps N] [--threads N]\n";
static const char about[] =
    "Trains a stacked what-where auto-encoder. Leaves a run folder with the best model "
    "(model.safetensors), what is needed to resume (checkpoint.safetensors), the options "
    "(config.json) and every measurement (metrics.csv). Ctrl-C stops and saves.";
static const char examples[] =
    "  swwae train --data shapes --epochs 2                 needs no files\n"
    "  swwae train --data mnist --pad 32 --labels 100       100 labels, the rest without\n"
    "  swwae train --data mnist --pad 32 --labels 100 --recipe none --lambda-m 0.2\n"
    "                                                       the same with nothing but the loss\n"
    "  swwae train --arch '(16)5c-(32)3c-2p' --labels none  no classes: an auto-encoder\n"
    "  swwae train --config runs/shapes-1/config.json --out runs/again --seed 2\n"
    "  swwae train --resume runs/shapes-1 --epochs 20       longer than first asked\n";

/* Which heading of the help an option of the library stands under; others follow at the end. */
static const struct group {
    const char *heading;
    const char *names[14];
} groups[] = {
    {"Data",
     {"data", "pad", "contrast", "labels", "label-file", "label-seed", "validation", "test-count"}},
    {"Model", {"arch", "beta", "unpool", "decoder-top", "tied", "norm", "output"}},
    {"Objective", {"lambda-nll", "lambda-rec", "lambda-m", "rec-layers", "lambda-l1", "reduction"}},
    {"Regularisation",
     {"dropout", "dropout-conv", "noise", "where-noise", "augment", "augment-images",
      "augment-border", "augment-strength", "average"}},
    {"Agreement of unlabelled images",
     {"pseudo-labels", "pseudo-weight", "balance", "consistency", "teacher-augment",
      "agreement-ramp"}},
    {"Training",
     {"recipe", "init-from", "freeze", "epochs", "steps", "batch", "labelled-share", "optimizer",
      "lr", "momentum", "weight-decay", "clip-norm", "on-nan"}},
    {"Learning rate schedule", {"schedule", "lr-step-every", "lr-step-factor"}},
    {"Run", {"out", "seed", "threads", "precision", "checkpoint-every"}},
};
#define GROUPS (sizeof groups / sizeof *groups)

static const struct arg own[] = {
    {.name = "config",
     .argument = "FILE",
     .help = "take options from a JSON file, such as the "
             "config.json of a run; those given here win"},
    {.name = "resume",
     .argument = "RUN",
     .help = "go on with a stopped run as if it had not "
             "stopped; with --epochs or --steps, for longer (--threads and --checkpoint-every may "
             "change too)"},
    {.name = "quiet", .help = "no progress: only the result and errors"},
    {.name = "json", .help = "print JSON lines: one for each validation, one at the end"},
};
#define OWN (sizeof own / sizeof *own)
#define OPTIONS 128

/* ---- The table of options ---------------------------------------------------------------- */

static bool in_group(const struct group *group, const char *name) {
    for (size_t i = 0; i < sizeof group->names / sizeof *group->names && group->names[i]; i++)
        if (strcmp(group->names[i], name) == 0) return true;
    return false;
}

/* options[OPTIONS]. Returns how many. */
static size_t list_options(struct arg *options) {
    const swwae_option_info *info;
    size_t count = 0, heading;
    for (size_t g = 0; g < GROUPS; g++) {
        options[count++] = (struct arg){.help = groups[g].heading};
        for (size_t i = 0; i < sizeof groups[g].names / sizeof *groups[g].names; i++)
            if (groups[g].names[i] && (info = option_info_of(groups[g].names[i])))
                options[count++] = option_arg(info);
    }
    memcpy(options + count, own, sizeof own);
    count += OWN;
    heading = count++;
    options[heading] = (struct arg){.help = "Others"};
    for (size_t i = 0; (info = swwae_option_info_at(i)) && count < OPTIONS; i++) {
        bool placed = false;
        for (size_t g = 0; g < GROUPS; g++) placed = placed || in_group(&groups[g], info->name);
        if (!placed) options[count++] = option_arg(info);
    }
    return count == heading + 1 ? heading : count;
}

/* ---- Progress ---------------------------------------------------------------------------- */

struct training {
    struct progress progress;
    char *run; /* the run folder; NULL until known */
    uint64_t step;
    double epoch;
    bool json, stopping;
    bool tests; /* the data has test images, or some are held out */
    bool few;   /* labels: --recipe auto follows plus */
};

static void keep_run(struct training *training, const char *path) {
    size_t size = strlen(path) + 1;
    char *copy = malloc(size);
    if (!copy) return;
    free(training->run);
    training->run = memcpy(copy, path, size);
}

static void print_validation(const swwae_progress *event) {
    print_json("train",
               json_pack("{s:s, s:I, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:f}", "event",
                         "validation", "step", (json_int_t)event->step, "epoch", event->epoch,
                         "loss", json_measure(event->loss), "nll", json_measure(event->nll), "rec",
                         json_measure(event->rec), "m", json_measure(event->m), "validation_error",
                         json_measure(event->validation_error), "validation_rec",
                         json_measure(event->validation_rec), "confident",
                         json_measure(event->confident), "best", (int)event->best,
                         "images_per_second", event->images_per_second));
    fflush(stdout);
}

static int on_progress(const swwae_progress *event, void *user) {
    static const char folder[] = "run folder: ";
    struct training *training = user;
    if (event->message && strncmp(event->message, folder, sizeof folder - 1) == 0)
        keep_run(training, event->message + sizeof folder - 1);
    if (event->message && strncmp(event->message, "few labels: ", 12) == 0) training->few = true;
    if (event->epochs > 0) {
        training->step = event->step;
        training->epoch = event->epoch;
    }
    progress_show(&training->progress, event);
    if (event->validated && training->json) {
        progress_clear(&training->progress);
        print_validation(event);
    }
    if (stop_asked() && !training->stopping) {
        progress_say(&training->progress, "stopping and saving; Ctrl-C again ends at once");
        training->stopping = true;
    }
    return stop_asked();
}

/* ---- Results ----------------------------------------------------------------------------- */

static bool print_end_json(const struct training *training, swwae_status status, double seconds) {
    const struct progress *progress = &training->progress;
    bool best = !isnan(progress->best_error) || !isnan(progress->best_rec);
    return print_json(
        "train", json_pack("{s:s, s:s, s:o, s:I, s:f, s:f, s:o, s:o, s:o}", "event", "end",
                           "outcome", status == SWWAE_OK ? "finished" : "stopped", "run",
                           training->run ? json_text(training->run) : json_null(), "step",
                           (json_int_t)training->step, "epoch", training->epoch, "seconds", seconds,
                           "best_epoch", best ? json_real(progress->best_epoch) : json_null(),
                           "best_validation_error", json_measure(progress->best_error),
                           "best_validation_rec", json_measure(progress->best_rec)));
}

static void print_end(const struct training *training, double seconds) {
    const struct progress *progress = &training->progress;
    char time[32], plain[1024], word[1024];
    if (training->run) printf("run    %s\n", plain_text(plain, sizeof plain, training->run));
    if (!isnan(progress->best_error))
        printf("best   validation error %.2f %%, at epoch %.4g\n", progress->best_error,
               progress->best_epoch);
    else if (!isnan(progress->best_rec))
        printf("best   validation rec %.4g (mean squared error per pixel), at epoch %.4g\n",
               progress->best_rec, progress->best_epoch);
    printf("time   %s\n", duration_text(time, seconds));
    if (!training->run || progress->quiet) return;
    shell_word(word, sizeof word, training->run);
    const char *split = training->tests ? "" : " --split train";
    printf("next   swwae eval %s%s\n", word, split);
    if (!isnan(progress->rec)) /* there is a trained decoder */
        printf("       swwae reconstruct %s --where all%s\n", word, split);
    printf("       swwae info %s\n", word);
    if (!training->tests)
        puts("hint   the data has no test images: --test-count N of a training holds some of its "
             "images out");
    if (training->few)
        puts("hint   few labels: --recipe photo does better on photographs, clothes and what else "
             "may be mirrored");
}

static enum outcome finish(struct training *training, const struct args *args, swwae_status status,
                           double seconds) {
    enum outcome outcome = OUTCOME_DONE;
    char word[1024];
    progress_clear(&training->progress);
    if (status == SWWAE_OK && !training->json)
        print_end(training, seconds);
    else if (status == SWWAE_E_INTERRUPTED && training->run)
        fprintf(stderr, "stopped; resume with: swwae train --resume %s\n",
                shell_word(word, sizeof word, training->run));
    else if (status == SWWAE_E_INTERRUPTED)
        fputs("stopped\n", stderr);
    else if (status == SWWAE_E_ARGUMENT || status == SWWAE_E_NOTATION)
        outcome = report_misused(args->command, "%s", swwae_last_error());
    else if (status != SWWAE_OK)
        outcome = report_library(args->command);
    bool ended = status == SWWAE_OK || status == SWWAE_E_INTERRUPTED;
    if (training->json && ended && !print_end_json(training, status, seconds))
        outcome = OUTCOME_FAILED;
    if (status == SWWAE_E_INTERRUPTED) outcome = OUTCOME_FAILED;
    return outcome;
}

/* ---- Options ----------------------------------------------------------------------------- */

static bool check_resume(const struct args *args, enum outcome *outcome) {
    static const char *const allowed[] = {"epochs", "steps", "threads", "checkpoint-every",
                                          "resume", "quiet", "json"};
    for (size_t i = 0; i < args->option_count; i++) {
        const struct arg *option = &args->options[i];
        bool fits = !option->name || !option->value;
        for (size_t k = 0; !fits && k < sizeof allowed / sizeof *allowed; k++)
            fits = strcmp(option->name, allowed[k]) == 0;
        if (fits) continue;
        *outcome = report_misused(args->command,
                                  "--%s and --resume exclude each other: a run goes on with its "
                                  "own options, only --epochs, --steps, --threads and "
                                  "--checkpoint-every may change",
                                  option->name);
        return false;
    }
    return true;
}

static bool have_tests(const swwae_options *options) {
    return strcmp(swwae_options_get(options, "test-count"), "0") != 0 ||
           swwae_dataset_is_there(swwae_options_get(options, "data"), SWWAE_SPLIT_TEST);
}

/* True where its options cannot be read. */
static bool run_has_tests(const char *run) {
    char path[1024];
    swwae_options *options = NULL;
    snprintf(path, sizeof path, "%s/config.json", run);
    bool tests = swwae_options_create(&options) != SWWAE_OK ||
                 swwae_options_load(options, path) != SWWAE_OK || have_tests(options);
    swwae_options_free(options);
    return tests;
}

enum outcome command_train(int argc, char **argv) {
    struct arg table[OPTIONS];
    struct args args = {.command = argv[0],
                        .usage = usage,
                        .about = about,
                        .examples = examples,
                        .options = table,
                        .option_count = list_options(table)};
    struct training training = {0};
    swwae_options *options = NULL;
    enum outcome outcome = OUTCOME_FAILED;
    if (!args_parse(&args, argc, argv, &outcome)) return outcome;
    if (args.operand_count)
        return report_misused(args.command, "unexpected argument \"%s\"; data is named by --data",
                              args.operands[0]);
    const char *resume = args_value(&args, "resume"), *out = args_value(&args, "out");
    if (resume && !check_resume(&args, &outcome)) return outcome;
    if (swwae_options_create(&options) != SWWAE_OK) return report_library(args.command);
    if (!options_take(options, &args, &outcome)) goto done;

    stop_catch();
    training.tests = resume ? run_has_tests(resume) : have_tests(options);
    training.json = args_given(&args, "json");
    progress_begin(&training.progress, args_given(&args, "quiet"));
    double start = clock_seconds();
    swwae_status status = resume ? swwae_resume(resume, options, on_progress, &training)
                                 : swwae_train(options, on_progress, &training);
    /* Where the run is, should the library not have told. */
    if (!training.run && resume) keep_run(&training, resume);
    bool saved = status == SWWAE_OK || status == SWWAE_E_INTERRUPTED;
    if (!training.run && out && saved && strcmp(out, "auto") != 0) keep_run(&training, out);
    outcome = finish(&training, &args, status, clock_seconds() - start);
done:
    swwae_options_free(options);
    free(training.run);
    return outcome;
}
