/* cmd_reconstruct.c - `swwae reconstruct`: a picture of images and what the decoder rebuilds.
 *
 * With --where the decoder can be shown without the "where" (paper section 4.1) or with another
 * image's, which tells what the "what" alone carries. With --as-class a decoder that starts from
 * the classes is shown with another class and the image's own where. */
#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] = "reconstruct MODEL|RUN [options]\n";
static const char about[] =
    "Draws images of a data set in the first row of a PNG and the model's reconstructions below. "
    "The decoder uses each image's own where (positions of the maxima), none (values copied to "
    "every position), or that of another image. A model trained with --decoder-top classes can "
    "also "
    "rebuild images as another class, from their own where: with --as-class all, each image is a "
    "row, first itself and then as every class.";
static const char examples[] =
    "  swwae reconstruct runs/shapes-1\n"
    "  swwae reconstruct runs/shapes-1 --where all --out where.png\n"
    "  swwae reconstruct runs/mnist-1 --split train --first 100 --count 16 --zoom 2\n"
    "  swwae reconstruct runs/mnist-2 --as-class all --zoom 2\n";

#define WHERES 3
#define NO_CLASS (-1)
#define ALL_CLASSES (-2)
static const char *const where_names[] = {"own", "none", "other", "all"};

struct picture {
    const char *command;
    swwae_model *model;
    swwae_dataset *dataset;
    const char *out, *data, *split;
    size_t first, count;
    int zoom;
    int rows, where[WHERES]; /* of reconstructions */
    int as_class;            /* rebuilt as this one; NO_CLASS, ALL_CLASSES */
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

/* ---- The picture ------------------------------------------------------------------------- */

static size_t pixels_of(const struct picture *picture) {
    int channels, height, width;
    swwae_dataset_image_size(picture->dataset, &channels, &height, &width);
    return (size_t)channels * (size_t)height * (size_t)width;
}

static swwae_status write_picture(const struct picture *picture, const float *images, size_t n,
                                  size_t columns) {
    int channels, height, width;
    swwae_dataset_image_size(picture->dataset, &channels, &height, &width);
    return swwae_picture_write(picture->out, images, n, channels, height, width, (int)columns,
                               picture->zoom);
}

/* The originals. images: (count, C, H, W). */
static swwae_status load_images(const struct picture *picture, float *images) {
    swwae_status status = SWWAE_OK;
    const size_t pixels = pixels_of(picture);
    for (size_t i = 0; i < picture->count && status == SWWAE_OK; i++)
        status = swwae_dataset_image(picture->dataset, picture->first + i, images + i * pixels);
    return status;
}

/* "out.png", and what the originals are: `place` is "row 1  ". */
static void print_images(const struct picture *picture, const char *place) {
    char plain[1024];
    printf("%s\n", plain_text(plain, sizeof plain, picture->out));
    printf("%s%s, %s images %zu to %zu\n", place, plain_text(plain, sizeof plain, picture->data),
           picture->split, picture->first, picture->first + picture->count - 1);
}

static void print_error(double error, const char *more) {
    printf("  mean squared error per pixel %.6g%s\n", error, more);
}

/* A row of reconstructions below the originals. */
static swwae_status rebuild_row(const struct picture *picture, int r, const float *images,
                                float *rebuilt) {
    swwae_status status;
    if (picture->as_class >= 0)
        return swwae_model_reconstruct_as(picture->model, images, picture->count, picture->as_class,
                                          rebuilt);
    status = swwae_model_reconstruct(picture->model, images, picture->count,
                                     (swwae_where)picture->where[r], rebuilt);
    if (status == SWWAE_OK && picture->where[r] == SWWAE_WHERE_NONE)
        fit_brightness(rebuilt, images, picture->count, pixels_of(picture));
    return status;
}

static void print_class(const struct picture *picture, int k) {
    char plain[128];
    printf("as class %d (%s)", k,
           plain_text(plain, sizeof plain, swwae_model_class_name(picture->model, k)));
}

/* The originals in the first row, each kind of reconstruction in one below. */
static enum outcome draw_rows(const struct picture *picture) {
    const size_t row = picture->count * pixels_of(picture), rows = 1 + (size_t)picture->rows;
    double errors[WHERES];
    float *images = calloc(rows, row * sizeof *images); /* (1 + rows, count, C, H, W) */
    if (!images) return report_failed(picture->command, "out of memory");
    swwae_status status = load_images(picture, images);
    for (int r = 0; r < picture->rows && status == SWWAE_OK; r++) {
        float *rebuilt = images + (size_t)(1 + r) * row;
        status = rebuild_row(picture, r, images, rebuilt);
        if (status == SWWAE_OK) errors[r] = squared_error(images, rebuilt, row);
    }
    if (status == SWWAE_OK)
        status = write_picture(picture, images, picture->count * rows, picture->count);
    free(images);
    if (status != SWWAE_OK) return report_library(picture->command);
    print_images(picture, "row 1  ");
    for (int r = 0; r < picture->rows; r++) {
        const bool none = picture->where[r] == SWWAE_WHERE_NONE;
        printf("row %d  ", r + 2);
        if (picture->as_class >= 0)
            print_class(picture, picture->as_class);
        else
            printf("where %-5s", where_names[picture->where[r]]);
        print_error(errors[r], none ? ", brightness fitted" : "");
    }
    if (*picture->unpool)
        printf("note: this model's decoder does not use the where (--unpool %s), so rows own and "
               "other are the same\n",
               picture->unpool);
    return OUTCOME_DONE;
}

/* Each image in a row of its own, first itself and then as every class. */
static enum outcome draw_classes(const struct picture *picture) {
    const size_t pixels = pixels_of(picture), n = picture->count;
    const size_t classes = (size_t)swwae_model_classes(picture->model), columns = 1 + classes;
    float *images = calloc(2 * n, pixels * sizeof *images);   /* the originals, then one column */
    float *grid = calloc(n * columns, pixels * sizeof *grid); /* (count, columns, C, H, W) */
    double *errors = calloc(classes, sizeof *errors);
    swwae_status status = SWWAE_OK;
    enum outcome outcome = OUTCOME_FAILED;
    if (!images || !grid || !errors) {
        report_failed(picture->command, "out of memory");
        goto done;
    }
    float *rebuilt = images + n * pixels;
    status = load_images(picture, images);
    for (size_t c = 0; c < columns && status == SWWAE_OK; c++) {
        const float *column = c ? rebuilt : images;
        if (c) status = swwae_model_reconstruct_as(picture->model, images, n, (int)c - 1, rebuilt);
        for (size_t i = 0; i < n; i++)
            memcpy(grid + (i * columns + c) * pixels, column + i * pixels, pixels * sizeof *grid);
        if (c) errors[c - 1] = squared_error(images, rebuilt, n * pixels);
    }
    if (status == SWWAE_OK) status = write_picture(picture, grid, n * columns, columns);
    if (status != SWWAE_OK) {
        report_library(picture->command);
        goto done;
    }
    outcome = OUTCOME_DONE;
    print_images(picture, "column 1  ");
    for (size_t k = 0; k < classes; k++) {
        printf("column %zu  ", k + 2);
        print_class(picture, (int)k);
        print_error(errors[k], "");
    }
done:
    free(images);
    free(grid);
    free(errors);
    return outcome;
}

/* ---- What to draw ------------------------------------------------------------------------ */

/* A class by number or by name, or all of them; false after telling that it is none. */
static bool find_class(struct picture *picture, const struct args *args) {
    const char *text = args_value(args, "as-class");
    const int classes = swwae_model_classes(picture->model);
    char *end, plain[128];
    if (strcmp(text, "all") == 0) {
        picture->as_class = ALL_CLASSES;
        return true;
    }
    const long number = strtol(text, &end, 10);
    if (*text >= '0' && *text <= '9' && !*end && number >= 0 && number < classes) {
        picture->as_class = (int)number;
        return true;
    }
    for (int k = 0; k < classes; k++)
        if (strcmp(text, swwae_model_class_name(picture->model, k)) == 0) {
            picture->as_class = k;
            return true;
        }
    report_misused(args->command,
                   "option --as-class: \"%s\" found, expected all, a class from 0 to %d, or the "
                   "name of one such as \"%s\"",
                   text, classes - 1,
                   plain_text(plain, sizeof plain, swwae_model_class_name(picture->model, 0)));
    return false;
}

/* Settles what the decoder allows: the class to rebuild as, and a note about a decoder without
 * switches where the picture is to show what the where does. False after telling what failed. */
static bool ask_decoder(struct picture *picture, const struct args *args, enum outcome *outcome) {
    json_t *description = describe(args, picture->model, NULL);
    *outcome = OUTCOME_FAILED;
    if (!description) return false;
    const char *unpool = json_string_value(json_object_get(description, "unpool"));
    const char *top = json_string_value(json_object_get(description, "decoder_top"));
    bool good = true;
    if (args_given(args, "as-class")) {
        picture->as_class = 0; /* from the features: any class gets the library's refusal */
        if (top && strcmp(top, "classes") == 0 && !(good = find_class(picture, args)))
            *outcome = OUTCOME_MISUSED;
    } else if ((picture->rows > 1 || picture->where[0] != SWWAE_WHERE_OWN) && unpool &&
               strcmp(unpool, "switches") != 0) {
        plain_text(picture->unpool, sizeof picture->unpool, unpool);
    }
    json_decref(description);
    return good;
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
        {.name = "as-class",
         .argument = "K|all",
         .help = "rebuild as this class, by number or name, with each image's own where; all: as "
                 "every class, an image a row"},
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
    struct picture picture = {.command = argv[0], .out = "reconstruct.png", .as_class = NO_CLASS};
    enum outcome outcome;
    char *data = NULL;
    long first, count, zoom;
    if (!parse_one_model(&args, argc, argv, &outcome)) return outcome;
    int where = args_choice(&args, "where", where_names, WHERES + 1, SWWAE_WHERE_OWN);
    if (where < 0 || !args_number(&args, "first", 0, INT32_MAX, 0, &first) ||
        !args_number(&args, "count", 1, 1000, 10, &count) ||
        !args_number(&args, "zoom", 1, 16, 4, &zoom))
        return OUTCOME_MISUSED;
    if (args_given(&args, "where") && args_given(&args, "as-class"))
        return report_misused(args.command, "--where and --as-class exclude each other: another "
                                            "class is shown with each image's own where");
    if (args_given(&args, "out")) picture.out = args_value(&args, "out");
    picture.zoom = (int)zoom;
    picture.rows = where == WHERES ? WHERES : 1;
    for (int r = 0; r < picture.rows; r++) picture.where[r] = where == WHERES ? r : where;

    if (open_model(&picture.model, &args, args.operands[0], &outcome) &&
        open_data(&picture.dataset, &data, &picture.split, &args, picture.model, &outcome)) {
        picture.data = data;
        outcome = OUTCOME_FAILED;
        if (choose_images(&picture, &args, first, count) && ask_decoder(&picture, &args, &outcome))
            outcome =
                picture.as_class == ALL_CLASSES ? draw_classes(&picture) : draw_rows(&picture);
    }
    swwae_dataset_free(picture.dataset);
    swwae_model_free(picture.model);
    free(data);
    return outcome;
}
