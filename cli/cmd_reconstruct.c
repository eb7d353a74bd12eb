/* cmd_reconstruct.c - `swwae reconstruct`: a picture of images and what the decoder rebuilds.
 *
 * With --where the decoder can be shown without the "where" (paper section 4.1) or with another
 * image's, which tells what the "what" alone carries. */
#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] = "reconstruct MODEL|RUN [options]\n";
static const char about[] =
    "Draws images of a data set in the first row of a PNG and the model's reconstructions below. "
    "The decoder uses each image's own where (positions of the maxima), none (values copied to "
    "every position), or that of another image.";
static const char examples[] =
    "  swwae reconstruct runs/shapes-1\n"
    "  swwae reconstruct runs/shapes-1 --where all --out where.png\n"
    "  swwae reconstruct runs/mnist-1 --split train --first 100 --count 16 --zoom 2\n";

#define WHERES 3
static const char *const where_names[] = {"own", "none", "other", "all"};

struct picture {
    const char *command;
    swwae_model *model;
    swwae_dataset *dataset;
    const char *out, *data, *split;
    size_t first, count;
    int zoom;
    int rows, where[WHERES]; /* of reconstructions */
    char unpool[32];         /* the decoder's unpooling; "": the where does its work */
};

static double squared_error(const float *a, const float *b, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double difference = (double)a[i] - (double)b[i];
        sum += difference * difference;
    }
    return sum / (double)count;
}

/* A value copied to every cell of a window counts as often as the window has cells, so that a
 * decoder trained on switches makes pictures many times too bright. The factor that brings each
 * nearest to its original (least squares) shows what is left of the image. */
static void fit_brightness(float *rebuilt, const float *images, size_t count, size_t pixels) {
    for (size_t i = 0; i < count; i++, rebuilt += pixels, images += pixels) {
        double product = 0, square = 0;
        for (size_t k = 0; k < pixels; k++) {
            product += (double)images[k] * (double)rebuilt[k];
            square += (double)rebuilt[k] * (double)rebuilt[k];
        }
        float factor = square > 0 ? (float)(product / square) : 0;
        for (size_t k = 0; k < pixels; k++) rebuilt[k] *= factor;
    }
}

static enum outcome draw(const struct picture *picture) {
    enum outcome outcome = OUTCOME_FAILED;
    int channels, height, width;
    char plain[1024];
    double errors[WHERES];
    swwae_dataset_image_size(picture->dataset, &channels, &height, &width);
    size_t pixels = (size_t)channels * (size_t)height * (size_t)width;
    size_t row = picture->count * pixels;
    /* (1 + rows, count, C, H, W): the originals, then the reconstructions */
    float *images = calloc(1 + (size_t)picture->rows, row * sizeof *images);
    if (!images) return report_failed(picture->command, "out of memory");
    swwae_status status = SWWAE_OK;
    for (size_t i = 0; i < picture->count && status == SWWAE_OK; i++)
        status = swwae_dataset_image(picture->dataset, picture->first + i, images + i * pixels);
    for (int r = 0; r < picture->rows && status == SWWAE_OK; r++) {
        float *rebuilt = images + (size_t)(1 + r) * row;
        status = swwae_model_reconstruct(picture->model, images, picture->count,
                                         (swwae_where)picture->where[r], rebuilt);
        if (status != SWWAE_OK) break;
        if (picture->where[r] == SWWAE_WHERE_NONE)
            fit_brightness(rebuilt, images, picture->count, pixels);
        errors[r] = squared_error(images, rebuilt, row);
    }
    if (status == SWWAE_OK)
        status =
            swwae_picture_write(picture->out, images, picture->count * (size_t)(1 + picture->rows),
                                channels, height, width, (int)picture->count, picture->zoom);
    if (status != SWWAE_OK) {
        report_library(picture->command);
    } else {
        outcome = OUTCOME_DONE;
        printf("%s\n", plain_text(plain, sizeof plain, picture->out));
        printf("row 1  %s, %s images %zu to %zu\n", plain_text(plain, sizeof plain, picture->data),
               picture->split, picture->first, picture->first + picture->count - 1);
        for (int r = 0; r < picture->rows; r++)
            printf("row %d  where %-5s  mean squared error per pixel %.6g%s\n", r + 2,
                   where_names[picture->where[r]], errors[r],
                   picture->where[r] == SWWAE_WHERE_NONE ? ", brightness fitted" : "");
    }
    if (status == SWWAE_OK && *picture->unpool)
        printf("note: this model's decoder does not use the where (--unpool %s), so rows own and "
               "other are the same\n",
               plain_text(plain, sizeof plain, picture->unpool));
    free(images);
    return outcome;
}

/* Notes a decoder without switches where the picture is to show what the where does. False after
 * telling what failed. */
static bool find_unpool(struct picture *picture, const struct args *args) {
    if (picture->rows == 1 && picture->where[0] == SWWAE_WHERE_OWN) return true;
    json_t *description = describe(args, picture->model, NULL);
    if (!description) return false;
    const char *unpool = json_string_value(json_object_get(description, "unpool"));
    if (unpool && strcmp(unpool, "switches") != 0)
        snprintf(picture->unpool, sizeof picture->unpool, "%s", unpool);
    json_decref(description);
    return true;
}

/* Which images: a count that was not asked for shrinks to what there is. */
static bool choose_images(struct picture *picture, const struct args *args, long first,
                          long count) {
    size_t images = swwae_dataset_count(picture->dataset);
    picture->first = (size_t)first;
    picture->count = (size_t)count;
    if (picture->first < images && picture->count > images - picture->first &&
        !args_given(args, "count"))
        picture->count = images - picture->first;
    if (picture->first < images && picture->count <= images - picture->first) return true;
    report_failed(args->command,
                  "%s has %zu %s images, numbered from 0; %zu from number %zu on "
                  "were asked for",
                  picture->data, images, picture->split, picture->count, picture->first);
    return false;
}

enum outcome command_reconstruct(int argc, char **argv) {
    struct arg table[] = {
        DATA_ARGS,
        {.name = "first", .argument = "I", .fallback = "0", .help = "number of the first image"},
        {.name = "count", .argument = "N", .fallback = "10", .help = "how many images"},
        {.name = "where",
         .argument = "own|none|other|all",
         .fallback = "own",
         .help = "where the decoder puts values; other: at the next image's positions; all: a row "
                 "of each"},
        {.name = "out",
         .argument = "FILE.png",
         .fallback = "reconstruct.png",
         .help = "the picture; replaced if it exists"},
        {.name = "zoom", .argument = "Z", .fallback = "4", .help = "enlarge, 1 to 16 times"},
        {.name = "threads", .argument = "N", .fallback = "0", .help = "0: one per processor"},
    };
    struct args args = {.command = argv[0],
                        .usage = usage,
                        .about = about,
                        .examples = examples,
                        .options = table,
                        .option_count = sizeof table / sizeof *table};
    struct picture picture = {.command = argv[0], .out = "reconstruct.png", .split = "test"};
    enum outcome outcome;
    char *data = NULL;
    long first, count, zoom;
    if (!parse_one_model(&args, argc, argv, &outcome)) return outcome;
    int where = args_choice(&args, "where", where_names, WHERES + 1, SWWAE_WHERE_OWN);
    if (where < 0 || !args_number(&args, "first", 0, INT32_MAX, 0, &first) ||
        !args_number(&args, "count", 1, 1000, 10, &count) ||
        !args_number(&args, "zoom", 1, 16, 4, &zoom))
        return OUTCOME_MISUSED;
    if (args_given(&args, "out")) picture.out = args_value(&args, "out");
    if (args_given(&args, "split")) picture.split = args_value(&args, "split");
    picture.zoom = (int)zoom;
    picture.rows = where == WHERES ? WHERES : 1;
    for (int r = 0; r < picture.rows; r++) picture.where[r] = where == WHERES ? r : where;

    if (open_model(&picture.model, &args, args.operands[0], &outcome) &&
        open_data(&picture.dataset, &data, &args, picture.model, &outcome)) {
        picture.data = data;
        bool ready = choose_images(&picture, &args, first, count) && find_unpool(&picture, &args);
        outcome = ready ? draw(&picture) : OUTCOME_FAILED;
    }
    swwae_dataset_free(picture.dataset);
    swwae_model_free(picture.model);
    free(data);
    return outcome;
}
