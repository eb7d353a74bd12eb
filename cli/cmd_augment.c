/* cmd_augment.c - `swwae augment`: a picture of what --augment makes of training images. */
#include "commands.h"
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] = "augment [options]\n";
static const char about[] =
    "Draws training images in the first row of a PNG and below what random changes make of them, "
    "in every row by other draws. Look at it before you train: what changes a class teaches the "
    "wrong one.";
static const char examples[] =
    "  swwae augment --data fashion-mnist                    as trainings with few labels do\n"
    "  swwae augment --data fashion-mnist --recipe photo\n"
    "  swwae augment --data mnist --augment affine,elastic --augment-strength 2\n"
    "  swwae augment --data photos --augment colour,erase --rows 6 --out changes.png\n";

/* Of the library, whose defaults and meanings they have. */
static const char *const shared[] = {
    "data", "pad", "recipe", "augment", "augment-border", "augment-strength", "seed"};
static const struct arg own[] = {
    {.name = "first", .argument = "I", .fallback = "0", .help = "number of the first image"},
    {.name = "count", .argument = "N", .fallback = "10", .help = "how many images, at most 100"},
    {.name = "rows",
     .argument = "N",
     .fallback = "4",
     .help = "how many changes of each, at most 100"},
    {.name = "out",
     .argument = "FILE.png",
     .fallback = "augment.png",
     .help = "the picture; replaced if it exists"},
    {.name = "zoom", .argument = "Z", .fallback = "4", .help = "enlarge, 1 to 16 times"},
};
#define SHARED (sizeof shared / sizeof *shared)
#define OWN (sizeof own / sizeof *own)

struct wanted {
    const char *out;
    long first, count, rows, zoom;
};

/* A row of images, then rows of what draws of their own make of them. */
static enum outcome draw(const struct args *args, const swwae_options *options,
                         const swwae_dataset *dataset, const struct wanted *wanted) {
    int channels, height, width;
    swwae_dataset_image_size(dataset, &channels, &height, &width);
    const size_t count = (size_t)wanted->count, rows = 1 + (size_t)wanted->rows;
    const size_t pixels = (size_t)channels * (size_t)height * (size_t)width;
    const size_t row = count * pixels;
    float *images = calloc(rows, row * sizeof *images);
    if (!images) return report_failed(args->command, "out of memory");
    swwae_status status = SWWAE_OK;
    for (size_t i = 0; i < count && status == SWWAE_OK; i++)
        status = swwae_dataset_image(dataset, (size_t)wanted->first + i, images + i * pixels);
    for (size_t r = 1; r < rows; r++) memcpy(images + r * row, images, row * sizeof *images);
    if (status == SWWAE_OK)
        status =
            swwae_augment(options, images + row, (rows - 1) * count, channels, height, width, 0);
    if (status == SWWAE_OK)
        status = swwae_picture_write(wanted->out, images, rows * count, channels, height, width,
                                     wanted->count, (int)wanted->zoom);
    free(images);
    if (status != SWWAE_OK) return report_library(args->command);
    char plain[1024];
    printf("%s\n", plain_text(plain, sizeof plain, wanted->out));
    printf("row 1  %s, training images %ld to %ld\n",
           plain_text(plain, sizeof plain, swwae_options_get(options, "data")), wanted->first,
           wanted->first + wanted->count - 1);
    printf("rows 2 to %zu  --augment %s --augment-border %s --augment-strength %s\n", rows,
           swwae_options_get(options, "augment"), swwae_options_get(options, "augment-border"),
           swwae_options_get(options, "augment-strength"));
    return OUTCOME_DONE;
}

/* Opens the training images and draws; a count that was not asked for shrinks to what there is. */
static enum outcome open_and_draw(const struct args *args, swwae_options *options,
                                  struct wanted *wanted) {
    swwae_dataset *dataset = NULL;
    enum outcome outcome;
    const char *data = swwae_options_get(options, "data");
    const long pad = strtol(swwae_options_get(options, "pad"), NULL, 10);
    if (swwae_dataset_open(&dataset, data, SWWAE_SPLIT_TRAIN, (int)pad) != SWWAE_OK)
        return report_library(args->command);
    const long left = (long)swwae_dataset_count(dataset) - wanted->first;
    if (left < wanted->count && left > 0 && !args_given(args, "count")) wanted->count = left;
    if (left < wanted->count)
        outcome = report_failed(args->command,
                                "%s has %zu training images, numbered from 0; %ld from number %ld "
                                "on were asked for",
                                data, swwae_dataset_count(dataset), wanted->count, wanted->first);
    else if (swwae_options_fit(options, dataset) != SWWAE_OK)
        outcome = report_library(args->command);
    else
        outcome = draw(args, options, dataset, wanted);
    swwae_dataset_free(dataset);
    return outcome;
}

enum outcome command_augment(int argc, char **argv) {
    struct arg table[SHARED + OWN];
    struct args args = {.command = argv[0],
                        .usage = usage,
                        .about = about,
                        .examples = examples,
                        .options = table,
                        .option_count = SHARED + OWN};
    struct wanted wanted = {.out = "augment.png"};
    swwae_options *options = NULL;
    enum outcome outcome;
    for (size_t i = 0; i < SHARED; i++) table[i] = option_arg(option_info_of(shared[i]));
    memcpy(table + SHARED, own, sizeof own);
    if (!args_parse(&args, argc, argv, &outcome)) return outcome;
    if (args.operand_count)
        return report_misused(args.command, "unexpected argument \"%s\"", args.operands[0]);
    if (!args_number(&args, "first", 0, INT32_MAX, 0, &wanted.first) ||
        !args_number(&args, "count", 1, 100, 10, &wanted.count) ||
        !args_number(&args, "rows", 1, 100, 4, &wanted.rows) ||
        !args_number(&args, "zoom", 1, 16, 4, &wanted.zoom))
        return OUTCOME_MISUSED;
    if (args_given(&args, "out")) wanted.out = args_value(&args, "out");
    /* some label: without --augment or another --recipe, what auto changes for few of them */
    if (swwae_options_create(&options) != SWWAE_OK ||
        swwae_options_set(options, "labels", "1") != SWWAE_OK) {
        swwae_options_free(options);
        return report_library(args.command);
    }
    if (options_take(options, &args, &outcome)) {
        if (strcmp(swwae_options_get(options, "augment"), "none") == 0)
            outcome = report_misused(args.command, "which changes? give --augment LIST, such as "
                                                   "shift,mirror, or --recipe auto|plus|photo");
        else
            outcome = open_and_draw(&args, options, &wanted);
    }
    swwae_options_free(options);
    return outcome;
}
