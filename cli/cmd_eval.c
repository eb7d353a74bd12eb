/* cmd_eval.c - `swwae eval`: how well a model classifies and rebuilds a data set. */
#include "commands.h"
#include "progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MATRIX_CLASSES 20 /* larger confusion matrices are left to --json */
#define MATRIX_WIDTH 80
#define NAME 64

static const char usage[] = "eval MODEL|RUN [options]\n";
static const char about[] =
    "Measures a model (a .safetensors file, or the best model of a run folder) on the test images "
    "of the data it was trained on, or on other data.";
static const char examples[] = "  swwae eval runs/shapes-1\n"
                               "  swwae eval runs/mnist-1 --split train\n"
                               "  swwae eval model.safetensors --data mnist --pad 32 --json\n";

/* Whether the data's classes are other ones than the model's, so that its error means little; note
 * says which. */
static bool other_classes(char *note, size_t size, const swwae_model *model,
                          const swwae_dataset *dataset) {
    static const char start[] = "note: the data's classes are not the model's:";
    int in_data = swwae_dataset_classes(dataset), in_model = swwae_model_classes(model);
    if (!in_data || !in_model) return false;
    if (in_data != in_model) {
        snprintf(note, size, "%s %d in the data, %d in the model", start, in_data, in_model);
        return true;
    }
    for (int k = 0; k < in_model; k++) {
        const char *data = swwae_dataset_class_name(dataset, k);
        const char *own = swwae_model_class_name(model, k);
        if (!data || !own || strcmp(data, own) == 0) continue;
        snprintf(note, size, "%s class %d is \"%s\" in the data, \"%s\" in the model", start, k,
                 data, own);
        return true;
    }
    return false;
}

/* ---- Text -------------------------------------------------------------------------------- */

static void print_padded(const char *text, int width, bool right) {
    int space = width - text_width(text);
    if (space < 0) space = 0;
    if (right)
        printf("%*s%s", space, "", text);
    else
        printf("%s%*s", text, space, "");
}

/* Rows carry class names; columns too where that stays narrow, else the classes' numbers. */
static void print_confusion(const swwae_evaluation *evaluation, const swwae_model *model) {
    char names[MATRIX_CLASSES][NAME], number[32];
    int classes = evaluation->classes, widest = 0, digits = 1;
    for (int k = 0; k < classes; k++) {
        const char *name = swwae_model_class_name(model, k);
        plain_text(names[k], NAME, name ? name : "");
        if (text_width(names[k]) > widest) widest = text_width(names[k]);
    }
    for (int i = 0; i < classes * classes; i++) {
        int length = snprintf(NULL, 0, "%llu", (unsigned long long)evaluation->confusion[i]);
        if (length > digits) digits = length;
    }
    int column = (widest > digits ? widest : digits) + 2;
    bool named = widest + classes * column <= MATRIX_WIDTH;
    if (!named) column = (digits > 2 ? digits : 2) + 1;

    puts("\nconfusion matrix: rows are the truth, columns the model's answer");
    printf("%*s", widest + (named ? 0 : 4), "");
    for (int k = 0; k < classes; k++) {
        snprintf(number, sizeof number, "%d", k);
        print_padded(named ? names[k] : number, column, true);
    }
    putchar('\n');
    for (int truth = 0; truth < classes; truth++) {
        if (!named) printf("%2d  ", truth);
        print_padded(names[truth], widest, false);
        for (int answer = 0; answer < classes; answer++) {
            uint64_t count = evaluation->confusion[truth * classes + answer];
            snprintf(number, sizeof number, "%llu", (unsigned long long)count);
            print_padded(count ? number : ".", column, true);
        }
        putchar('\n');
    }
}

static uint64_t count_wrong(const swwae_evaluation *evaluation) {
    uint64_t wrong = 0;
    for (int i = 0; i < evaluation->classes * evaluation->classes; i++)
        if (i / evaluation->classes != i % evaluation->classes) wrong += evaluation->confusion[i];
    return wrong;
}

static double rate(const swwae_evaluation *evaluation) {
    return evaluation->seconds > 0 ? (double)evaluation->images / evaluation->seconds : 0;
}

static void print_text(const swwae_evaluation *evaluation, const swwae_model *model,
                       const char *path, const char *data, const char *split, const char *note) {
    char plain[1024];
    printf("model    %s\n", plain_text(plain, sizeof plain, path));
    printf("data     %s, %s images: %zu\n", plain_text(plain, sizeof plain, data), split,
           evaluation->images);
    if (evaluation->has_error) {
        printf("error    %.2f %% (%llu of %zu)\n", evaluation->error,
               (unsigned long long)count_wrong(evaluation), evaluation->labelled);
        printf("nll      %.6g nats\n", evaluation->nll);
    } else if (!evaluation->classes) {
        puts("error    not measured: the model has no classes");
    } else {
        puts("error    not measured: the data has no labels, or the model was trained without");
    }
    if (evaluation->has_rec)
        printf("rec      %.6g mean squared error per pixel\n", evaluation->rec);
    else
        puts("rec      not measured: the decoder was not trained (lambda-rec 0, or lambda-m 0 "
             "layerwise)");
    printf("time     %.2f s, %.0f images/s\n", evaluation->seconds, rate(evaluation));
    if (*note) puts(plain_text(plain, sizeof plain, note));
    if (!evaluation->has_error) return;
    if (evaluation->classes <= MATRIX_CLASSES)
        print_confusion(evaluation, model);
    else
        printf("\nconfusion matrix of %d classes: with --json\n", evaluation->classes);
}

/* ---- JSON -------------------------------------------------------------------------------- */

static json_t *matrix_of(const swwae_evaluation *evaluation) {
    if (!evaluation->has_error) return json_null();
    json_t *rows = json_array();
    for (int truth = 0; truth < evaluation->classes; truth++) {
        const uint64_t *counts =
            evaluation->confusion + (size_t)truth * (size_t)evaluation->classes;
        json_t *row = json_array();
        for (int answer = 0; answer < evaluation->classes; answer++)
            json_array_append_new(row, json_integer((json_int_t)counts[answer]));
        json_array_append_new(rows, row);
    }
    return rows;
}

static json_t *json_of(const swwae_evaluation *evaluation, const swwae_model *model) {
    bool labels = evaluation->has_error;
    json_t *names = json_array();
    for (int k = 0; k < evaluation->classes; k++) {
        const char *name = swwae_model_class_name(model, k);
        json_array_append_new(names, json_text(name ? name : ""));
    }
    return json_pack("{s:I, s:I, s:o, s:o, s:o, s:f, s:f, s:o, s:o}", "images",
                     (json_int_t)evaluation->images, "labelled", (json_int_t)evaluation->labelled,
                     "error", labels ? json_measure(evaluation->error) : json_null(), "nll",
                     labels ? json_measure(evaluation->nll) : json_null(), "rec",
                     evaluation->has_rec ? json_measure(evaluation->rec) : json_null(), "seconds",
                     evaluation->seconds, "images_per_second", rate(evaluation), "classes", names,
                     "confusion", matrix_of(evaluation));
}

/* ---- Command ----------------------------------------------------------------------------- */

static int on_progress(const swwae_progress *event, void *user) {
    progress_show(user, event);
    return 0;
}

enum outcome command_eval(int argc, char **argv) {
    struct arg table[] = {
        DATA_ARGS,
        {.name = "json", .help = "print one JSON object"},
        {.name = "threads", .argument = "N", .fallback = "0", .help = "0: one per processor"},
        {.name = "quiet", .help = "no progress: only the result and errors"},
    };
    struct args args = {.command = argv[0],
                        .usage = usage,
                        .about = about,
                        .examples = examples,
                        .options = table,
                        .option_count = sizeof table / sizeof *table};
    enum outcome outcome;
    swwae_model *model = NULL;
    swwae_dataset *dataset = NULL;
    char *data = NULL;
    const char *split;
    struct progress progress;
    swwae_evaluation evaluation = {0};
    if (!parse_one_model(&args, argc, argv, &outcome)) return outcome;
    if (!open_model(&model, &args, args.operands[0], &outcome) ||
        !open_data(&dataset, &data, &split, &args, model, &outcome))
        goto done;

    char note[512] = "";
    bool json = args_given(&args, "json");
    progress_begin(&progress, args_given(&args, "quiet"));
    /* Part of the text; beside the JSON. */
    if (other_classes(note, sizeof note, model, dataset) && json) progress_say(&progress, note);
    swwae_status status = swwae_evaluate(model, dataset, on_progress, &progress, &evaluation);
    progress_clear(&progress);
    outcome = OUTCOME_DONE;
    if (status != SWWAE_OK)
        outcome = report_library(args.command);
    else if (!json)
        print_text(&evaluation, model, args.operands[0], data, split, note);
    else if (!print_json(args.command, json_of(&evaluation, model)))
        outcome = OUTCOME_FAILED;
done:
    swwae_evaluation_clear(&evaluation);
    swwae_dataset_free(dataset);
    swwae_model_free(model);
    free(data);
    return outcome;
}
