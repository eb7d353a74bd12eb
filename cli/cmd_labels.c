/* cmd_labels.c - `swwae labels`: draws the labelled images of a training without training. */
#include "commands.h"
#include "options.h"

#include <stdio.h>

static const char usage[] = "labels --labels N [options] > FILE\n";
static const char about[] =
    "Draws labelled images as swwae train with the same options does, and prints them as an index "
    "file: a line for each image with its number and class. swwae train --label-file FILE then "
    "uses exactly these labels, whatever its --seed.";
static const char examples[] =
    "  swwae labels --data fashion-mnist --labels 100 --seed 3 > draw-3.csv\n"
    "  swwae train --data fashion-mnist --label-file draw-3.csv\n";

enum outcome command_labels(int argc, char **argv) {
    static const char *const names[] = {"data", "labels", "validation", "test-count", "seed"};
    struct arg table[sizeof names / sizeof *names]; /* the library's, with their defaults */
    const size_t count = sizeof table / sizeof *table;
    for (size_t i = 0; i < count; i++) table[i] = option_arg(option_info_of(names[i]));
    struct args args = {.command = argv[0],
                        .usage = usage,
                        .about = about,
                        .examples = examples,
                        .options = table,
                        .option_count = count};
    enum outcome outcome;
    swwae_options *options = NULL;
    char *text = NULL;
    if (!args_parse(&args, argc, argv, &outcome)) return outcome;
    if (args.operand_count)
        return report_misused(args.command, "unexpected argument \"%s\"", args.operands[0]);
    if (!args_given(&args, "labels"))
        return report_misused(args.command, "how many labels? give --labels N");
    if (swwae_options_create(&options) != SWWAE_OK) return report_library(args.command);
    if (!options_take(options, &args, &outcome)) goto done;
    const swwae_status status = swwae_draw_labels(options, &text);
    outcome = OUTCOME_DONE;
    if (status == SWWAE_E_ARGUMENT)
        outcome = report_misused(args.command, "%s", swwae_last_error());
    else if (status != SWWAE_OK)
        outcome = report_library(args.command);
    else
        fputs(text, stdout); /* a failed write is told by main */
    swwae_text_free(text);
done:
    swwae_options_free(options);
    return outcome;
}
