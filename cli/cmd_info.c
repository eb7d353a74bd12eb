/* cmd_info.c - `swwae info`: what is in a model, a run folder or a data set, and what memory a
 * training would take. */
#include "commands.h"
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LABEL 12 /* width of the labels on the left */

static const char usage[] = "info MODEL|RUN [--json]\n"
                            "info --data NAME|DIR [options]\n"
                            "info --config FILE|--arch NOTATION|... [--json]\n";
static const char about[] =
    "Describes a model: layers, output shapes, parameters, floating-point operations, memory, "
    "the shapes of what and where, classes, and the options it was trained with; of a run also the "
    "memory that its training takes. Or describes a data set. Or predicts, with --config or any "
    "option of swwae train, the memory of that training: its data is read, nothing is trained.";
static const char examples[] = "  swwae info runs/shapes-1\n"
                               "  swwae info model.safetensors --json\n"
                               "  swwae info --data mnist --pad 32\n"
                               "  swwae info --data mnist --arch '(64)5c-2p-10fc' --batch 512\n";

/* ---- Values as text: missing or odd ones are "-" ------------------------------------------- */

#define TEXT 512

/* A number or a word; anything else as JSON. */
static void scalar_text(char *text, const json_t *value) {
    if (json_is_string(value)) {
        plain_text(text, TEXT, json_string_value(value));
    } else if (json_is_integer(value)) {
        snprintf(text, TEXT, "%lld", (long long)json_integer_value(value));
    } else if (json_is_real(value)) {
        snprintf(text, TEXT, "%.6g", json_real_value(value));
    } else {
        char *dump = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6)) : NULL;
        plain_text(text, TEXT, dump ? dump : "-");
        free(dump);
    }
}

/* The same, but "64 x 16 x 16" for a list of numbers and "a, b" for one of words. */
static char *value_text(char *text, const json_t *value) {
    char item[TEXT];
    size_t used = 0;
    bool words = json_is_string(json_array_get(value, 0));
    if (!json_array_size(value)) scalar_text(text, value);
    for (size_t i = 0; i < json_array_size(value) && used < TEXT - 1; i++) {
        const char *between = words ? ", " : " x ";
        scalar_text(item, json_array_get(value, i));
        used += (size_t)snprintf(text + used, TEXT - used, "%s%s", i ? between : "", item);
    }
    return text;
}

static void print_value(const char *label, const json_t *value) {
    char text[TEXT];
    if (value && !json_is_null(value)) printf("%-*s%s\n", LABEL, label, value_text(text, value));
}

/* Bytes as "12.3 MB". */
static char *bytes_text(char *text, double bytes) {
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB"};
    int unit = 0;
    for (; bytes >= 1000 && unit < 4; unit++) bytes /= 1000;
    snprintf(text, 32, unit ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
    return text;
}

/* An object of numbers as "name amount, name amount"; a number alone as the amount. */
static void print_amounts(const char *label, const json_t *value,
                          char *(*amount)(char *text, double value), const char *after) {
    char text[32], plain[64];
    const char *key, *between = "";
    json_t *item;
    if (!json_is_object(value) && !json_is_number(value)) return;
    printf("%-*s", LABEL, label);
    if (json_is_number(value)) printf("%s", amount(text, json_number_value(value)));
    json_object_foreach((json_t *)value, key, item) {
        if (!json_is_number(item)) continue;
        printf("%s%s %s", between, plain_text(plain, sizeof plain, key),
               amount(text, json_number_value(item)));
        between = ", ";
    }
    printf("%s\n", after);
}

static char *mflop_text(char *text, double flops) {
    snprintf(text, 32, "%.2f MFLOP", flops / 1e6);
    return text;
}

/* ---- The memory of a training -------------------------------------------------------------- */

static void print_training(const json_t *object) {
    const json_t *memory = json_object_get(object, "memory");
    const json_t *training = json_object_get(memory, "training");
    print_amounts("training", training, bytes_text, "");
    if (json_is_null(training))
        print_value("training", json_object_get(memory, "training_unknown"));
}

/* {"training": {...}}, or null for it and why in "training_unknown"; NULL: no memory. */
static json_t *training_json(const swwae_options *options, swwae_status *status) {
    swwae_memory m;
    *status = swwae_train_memory(options, &m);
    if (*status != SWWAE_OK)
        return json_pack("{s:n, s:o}", "training", "training_unknown",
                         json_text(swwae_last_error()));
    json_t *available =
        m.available == SIZE_MAX ? json_null() : json_integer((json_int_t)m.available);
    return json_pack("{s:{s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I}}", "training", "peak",
                     (json_int_t)m.peak, "available", available, "process", (json_int_t)m.process,
                     "data", (json_int_t)m.data, "parameters", (json_int_t)m.parameters, "step",
                     (json_int_t)m.step, "validation", (json_int_t)m.validation, "saving",
                     (json_int_t)m.saving, "loading", (json_int_t)m.loading);
}

/* Of a run folder, by its options. NULL for a model file, whose word on where its data lies is a
 * stranger's, and where no memory is left. */
static json_t *run_memory(const char *path) {
    swwae_options *options = NULL;
    json_t *memory = NULL;
    swwae_status status;
    char config[4096];
    const int length = snprintf(config, sizeof config, "%s/config.json", path);
    if (length < 0 || (size_t)length >= sizeof config) return NULL;
    if (swwae_options_create(&options) == SWWAE_OK &&
        swwae_options_load(options, config) == SWWAE_OK)
        memory = training_json(options, &status);
    swwae_options_free(options);
    return memory;
}

/* Of a training with the options that were given. */
static enum outcome predict_memory(const struct args *args) {
    swwae_options *options = NULL;
    swwae_status status;
    enum outcome outcome = OUTCOME_FAILED;
    if (swwae_options_create(&options) != SWWAE_OK) return report_library(args->command);
    if (options_take(options, args, &outcome)) {
        json_t *object = json_pack("{s:o}", "memory", training_json(options, &status));
        if (!object)
            outcome = report_failed(args->command, "out of memory");
        else if (status == SWWAE_E_ARGUMENT || status == SWWAE_E_NOTATION)
            outcome = report_misused(args->command, "%s", swwae_last_error());
        else if (status != SWWAE_OK)
            outcome = report_library(args->command);
        else if (args_given(args, "json"))
            outcome =
                print_json(args->command, json_incref(object)) ? OUTCOME_DONE : OUTCOME_FAILED;
        else {
            print_training(object);
            outcome = OUTCOME_DONE;
        }
        json_decref(object);
    }
    swwae_options_free(options);
    return outcome;
}

/* ---- A model ----------------------------------------------------------------------------- */

static int widest_text(const json_t *layers, const char *key, int least) {
    char text[TEXT];
    for (size_t i = 0; i < json_array_size(layers); i++) {
        int width = text_width(value_text(text, json_object_get(json_array_get(layers, i), key)));
        if (width > least) least = width;
    }
    return least;
}

static void print_cell(const json_t *layer, const char *key, int width) {
    char text[TEXT];
    value_text(text, json_object_get(layer, key));
    printf("%s%*s  ", text, width - text_width(text), "");
}

static void print_layers(const json_t *model) {
    const json_t *layers = json_object_get(model, "layers");
    if (!json_array_size(layers)) return;
    int name = widest_text(layers, "name", 5), kind = widest_text(layers, "kind", 4);
    int output = widest_text(layers, "output", 6);
    double flops = 0;
    char text[TEXT];
    printf("\n%-*s  %-*s  %-*s  %11s  %11s\n", name, "layer", kind, "kind", output, "output",
           "parameters", "MFLOP");
    for (size_t i = 0; i < json_array_size(layers); i++) {
        const json_t *layer = json_array_get(layers, i);
        double own = json_number_value(json_object_get(layer, "flops"));
        flops += own;
        print_cell(layer, "name", name);
        print_cell(layer, "kind", kind);
        print_cell(layer, "output", output);
        printf("%11s  %11.3f\n", value_text(text, json_object_get(layer, "parameters")), own / 1e6);
    }
    printf("%-*s  %11s  %11.3f\n\n", name + kind + output + 4, "total",
           value_text(text, json_object_get(model, "parameters")), flops / 1e6);
}

/* What and where of every stage: "6 x 16 x 16 float32". */
static void print_codes(const json_t *model) {
    static const char *const sides[][2] = {{"what", "what_type"}, {"where", "where_type"}};
    const json_t *codes = json_object_get(model, "codes");
    if (!json_array_size(codes)) return;
    printf("stage  %-24s  %-24s  %s\n", "what", "where", "beta");
    for (size_t i = 0; i < json_array_size(codes); i++) {
        const json_t *code = json_array_get(codes, i);
        char shape[TEXT], type[TEXT], cell[2 * TEXT];
        printf("%-5s", value_text(shape, json_object_get(code, "stage")));
        for (size_t k = 0; k < 2; k++) {
            snprintf(cell, sizeof cell, "%s %s",
                     value_text(shape, json_object_get(code, sides[k][0])),
                     value_text(type, json_object_get(code, sides[k][1])));
            printf("  %-24s", cell);
        }
        printf("  %s\n", value_text(shape, json_object_get(code, "beta")));
    }
    putchar('\n');
}

/* size: the object that holds channels, height and width. */
static void print_image_size(const json_t *size, const json_t *pad) {
    char channels[TEXT], height[TEXT], width[TEXT];
    printf("%-*s%s x %s x %s%s\n", LABEL, "image",
           value_text(channels, json_object_get(size, "channels")),
           value_text(height, json_object_get(size, "height")),
           value_text(width, json_object_get(size, "width")),
           json_integer_value(pad) ? ", zero-padded" : "");
}

static void print_model(const json_t *model) {
    char text[TEXT];
    const json_t *classes = json_object_get(model, "class_names");
    const json_t *options = json_object_get(model, "options");
    print_value("model", json_object_get(model, "architecture"));
    print_image_size(json_object_get(model, "image"), json_object_get(model, "pad"));
    print_value("data", json_object_get(model, "data"));
    print_value("values", json_object_get(model, "normalisation"));
    print_value("beta", json_object_get(model, "beta"));
    print_value("unpool", json_object_get(model, "unpool"));
    print_value("decoder top", json_object_get(model, "decoder_top"));
    print_value("tied", json_object_get(model, "tied"));
    print_value("norm", json_object_get(model, "norm"));
    print_value("output", json_object_get(model, "output"));
    print_value("steps", json_object_get(model, "step"));
    if (json_array_size(classes))
        printf("%-*s%zu: %s\n", LABEL, "classes", json_array_size(classes),
               value_text(text, classes));
    else
        printf("%-*s%s\n", LABEL, "classes", "none: a pure auto-encoder");
    print_layers(model);
    print_codes(model);
    print_value("parameters", json_object_get(model, "parameters"));
    print_amounts("compute", json_object_get(model, "flops"), mflop_text, " an image");
    print_amounts("memory", json_object_get(model, "memory"), bytes_text, "");
    print_training(model);
    if (!json_object_size(options)) return;
    puts("\ntrained with");
    const char *key;
    json_t *value;
    char name[64];
    json_object_foreach((json_t *)options, key, value) {
        printf("  %-16s  %s\n", plain_text(name, sizeof name, key), value_text(text, value));
    }
}

/* ---- A data set -------------------------------------------------------------------------- */

static void print_data(const json_t *data, const char *split) {
    char text[TEXT], name[TEXT];
    const json_t *names = json_object_get(data, "class_names");
    const json_t *counts = json_object_get(data, "per_class");
    const json_t *files = json_object_get(data, "files");
    print_value("data", json_object_get(data, "name"));
    printf("%-*s%s (%s)\n", LABEL, "images", value_text(text, json_object_get(data, "images")),
           split);
    print_image_size(data, json_object_get(data, "pad"));
    json_int_t gray = json_integer_value(json_object_get(data, "gray"));
    json_int_t ignored = json_integer_value(json_object_get(data, "ignored"));
    if (gray && json_integer_value(json_object_get(data, "channels")) == 3)
        printf("%-*s%lld of the files are gray, kept as 3 equal channels\n", LABEL, "",
               (long long)gray);
    if (ignored)
        printf("%-*s%lld files in the class folders are neither .png nor .jpg, and left out\n",
               LABEL, "", (long long)ignored);
    for (size_t i = 0; i < json_array_size(files); i++)
        printf("%-*s%s\n", LABEL, i ? "" : "files", value_text(text, json_array_get(files, i)));
    json_int_t classes = json_integer_value(json_object_get(data, "classes"));
    if (classes <= 0) {
        printf("%-*s%s\n", LABEL, "classes", "none: no labels");
        return;
    }
    json_int_t unlabelled = json_integer_value(json_object_get(data, "unlabelled"));
    printf("%-*s%lld\n", LABEL, "classes", (long long)classes);
    if (unlabelled) printf("%-*s%lld images\n", LABEL, "no label", (long long)unlabelled);
    puts("");
    int widest = 4;
    for (size_t i = 0; i < json_array_size(names); i++) {
        int width = text_width(value_text(name, json_array_get(names, i)));
        if (width > widest) widest = width;
    }
    printf("class  %-*s  %8s\n", widest, "name", "images");
    for (size_t i = 0; i < (size_t)classes; i++) {
        value_text(name, json_array_get(names, i));
        printf("%5zu  %s%*s  %8s\n", i, name, widest - text_width(name), "",
               value_text(text, json_array_get(counts, i)));
    }
}

/* Opens the data of --data: without --split the test images, or the training images of data that
 * has no others. *split is then which. False after telling what failed; *outcome is the exit
 * status. */
static bool open_described(swwae_dataset **dataset, const char **split, const struct args *args,
                           enum outcome *outcome) {
    static const char *const splits[] = {"train", "test"};
    long pad, test_count;
    int chosen = args_choice(args, "split", splits, 2, SWWAE_SPLIT_TEST);
    *outcome = OUTCOME_MISUSED;
    if (chosen < 0 || !args_number(args, "pad", 0, 4096, 0, &pad) ||
        !args_number(args, "test-count", 0, UINT32_MAX, 0, &test_count))
        return false;
    swwae_status status = swwae_dataset_open_held_out(
        dataset, args_value(args, "data"), (swwae_split)chosen, (int)pad, (size_t)test_count);
    if (status == SWWAE_E_IO && !args_given(args, "split")) {
        chosen = SWWAE_SPLIT_TRAIN;
        status = swwae_dataset_open(dataset, args_value(args, "data"), SWWAE_SPLIT_TRAIN, (int)pad);
    }
    *split = splits[chosen];
    if (status == SWWAE_OK) return true;
    *outcome = status == SWWAE_E_ARGUMENT ? report_misused(args->command, "%s", swwae_last_error())
                                          : report_library(args->command);
    return false;
}

/* ---- Command ----------------------------------------------------------------------------- */

static const struct arg own[] = {
    {.name = "data", .argument = "NAME|DIR", .help = "describe this data set, not a model"},
    {.name = "split",
     .argument = "test|train",
     .fallback = "test where there are any",
     .help = "which of its images"},
    {.name = "test-count",
     .argument = "N",
     .fallback = "0",
     .help = "training images held out as test images; 0: the data's own"},
    {.name = "pad",
     .argument = "SIDE",
     .fallback = "0",
     .help = "zero-pad the images to SIDE x SIDE; 0: leave them"},
    {.name = "config",
     .argument = "FILE",
     .help = "predict the memory of a training with the options of this JSON file, and with "
             "those given here"},
    {.name = "json", .help = "print one JSON object"},
};
#define OWN (sizeof own / sizeof *own)
#define OPTIONS 128

/* table[OPTIONS]: own, then the other options of a training, which the help leaves to `train`.
 * Returns how many. */
static size_t list_options(struct arg *table) {
    const swwae_option_info *info;
    memcpy(table, own, sizeof own);
    size_t count = OWN;
    for (size_t i = 0; (info = swwae_option_info_at(i)) && count < OPTIONS; i++) {
        bool listed = false;
        for (size_t k = 0; k < OWN; k++) listed = listed || strcmp(own[k].name, info->name) == 0;
        if (listed) continue;
        table[count] = option_arg(info);
        table[count++].help = NULL;
    }
    return count;
}

/* The first option given that speaks of a training alone; NULL: none. */
static const char *training_option(const struct args *args) {
    if (args_given(args, "config")) return "config";
    for (size_t i = OWN; i < args->option_count; i++)
        if (args->options[i].value) return args->options[i].name;
    return NULL;
}

/* The first of the options that describe data; NULL: none. */
static const char *data_option(const struct args *args) {
    static const char *const names[] = {"data", "split", "pad", "test-count"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (args_given(args, names[i])) return names[i];
    return NULL;
}

/* False after telling that the arguments ask for two things at once, or for none. */
static bool one_question(const struct args *args, const char *training) {
    const char *of_data = data_option(args), *data = args_value(args, "data");
    const bool model = args->operand_count == 1 && !training && !of_data;
    if (model || (!args->operand_count && training && !args_given(args, "split")) ||
        (!args->operand_count && !training && data))
        return true;
    if (args->operand_count && (training || data))
        report_misused(args->command, "\"%s\" and --%s exclude each other: describe one at a time",
                       args->operands[0], training ? training : "data");
    else if (training)
        report_misused(args->command,
                       "--split is about data, --%s about a training: ask for one at a time",
                       training);
    else if (args->operand_count != 1)
        report_misused(args->command, "expected one MODEL or RUN, or --data NAME; %d found",
                       args->operand_count);
    else
        report_misused(args->command, "--%s needs --data", of_data);
    return false;
}

enum outcome command_info(int argc, char **argv) {
    struct arg table[OPTIONS];
    struct args args = {.command = argv[0],
                        .usage = usage,
                        .about = about,
                        .examples = examples,
                        .options = table,
                        .option_count = list_options(table)};
    enum outcome outcome;
    swwae_model *model = NULL;
    swwae_dataset *dataset = NULL;
    json_t *object = NULL, *memory = NULL;
    if (!args_parse(&args, argc, argv, &outcome)) return outcome;
    const char *split = args_value(&args, "split"), *training = training_option(&args);
    if (!one_question(&args, training)) return OUTCOME_MISUSED;
    if (training) return predict_memory(&args);
    if (args_given(&args, "data")) {
        if (!open_described(&dataset, &split, &args, &outcome)) goto done;
    } else {
        memory = run_memory(args.operands[0]); /* before the model takes some itself */
        if (!open_model(&model, &args, args.operands[0], &outcome)) goto done;
    }
    object = describe(&args, model, dataset);
    outcome = object ? OUTCOME_DONE : OUTCOME_FAILED;
    if (!object) goto done;
    if (memory) json_object_update(json_object_get(object, "memory"), memory);
    if (args_given(&args, "json"))
        outcome = print_json(args.command, json_incref(object)) ? OUTCOME_DONE : OUTCOME_FAILED;
    else if (model)
        print_model(object);
    else
        print_data(object, split);
done:
    json_decref(object);
    json_decref(memory);
    swwae_dataset_free(dataset);
    swwae_model_free(model);
    return outcome;
}
