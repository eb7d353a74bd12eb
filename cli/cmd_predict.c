/* cmd_predict.c - `swwae predict`: the class of every image in the files given. */
#include "commands.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 256 /* images a call */

static const char usage[] = "predict MODEL|RUN FILE... [options]\n";
static const char about[] =
    "Classifies the images of PNG, JPEG, IDX (MNIST's format, plain or gzipped) and NumPy .npy "
    "files. Prints CSV: source, class, name, probability, one line an image. Images are converted "
    "and padded as the model's training images were.";
static const char examples[] = "  swwae predict runs/shapes-1 image.png\n"
                               "  swwae predict runs/mnist-1 digits/*.png --top 3\n"
                               "  swwae predict model.safetensors t10k-images-idx3-ubyte --json\n"
                               "  swwae predict model.safetensors -- --odd-name.png\n";

struct prediction {
    swwae_model *model;
    int classes, top;
    bool json;
    int *order; /* (top) the best classes of one image */
};

/* The best `top` classes, best first; of equals the first. */
static void rank(const struct prediction *prediction, const float *probabilities) {
    int found = 0;
    for (int k = 0; k < prediction->classes; k++) {
        int at = found;
        while (at > 0 && probabilities[k] > probabilities[prediction->order[at - 1]]) at--;
        if (at == prediction->top) continue;
        if (found < prediction->top) found++;
        for (int i = found - 1; i > at; i--) prediction->order[i] = prediction->order[i - 1];
        prediction->order[at] = k;
    }
}

static const char *name_of(const struct prediction *prediction, int k) {
    const char *name = swwae_model_class_name(prediction->model, k);
    return name ? name : "";
}

/* RFC 4180: quoted where a comma, a quote or a line end makes it necessary. */
static void print_field(const char *text) {
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, stdout);
        return;
    }
    putchar('"');
    for (; *text; text++) {
        if (*text == '"') putchar('"');
        putchar(*text);
    }
    putchar('"');
}

static void print_header(const struct prediction *prediction) {
    fputs("source,class,name,probability", stdout);
    for (int i = 2; i <= prediction->top; i++) printf(",class_%d,name_%d,probability_%d", i, i, i);
    putchar('\n');
}

static void print_row(const struct prediction *prediction, const char *source,
                      const float *probabilities) {
    char name[256], plain[4128];
    print_field(plain_text(plain, sizeof plain, source));
    for (int i = 0; i < prediction->top; i++) {
        int k = prediction->order[i];
        printf(",%d,", k);
        print_field(plain_text(name, sizeof name, name_of(prediction, k)));
        printf(",%.6f", (double)probabilities[k]);
    }
    putchar('\n');
}

/* Rounded: more digits than a float has would only look exact. */
static json_t *probability_of(float value) {
    return json_measure(round((double)value * 1e9) / 1e9);
}

static bool print_object(const struct prediction *prediction, const char *source,
                         const float *probabilities) {
    json_t *top = json_array();
    for (int i = 0; i < prediction->top; i++) {
        int k = prediction->order[i];
        json_array_append_new(top, json_pack("{s:i, s:o, s:o}", "class", k, "name",
                                             json_text(name_of(prediction, k)), "probability",
                                             probability_of(probabilities[k])));
    }
    int best = prediction->order[0];
    return print_json("predict",
                      json_pack("{s:o, s:i, s:o, s:o, s:o}", "source", json_text(source), "class",
                                best, "name", json_text(name_of(prediction, best)), "probability",
                                probability_of(probabilities[best]), "top", top));
}

static enum outcome predict(const struct prediction *prediction, swwae_dataset *dataset) {
    enum outcome outcome = OUTCOME_FAILED;
    int channels, height, width;
    size_t count = swwae_dataset_count(dataset);
    swwae_dataset_image_size(dataset, &channels, &height, &width);
    size_t pixels = (size_t)channels * (size_t)height * (size_t)width;
    size_t classes = (size_t)prediction->classes;
    float *images = malloc(BATCH * pixels * sizeof *images);                /* (BATCH, C, H, W) */
    float *probabilities = malloc(BATCH * classes * sizeof *probabilities); /* (BATCH, classes) */
    if (!images || !probabilities) {
        report_failed("predict", "out of memory");
        goto done;
    }
    if (!prediction->json) print_header(prediction);
    for (size_t first = 0; first < count; first += BATCH) {
        size_t n = count - first < BATCH ? count - first : BATCH;
        swwae_status status = SWWAE_OK;
        for (size_t i = 0; i < n && status == SWWAE_OK; i++)
            status = swwae_dataset_image(dataset, first + i, images + i * pixels);
        if (status == SWWAE_OK)
            status = swwae_model_predict(prediction->model, images, n, probabilities);
        if (status != SWWAE_OK) {
            report_library("predict");
            goto done;
        }
        for (size_t i = 0; i < n; i++) {
            const float *row = probabilities + i * classes;
            const char *source = swwae_dataset_source(dataset, first + i);
            rank(prediction, row);
            if (!prediction->json)
                print_row(prediction, source, row);
            else if (!print_object(prediction, source, row))
                goto done;
        }
    }
    outcome = OUTCOME_DONE;
done:
    free(images);
    free(probabilities);
    return outcome;
}

enum outcome command_predict(int argc, char **argv) {
    struct arg table[] = {
        {.name = "json", .help = "print one JSON object an image"},
        {.name = "top",
         .argument = "K",
         .fallback = "1",
         .help = "also print the K best classes: more columns, or \"top\" in JSON"},
        {.name = "threads", .argument = "N", .fallback = "0", .help = "0: one per processor"},
    };
    struct args args = {.command = argv[0],
                        .usage = usage,
                        .about = about,
                        .examples = examples,
                        .options = table,
                        .option_count = sizeof table / sizeof *table};
    enum outcome outcome;
    struct prediction prediction = {0};
    swwae_dataset *dataset = NULL;
    long top;
    if (!args_parse(&args, argc, argv, &outcome)) return outcome;
    if (args.operand_count < 2)
        return report_misused(args.command, args.operand_count
                                                ? "expected at least one FILE after MODEL"
                                                : "expected MODEL and at least one FILE");
    if (!args_number(&args, "top", 1, 65536, 1, &top)) return OUTCOME_MISUSED;
    prediction.json = args_given(&args, "json");
    if (!open_model(&prediction.model, &args, args.operands[0], &outcome)) goto done;

    outcome = OUTCOME_FAILED;
    prediction.classes = swwae_model_classes(prediction.model);
    prediction.top = top < prediction.classes ? (int)top : prediction.classes;
    if (!prediction.classes)
        report_failed(args.command,
                      "%s: a pure auto-encoder has no classes to predict; see what "
                      "it rebuilds with swwae reconstruct",
                      args.operands[0]);
    else if (!(prediction.order = calloc((size_t)prediction.top, sizeof *prediction.order)))
        report_failed(args.command, "out of memory");
    else if (swwae_dataset_open_files(&dataset, (const char *const *)args.operands + 1,
                                      (size_t)args.operand_count - 1, prediction.model) != SWWAE_OK)
        report_library(args.command);
    else
        outcome = predict(&prediction, dataset);
done:
    swwae_dataset_free(dataset);
    swwae_model_free(prediction.model);
    free(prediction.order);
    return outcome;
}
