/* main.c - the command `swwae`: finds the command, and what the commands share. */
#include "commands.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const struct command {
    const char *name, *summary;
    enum outcome (*run)(int argc, char **argv);
} commands[] = {
    {"train", "train a model, or go on with a stopped run", command_train},
    {"eval", "measure a model: error, reconstruction, confusion matrix", command_eval},
    {"predict", "classify image files", command_predict},
    {"reconstruct", "draw images above what the decoder makes of them", command_reconstruct},
    {"encode", "write what and where of a data set as NumPy files", command_encode},
    {"info", "describe a model, a run or a data set", command_info},
    {"labels", "draw labelled images as an index file", command_labels},
    {"augment", "draw what random changes make of training images", command_augment},
    {"bench", "time a model on this machine, and explain where the time goes", command_bench},
    {"study", "run one of the paper's experiments", command_study},
};
#define COMMANDS (sizeof commands / sizeof *commands)

/* ---- Shared by the commands -------------------------------------------------------------- */

/* "PNG" or "JPEG" where the file begins as such a picture does, else NULL. */
static const char *picture_kind(const char *path) {
    unsigned char start[8] = {0};
    struct stat about;
    if (stat(path, &about) || !S_ISREG(about.st_mode)) return NULL; /* a pipe would hang */
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    size_t n = fread(start, 1, sizeof start, file);
    fclose(file);
    if (n == 8 && memcmp(start, "\x89PNG\r\n\x1a\n", 8) == 0) return "PNG";
    return n >= 3 && memcmp(start, "\xff\xd8\xff", 3) == 0 ? "JPEG" : NULL;
}

/* A folder that is no run: swwae_model_load says so, but not which argument it is. */
static bool plain_folder(const char *path) {
    char inside[4096];
    struct stat about;
    if (stat(path, &about) || !S_ISDIR(about.st_mode)) return false;
    int length = snprintf(inside, sizeof inside, "%s/config.json", path);
    return length > 0 && (size_t)length < sizeof inside && stat(inside, &about) != 0;
}

/* The model could not be loaded: swapped arguments are told as such. */
static enum outcome report_no_model(const struct args *args, const char *path) {
    const char *kind = picture_kind(path);
    bool others = args->operand_count > 1;
    if (kind && others)
        return report_misused(args->command,
                              "%s is a %s picture, expected a model file or a run folder; the "
                              "model comes first",
                              path, kind);
    if (kind)
        return report_failed(
            args->command, "%s is a %s picture, expected a model file or a run folder", path, kind);
    if (others && plain_folder(path))
        return report_misused(args->command, "%s; the model comes first", swwae_last_error());
    return report_library(args->command);
}

bool parse_one_model(struct args *args, int argc, char **argv, enum outcome *outcome) {
    if (!args_parse(args, argc, argv, outcome)) return false;
    if (args->operand_count == 1) return true;
    *outcome =
        report_misused(args->command, "expected one MODEL or RUN, %d found", args->operand_count);
    return false;
}

bool open_model(swwae_model **model, const struct args *args, const char *path,
                enum outcome *outcome) {
    long threads;
    if (!args_number(args, "threads", 0, 256, 0, &threads)) {
        *outcome = OUTCOME_MISUSED;
        return false;
    }
    if (swwae_model_load(model, path) != SWWAE_OK) {
        *outcome = report_no_model(args, path);
        return false;
    }
    if (swwae_model_set_threads(*model, (int)threads) != SWWAE_OK) {
        *outcome = report_library(args->command);
        return false;
    }
    return true;
}

static char *copy_text(const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    return copy ? memcpy(copy, text, size) : NULL;
}

/* The model works on 3 channels and the data, all gray, has one. */
static bool wants_colour(const json_t *model, const swwae_dataset *dataset) {
    const json_t *image = json_object_get(model, "image");
    int channels;
    swwae_dataset_image_size(dataset, &channels, NULL, NULL);
    return channels == 1 && json_integer_value(json_object_get(image, "channels")) == 3;
}

/* The names of data sets, or of folders wherever they are. */
static bool same_name(const char *a, const char *b) {
    size_t m = strlen(a), n = strlen(b);
    while (m && a[m - 1] == '/') m--;
    while (n && b[n - 1] == '/') n--;
    for (; m && n && a[m - 1] == b[n - 1] && a[m - 1] != '/'; m--) n--;
    return (!m || a[m - 1] == '/') && (!n || b[n - 1] == '/');
}

bool open_data(swwae_dataset **dataset, char **name, const char **taken, const struct args *args,
               const swwae_model *model, enum outcome *outcome) {
    static const char *const splits[] = {"train", "test"};
    long pad, test_count;
    int split = args_choice(args, "split", splits, 2, SWWAE_SPLIT_TEST);
    *outcome = OUTCOME_MISUSED;
    if (split < 0 || !args_number(args, "pad", 0, 4096, 0, &pad) ||
        !args_number(args, "test-count", 0, UINT32_MAX, 0, &test_count))
        return false;

    *outcome = OUTCOME_FAILED;
    const char *given = args_value(args, "data");
    json_t *description = NULL;
    if (model && !(description = describe(args, model, NULL))) return false;
    /* "data" is a name, which for a folder is not its path: that is among the options. */
    const bool own = !given && !args_given(args, "test-count");
    const json_t *options = json_object_get(description, "options");
    const char *trained = json_string_value(json_object_get(options, "data"));
    const bool same = trained && (!given || same_name(given, trained));
    if (!given) {
        given = trained;
        if (own) test_count = json_integer_value(json_object_get(options, "test-count"));
    }
    if (!given) given = json_string_value(json_object_get(description, "data"));
    if (!args_given(args, "pad")) pad = json_integer_value(json_object_get(description, "pad"));
    if (!given || !*given) {
        *outcome = report_misused(args->command, "the model does not tell what it was trained on; "
                                                 "give --data NAME|DIR");
    } else if (!(*name = copy_text(given))) {
        report_failed(args->command, "out of memory");
    } else {
        /* of other data without test images all are meant */
        if (!same && !test_count && !args_given(args, "split") &&
            !swwae_dataset_is_there(given, SWWAE_SPLIT_TEST) &&
            swwae_dataset_is_there(given, SWWAE_SPLIT_TRAIN))
            split = SWWAE_SPLIT_TRAIN;
        *taken = splits[split];
        swwae_status status = swwae_dataset_open_held_out(dataset, given, (swwae_split)split,
                                                          (int)pad, (size_t)test_count);
        if (status == SWWAE_OK && same && test_count)
            status = swwae_dataset_check_held_out(*dataset, model);
        if (status == SWWAE_OK && wants_colour(description, *dataset))
            status = swwae_dataset_repeat_gray(*dataset);
        json_decref(description);
        if (status == SWWAE_OK) return true;
        *outcome = status == SWWAE_E_ARGUMENT && args_given(args, "data")
                       ? report_misused(args->command, "%s", swwae_last_error())
                       : report_library(args->command);
        return false; /* the caller frees *name */
    }
    json_decref(description);
    return false;
}

json_t *describe(const struct args *args, const swwae_model *model, const swwae_dataset *dataset) {
    char *text = NULL;
    json_error_t error;
    swwae_status status =
        model ? swwae_model_describe(model, &text) : swwae_dataset_describe(dataset, &text);
    if (status != SWWAE_OK) {
        report_library(args->command);
        return NULL;
    }
    json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    swwae_text_free(text);
    if (!object) report_failed(args->command, "the description is not JSON: %s", error.text);
    return object;
}

json_t *json_text(const char *text) {
    json_t *string = json_string(text);
    if (string) return string;
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    if (!copy) return NULL;
    for (size_t i = 0; i < size; i++) copy[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
    string = json_string(copy);
    free(copy);
    return string;
}

json_t *json_measure(double number) {
    json_t *real = json_real(number); /* NULL for what JSON cannot write */
    return real ? real : json_null();
}

bool print_json(const char *command, json_t *object) {
    char *text = object ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(object);
    if (!text) {
        report_failed(command, "out of memory");
        return false;
    }
    puts(text);
    free(text);
    return true;
}

/* ---- Dispatch ---------------------------------------------------------------------------- */

static void print_usage(FILE *stream) {
    fputs("usage: swwae COMMAND [options]\n\n"
          "Stacked what-where auto-encoders: networks that classify images and rebuild them.\n\n"
          "Commands\n",
          stream);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(stream, "  %-13s %s\n", commands[i].name, commands[i].summary);
    fputs("  help COMMAND  how a command is used\n\n"
          "Options\n"
          "  --help        this text\n"
          "  --version     the version\n\n"
          "Examples\n"
          "  swwae train --data shapes --epochs 2\n"
          "  swwae eval runs/shapes-1\n"
          "  swwae predict runs/shapes-1 image.png\n"
          "  swwae reconstruct runs/shapes-1 --where all\n",
          stream);
}

static const struct command *find_command(const char *name) {
    const char *names[COMMANDS + 1];
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(name, commands[i].name) == 0) return &commands[i];
        names[i] = commands[i].name;
    }
    names[COMMANDS] = "help";
    const char *closest = args_closest(name, names, COMMANDS + 1);
    if (closest)
        report_misused(NULL, "unknown command \"%s\"; did you mean \"%s\"?", name, closest);
    else
        report_misused(NULL, "unknown command \"%s\"", name);
    return NULL;
}

static enum outcome dispatch(int argc, char **argv) {
    if (argc < 2) {
        print_usage(stderr);
        return OUTCOME_MISUSED;
    }
    const char *word = argv[1];
    bool help = strcmp(word, "help") == 0;
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || (help && argc == 2)) {
        print_usage(stdout);
        return OUTCOME_DONE;
    }
    if (strcmp(word, "--version") == 0) {
        printf("swwae %s\n", swwae_version());
        return OUTCOME_DONE;
    }
    if (argc == 3 && help && strcmp(argv[2], "help") == 0) {
        print_usage(stdout);
        return OUTCOME_DONE;
    }
    if (help && argc > 3)
        return report_misused(NULL, "unexpected argument \"%s\"; help takes one command", argv[3]);
    if (!help && *word == '-') return report_misused(NULL, "unknown option %s", word);
    const struct command *command = find_command(help ? argv[2] : word);
    if (!command) return OUTCOME_MISUSED;
    if (help) {
        char option[] = "--help";
        return command->run(2, (char *[]){argv[2], option, NULL});
    }
    return command->run(argc - 1, argv + 1);
}

int main(int argc, char **argv) {
    signal(SIGXFSZ, SIG_IGN); /* a limit on files is told as a full disk is */
    enum outcome outcome = dispatch(argc, argv);
    /* A full disk behind a redirection shows only here. */
    errno = 0;
    if ((fflush(stdout) || ferror(stdout)) && outcome == OUTCOME_DONE)
        return (int)report_failed(NULL, "the output could not be written: %s",
                                  errno ? strerror(errno) : "write error");
    return (int)outcome;
}
