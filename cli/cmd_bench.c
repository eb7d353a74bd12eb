/* cmd_bench.c - `swwae bench`: how fast a model is on this machine, and where the time goes. */
#include "commands.h"
#include "progress.h"
#include "stop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] = "bench [--arch NOTATION] [--image CxHxW] [option...]";
static const char about[] =
    "Times training steps and forward passes on made-up images: images a second, the rate of "
    "arithmetic against what this machine can do at most, and memory. --explain shows every pass: "
    "its kernel, the operations it does and those it avoids, its time, and why it runs so. "
    "SWWAE_ISA=plain|avx2|avx512, SWWAE_SPARSE=0 and SWWAE_WINOGRAD=0 force a path.";
static const char examples[] =
    "  swwae bench --explain\n"
    "  swwae bench --arch '(16)5c-(32)3c-7p' --image 1x28x28 --labels none --batch 128\n"
    "  SWWAE_SPARSE=0 swwae bench --threads 1 --json\n";

/* Options of a training that change its speed. */
static const char *const passed[] = {
    "arch",        "batch",     "threads",   "labels",    "labelled-share", "lambda-nll",
    "lambda-rec",  "lambda-m",  "lambda-l1", "beta",      "unpool",         "rec-layers",
    "decoder-top", "tied",      "norm",      "dropout",   "dropout-conv",   "noise",
    "where-noise", "reduction", "output",    "optimizer", "precision"};
#define PASSED (sizeof passed / sizeof *passed)

static const struct arg own[] = {
    {.name = "image",
     .argument = "CxHxW",
     .fallback = "1x32x32",
     .help = "channels, height and width of the images"},
    {.name = "repetitions", .argument = "N", .fallback = "10", .help = "timed steps, 1 to 1000"},
    {.name = "explain", .help = "list every pass of a step"},
    {.name = "json", .help = "everything as one JSON object"},
    {.name = "quiet", .help = "no progress: only the result and errors"},
};
#define OWN (sizeof own / sizeof *own)

static size_t list_options(struct arg *table) {
    const swwae_option_info *info;
    memcpy(table, own, sizeof own);
    size_t count = OWN;
    for (size_t k = 0; k < PASSED; k++)
        for (size_t i = 0; (info = swwae_option_info_at(i)); i++)
            if (strcmp(info->name, passed[k]) == 0)
                table[count++] = (struct arg){.name = info->name,
                                              .argument = info->argument,
                                              .fallback = info->fallback,
                                              .help = info->help};
    return count;
}

static bool read_image(const struct args *args, int *channels, int *height, int *width) {
    const char *text = args_given(args, "image") ? args_value(args, "image") : "1x32x32";
    int *const sizes[3] = {channels, height, width};
    const char *at = text;
    int read = 0;
    while (read < 3) {
        char *end;
        const long size = strtol(at, &end, 10);
        if (end == at || size < 1 || size > 4096 || *end != (read < 2 ? 'x' : 0)) break;
        *sizes[read++] = (int)size;
        at = end + 1;
    }
    if (read == 3) return true;
    report_misused(args->command, "option --image: \"%s\" found, expected CxHxW such as 3x32x32",
                   text);
    return false;
}

/* What is not given has its own default, and no recipe's. */
static bool take_options(swwae_options *options, const struct args *args) {
    if (swwae_options_set(options, "recipe", "none") != SWWAE_OK) return false;
    for (size_t k = 0; k < PASSED; k++)
        if (args_given(args, passed[k]) &&
            swwae_options_set(options, passed[k], args_value(args, passed[k])) != SWWAE_OK)
            return false;
    return true;
}

static int on_progress(const swwae_progress *event, void *user) {
    progress_show(user, event);
    return stop_asked();
}

/* ---- The result as text -------------------------------------------------------------------- */

static double number(const json_t *object, const char *key) {
    return json_number_value(json_object_get(object, key));
}

static void print_timing(const char *label, const json_t *timing, double flops_dense, double peak) {
    printf("%-12s%8.2f ms a step (%.2f..%.2f), %.0f images/s", label,
           1e3 * number(timing, "seconds"), 1e3 * number(timing, "fastest"),
           1e3 * number(timing, "slowest"), number(timing, "images_per_second"));
    if (flops_dense > 0)
        printf(", as %.0f dense GFLOP/s: %.0f %% of the peak",
               1e-9 * flops_dense / number(timing, "seconds"),
               100 * flops_dense / number(timing, "seconds") / peak);
    putchar('\n');
}

static void print_passes(const json_t *passes) {
    size_t i;
    const json_t *p;
    double total = 0;
    json_array_foreach(passes, i, p) total += number(p, "seconds");
    printf("\n%-14s %-8s %-24s %9s %6s %8s %8s %6s  %s\n", "layer", "pass", "kernel", "ms", "time",
           "GFLOP", "avoided", "peak", "why");
    json_array_foreach(passes, i, p) {
        const double flops = number(p, "flops"), dense = number(p, "flops_dense");
        printf("%-14s %-8s %-24s %9.3f %5.1f%%", json_string_value(json_object_get(p, "layer")),
               json_string_value(json_object_get(p, "direction")),
               json_string_value(json_object_get(p, "kernel")), 1e3 * number(p, "seconds"),
               total > 0 ? 100 * number(p, "seconds") / total : 0);
        if (dense > 0)
            printf(" %8.3f %7.0f%% %5.0f%%", 1e-9 * flops, 100 * (1 - flops / dense),
                   100 * number(p, "share_of_peak"));
        else
            printf(" %8s %8s %6s", "-", "-", "-");
        printf("  %s\n", json_string_value(json_object_get(p, "reason")));
    }
}

static void print_result(const json_t *result, bool explain) {
    const json_t *image = json_object_get(result, "image");
    const double peak = number(result, "peak_flops"), dense = number(result, "flops_dense"),
                 done = number(result, "flops");
    printf("net         %s\n", json_string_value(json_object_get(result, "architecture")));
    printf("images      %d x %d x %d, batches of %.0f\n",
           (int)json_integer_value(json_array_get(image, 0)),
           (int)json_integer_value(json_array_get(image, 1)),
           (int)json_integer_value(json_array_get(image, 2)), number(result, "batch"));
    printf("machine     %s, %.0f threads, at most %.0f GFLOP/s\n",
           json_string_value(json_object_get(result, "isa")), number(result, "threads"),
           1e-9 * peak);
    print_timing("train", json_object_get(result, "train"), dense, peak);
    print_timing("forward", json_object_get(result, "forward"), 0, peak);
    printf("arithmetic  %.2f GFLOP a step, %.2f if every pass were dense\n", 1e-9 * done,
           1e-9 * dense);
    printf("memory      %.1f MB in training, %.1f MB forward\n",
           1e-6 * number(result, "memory_train"), 1e-6 * number(result, "memory_forward"));
    if (explain) print_passes(json_object_get(result, "passes"));
}

enum outcome command_bench(int argc, char **argv) {
    struct arg table[OWN + PASSED];
    struct args args = {.command = argv[0],
                        .usage = usage,
                        .about = about,
                        .examples = examples,
                        .options = table,
                        .option_count = list_options(table)};
    enum outcome outcome = OUTCOME_MISUSED;
    swwae_options *options = NULL;
    struct progress progress;
    char *json = NULL;
    int channels, height, width;
    long repetitions;
    if (!args_parse(&args, argc, argv, &outcome)) return outcome;
    if (args.operand_count)
        return report_misused(args.command, "\"%s\" found, expected options only",
                              args.operands[0]);
    if (!args_number(&args, "repetitions", 1, 1000, 10, &repetitions) ||
        !read_image(&args, &channels, &height, &width))
        return OUTCOME_MISUSED;
    if (swwae_options_create(&options) != SWWAE_OK) return report_library(args.command);
    if (!take_options(options, &args)) {
        outcome = report_misused(args.command, "%s", swwae_last_error());
        goto done;
    }
    stop_catch();
    progress_begin(&progress, args_given(&args, "quiet"));
    const swwae_status status = swwae_bench(options, channels, height, width, (int)repetitions,
                                            on_progress, &progress, &json);
    progress_clear(&progress);
    if (status != SWWAE_OK) {
        outcome = report_library(args.command);
        goto done;
    }
    outcome = OUTCOME_DONE;
    if (args_given(&args, "json")) {
        printf("%s\n", json);
    } else {
        json_t *result = json_loads(json, 0, NULL);
        if (result)
            print_result(result, args_given(&args, "explain"));
        else
            outcome = report_failed(args.command, "no memory for the result");
        json_decref(result);
    }
done:
    swwae_text_free(json);
    swwae_options_free(options);
    return outcome;
}
