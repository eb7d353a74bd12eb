/* commands.h - the commands, one file each, and what they share (main.c). */
#ifndef SWWAE_CLI_COMMANDS_H
#define SWWAE_CLI_COMMANDS_H

#include "args.h"
#include "swwae.h"

#include <jansson.h>

/* Each gets its own name as argv[0]. */
enum outcome command_train(int argc, char **argv);
enum outcome command_eval(int argc, char **argv);
enum outcome command_predict(int argc, char **argv);
enum outcome command_reconstruct(int argc, char **argv);
enum outcome command_encode(int argc, char **argv);
enum outcome command_labels(int argc, char **argv);
enum outcome command_augment(int argc, char **argv);
enum outcome command_info(int argc, char **argv);
enum outcome command_bench(int argc, char **argv);
enum outcome command_study(int argc, char **argv);

/* Loads the model or run and sets its threads from --threads, where the command has it. False
 * after telling what failed; *outcome is then the exit status. */
bool open_model(swwae_model **model, const struct args *args, const char *path,
                enum outcome *outcome);

/* args_parse for a command whose one operand is a MODEL or RUN. False after telling what failed, or
 * after --help; *outcome is then the exit status. */
bool parse_one_model(struct args *args, int argc, char **argv, enum outcome *outcome);

/* The options of a command that works on a model's data; see open_data. */
#define DATA_ARGS                                                                                \
    {.name = "data",                                                                             \
     .argument = "NAME|DIR",                                                                     \
     .fallback = "what the model was trained on",                                                \
     .help = "a named data set or a data set's folder"},                                         \
        {.name = "split",                                                                        \
         .argument = "test|train",                                                               \
         .fallback = "test",                                                                     \
         .help = "which images (train of other data without test images)"},                      \
        {.name = "test-count",                                                                   \
         .argument = "N",                                                                        \
         .fallback = "as in training",                                                           \
         .help = "training images held out as test images; 0, and with --data: the data's own"}, \
    {                                                                                            \
        .name = "pad", .argument = "SIDE", .fallback = "as in training",                         \
        .help = "zero-pad the images to SIDE x SIDE; 0: leave them"                              \
    }

/* Opens the data --data, --split, --test-count and --pad name; what is not given is what the model
 * was trained on, and its test images; of other data without test images its training images.
 * *name: the data's, NULL before, malloc'ed; the caller frees it, also after a failure. *taken: the
 * split. False as above. */
bool open_data(swwae_dataset **dataset, char **name, const char **taken, const struct args *args,
               const swwae_model *model, enum outcome *outcome);

/* swwae_model_describe or swwae_dataset_describe as an object; NULL after telling why not. */
json_t *describe(const struct args *args, const swwae_model *model, const swwae_dataset *dataset);

/* Strings that are not UTF-8 have their odd bytes replaced: JSON knows no others. */
json_t *json_text(const char *text);
/* null where the number is not finite. */
json_t *json_measure(double number);
/* One line on stdout; releases object. False after telling that memory ran out. */
bool print_json(const char *command, json_t *object);

#endif
