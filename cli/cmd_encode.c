/* cmd_encode.c - `swwae encode`: what and where of a data set as NumPy files. */
#include "commands.h"
#include "progress.h"
#include "stop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] = "encode MODEL|RUN [options]\n";
static const char about[] =
    "Writes what and where of one stage for every image of a data set: PREFIX-what.npy (float32), "
    "PREFIX-where.npy (uint8: the cell inside the pooling window, counted row by row), both shaped "
    "(images, maps, height, width), and PREFIX-labels.npy (int32, -1 for none). The where of a "
    "stage with soft pooling is float32, shaped (images, maps, height, width, 2): x and y in the "
    "window, from -1 to 1.";
static const char examples[] =
    "  swwae encode runs/shapes-1\n"
    "  swwae encode runs/mnist-1 --split train --stage 0 --out mnist\n"
    "  python3 -c 'import numpy; print(numpy.load(\"codes-what.npy\").shape)'\n";

static int on_progress(const swwae_progress *event, void *user) {
    progress_show(user, event);
    return stop_asked();
}

static void print_done(const swwae_model *model, const swwae_dataset *dataset, const char *prefix,
                       int stage) {
    int channels = 0, height = 0, width = 0;
    char plain[1024];
    swwae_model_code_size(model, stage, &channels, &height, &width);
    plain_text(plain, sizeof plain, prefix);
    printf("stage   %d of 0 to %d\n", stage, swwae_model_stages(model) - 1);
    printf("what    %s-what.npy    float32 %zu x %d x %d x %d\n", plain,
           swwae_dataset_count(dataset), channels, height, width);
    if (swwae_model_beta(model, stage) > 0)
        printf("where   %s-where.npy   float32, the same x 2\n", plain);
    else
        printf("where   %s-where.npy   uint8, the same shape\n", plain);
    printf("labels  %s-labels.npy  int32 %zu\n", plain, swwae_dataset_count(dataset));
}

enum outcome command_encode(int argc, char **argv) {
    struct arg table[] = {
        DATA_ARGS,
        {.name = "stage",
         .argument = "S",
         .fallback = "the top one",
         .help = "which pool's codes; 0 is nearest to the image"},
        {.name = "out",
         .argument = "PREFIX",
         .fallback = "codes",
         .help = "start of the files' names"},
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
    const char *split; /* the user knows */
    struct progress progress;
    long stage;
    if (!parse_one_model(&args, argc, argv, &outcome)) return outcome;
    if (!open_model(&model, &args, args.operands[0], &outcome)) goto done;
    const int top = swwae_model_stages(model) - 1;
    if (!args_number(&args, "stage", 0, top, top, &stage)) {
        outcome = OUTCOME_MISUSED;
        goto done;
    }
    if (!open_data(&dataset, &data, &split, &args, model, &outcome)) goto done;

    const char *prefix = args_given(&args, "out") ? args_value(&args, "out") : "codes";
    stop_catch(); /* so that a stop leaves no temporary files */
    progress_begin(&progress, args_given(&args, "quiet"));
    swwae_status status = swwae_encode(model, dataset, (int)stage, prefix, on_progress, &progress);
    progress_clear(&progress);
    outcome = OUTCOME_DONE;
    if (status == SWWAE_E_INTERRUPTED)
        outcome = report_failed(args.command, "%s; no file was written", swwae_last_error());
    else if (status != SWWAE_OK)
        outcome = report_library(args.command);
    else
        print_done(model, dataset, prefix, (int)stage);
done:
    swwae_dataset_free(dataset);
    swwae_model_free(model);
    free(data);
    return outcome;
}
