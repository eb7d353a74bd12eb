/* cmd_study.c - `swwae study`: the paper's experiments, as the library knows them. */
#include "commands.h"
#include "progress.h"
#include "stop.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char about[] =
    "Runs one of the paper's experiments and leaves its tables, plots and a page of Markdown in a "
    "folder. Ctrl-C stops and saves; the same command goes on. Without a name: lists the studies.";
#define OPTIONS 128
#define SEEDS_MOST 1000
#define JOBS_MOST 256

static const struct arg own[] = {
    {.name = "quick", .help = "minutes instead of hours: fewer images, seeds and epochs"},
    {.name = "seeds",
     .argument = "N",
     .help = "trainings of each kind, with the seeds from --seed on"},
    {.name = "jobs",
     .argument = "N",
     .fallback = "one for each processor",
     .help = "trainings side by side, each with one thread (mnist, lambda, ablation)"},
    {.name = "rows",
     .argument = "NAME[,NAME...]",
     .fallback = "all",
     .help =
         "rows of the table to train now (mnist, lambda, ablation); the others stay as they are"},
    {.name = "counts",
     .argument = "N|all[,N...]",
     .fallback = "the study's",
     .help = "numbers of labels to train now (mnist, lambda, ablation)"},
    {.name = "out",
     .argument = "DIR",
     .fallback = "studies/NAME[-DATA][-quick]",
     .help = "the study's folder"},
    {.name = "quiet", .help = "no progress: only the result and errors"},
    {.help = "Options of its trainings; what is not given takes the study's own value"},
};
#define OWN (sizeof own / sizeof *own)

static const swwae_study_info *info_of(const char *name) {
    const swwae_study_info *info;
    for (size_t i = 0; name && (info = swwae_study_info_at(i)); i++)
        if (strcmp(info->name, name) == 0) return info;
    return NULL;
}

static void list_studies(FILE *to) {
    const swwae_study_info *info;
    for (size_t i = 0; (info = swwae_study_info_at(i)); i++)
        fprintf(to, "  %-13s %s\n", info->name, info->help);
}

static enum outcome unknown(const char *command, const char *name) {
    const char *names[32];
    const swwae_study_info *info;
    size_t count = 0;
    for (size_t i = 0; (info = swwae_study_info_at(i)) && count < 32; i++)
        names[count++] = info->name;
    const char *closest = args_closest(name, names, count);
    if (closest)
        return report_misused(command, "there is no study \"%s\"; did you mean \"%s\"?", name,
                              closest);
    return report_misused(command, "there is no study \"%s\"; `swwae study` lists them", name);
}

/* ---- Options ----------------------------------------------------------------------------- */

/* options[OPTIONS]: the command's, then the trainings' without the defaults of `swwae train`, which
 * a study replaces. Returns how many. */
static size_t list_options(struct arg *options) {
    const swwae_option_info *info;
    size_t count = OWN;
    memcpy(options, own, sizeof own);
    for (size_t i = 0; (info = swwae_option_info_at(i)) && count < OPTIONS; i++)
        if (strcmp(info->name, "out") != 0)
            options[count++] =
                (struct arg){.name = info->name, .argument = info->argument, .help = info->help};
    return count;
}

static bool set_options(swwae_options *options, const struct args *args) {
    for (size_t i = OWN; i < args->option_count; i++) {
        const struct arg *option = &args->options[i];
        if (!option->value) continue;
        if (swwae_options_set(options, option->name, option->value) == SWWAE_OK) continue;
        report_misused(args->command, "%s", swwae_last_error());
        return false;
    }
    return true;
}

/* ---- Running ----------------------------------------------------------------------------- */

struct showing {
    struct progress progress;
    bool quiet, stopping;
};

static int on_progress(const swwae_progress *event, void *user) {
    struct showing *showing = user;
    progress_show(&showing->progress, event);
    /* The next training has its own best: what was shown of the last one is forgotten. */
    if (event->message && strncmp(event->message, "training ", 9) == 0) {
        progress_clear(&showing->progress);
        progress_begin(&showing->progress, showing->quiet);
    }
    if (stop_asked() && !showing->stopping) {
        progress_say(&showing->progress, "stopping and saving; Ctrl-C again ends at once");
        showing->stopping = true;
    }
    return stop_asked();
}

static enum outcome finish(const struct args *args, swwae_status status, const char *folder,
                           double seconds) {
    char time[32], plain[1024];
    if (status == SWWAE_E_INTERRUPTED) {
        fputs("stopped; the same command goes on\n", stderr);
        return OUTCOME_FAILED;
    }
    if (status == SWWAE_E_ARGUMENT || status == SWWAE_E_NOTATION)
        return report_misused(args->command, "%s", swwae_last_error());
    if (status != SWWAE_OK) return report_library(args->command);
    printf("page   %s/study.md\n", plain_text(plain, sizeof plain, folder));
    printf("time   %s\n", duration_text(time, seconds));
    return OUTCOME_DONE;
}

/* "studies/mnist", "studies/mnist-shapes-quick": a folder for each data set that is asked for. */
static void name_folder(char *folder, size_t size, const char *name, const char *data, bool quick) {
    size_t end = data ? strlen(data) : 0;
    while (end && data[end - 1] == '/') end--;
    size_t start = end;
    while (start && data[start - 1] != '/') start--;
    const bool other =
        end > start && data[start] != '.' &&
        (strlen(name) != end - start || memcmp(name, data + start, end - start) != 0);
    snprintf(folder, size, "studies/%s%s%.*s%s", name, other ? "-" : "",
             other ? (int)(end - start) : 0, other ? data + start : "", quick ? "-quick" : "");
}

static enum outcome run(const struct args *args, const char *name) {
    enum outcome outcome = OUTCOME_MISUSED;
    struct showing showing = {.quiet = args_given(args, "quiet")};
    swwae_options *options = NULL;
    char folder[1024];
    long seeds, jobs;
    const bool quick = args_given(args, "quick");
    if (!args_number(args, "seeds", 1, SEEDS_MOST, 0, &seeds) ||
        !args_number(args, "jobs", 1, JOBS_MOST, 0, &jobs))
        return OUTCOME_MISUSED;
    if (swwae_options_create(&options) != SWWAE_OK) return report_library(args->command);
    if (!set_options(options, args)) goto done;
    const char *out = args_value(args, "out");
    if (out)
        snprintf(folder, sizeof folder, "%s", out);
    else
        name_folder(folder, sizeof folder, name, args_value(args, "data"), quick);
    stop_catch();
    progress_begin(&showing.progress, showing.quiet);
    const double start = clock_seconds();
    const swwae_study_settings settings = {.seeds = (int)seeds,
                                           .quick = quick,
                                           .jobs = (int)jobs,
                                           .rows = args_value(args, "rows"),
                                           .counts = args_value(args, "counts"),
                                           .folder = folder};
    swwae_status status = swwae_study(name, options, &settings, on_progress, &showing);
    progress_clear(&showing.progress);
    outcome = finish(args, status, folder, clock_seconds() - start);
done:
    swwae_options_free(options);
    return outcome;
}

/* The help is the study's own where the first word names one. */
enum outcome command_study(int argc, char **argv) {
    struct arg table[OPTIONS];
    const swwae_study_info *info = argc > 1 ? info_of(argv[1]) : NULL;
    const char *word = info ? info->name : "where";
    char usage[128], text[2048], examples[512];
    snprintf(usage, sizeof usage, "study %s [options]\n%s", info ? info->name : "NAME",
             info ? "" : "study\n");
    snprintf(text, sizeof text, "%s", info ? info->about : about);
    snprintf(examples, sizeof examples,
             "  swwae study %s --quick                    a first look\n"
             "  swwae study %s --data shapes --quick      needs no files\n"
             "  swwae study %s --data mnist --seeds 3 --out studies/mnist-%s\n",
             word, word, word, word);
    struct args args = {.command = argv[0],
                        .usage = usage,
                        .about = text,
                        .examples = examples,
                        .options = table,
                        .option_count = list_options(table)};
    enum outcome outcome;
    if (!args_parse(&args, argc, argv, &outcome)) return outcome;
    if (args.operand_count > 1)
        return report_misused(args.command, "unexpected argument \"%s\"", args.operands[1]);
    if (args.operand_count) {
        info = info_of(args.operands[0]);
        return info ? run(&args, info->name) : unknown(args.command, args.operands[0]);
    }
    if (argc > 1) return report_misused(args.command, "the name of a study is missing");
    puts("The paper's experiments\n");
    list_studies(stdout);
    puts("\nswwae study NAME --help tells what one does.");
    return OUTCOME_DONE;
}
