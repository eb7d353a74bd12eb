/* search.c - finding a data set by name and reading its IDX files: swwae_dataset_open. */
#define _XOPEN_SOURCE 700 /* realpath */
#include "data/dataset.h"
#include "data/idx.h"
#include "data/input.h"
#include "data/shapes.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Data sets that are looked for by name. */
static const struct known {
    const char *name;
    const char *classes[10];
    const char *advice; /* ends the sentence about files not found */
} known_sets[] = {{"mnist",
                   {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
                   "put its four files into one of these folders or set SWWAE_DATA"},
                  {"fashion-mnist",
                   {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt",
                    "Sneaker", "Bag", "Ankle boot"},
                   "install Debian's package dataset-fashion-mnist or set SWWAE_DATA"}};

static const struct known *find_known(const char *name) {
    for (size_t i = 0; i < sizeof known_sets / sizeof *known_sets; i++)
        if (strcmp(name, known_sets[i].name) == 0) return &known_sets[i];
    return NULL;
}

/* A formatted string the caller frees; NULL without memory. */
__attribute__((format(printf, 1, 2))) static char *text_format(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = n < 0 ? NULL : malloc((size_t)n + 1);
    if (!text) return NULL;
    va_start(arguments, format);
    vsnprintf(text, (size_t)n + 1, format, arguments);
    va_end(arguments);
    return text;
}

static bool is_folder(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

static bool is_there(const char *path) {
    struct stat about;
    return stat(path, &about) == 0;
}

/* The last part of a folder's path ("data/mnist/" gives "mnist"); of its real path where that
 * says nothing ("." or ".."). */
static void folder_name(char name[64], const char *folder) {
    size_t end = strlen(folder);
    while (end > 1 && folder[end - 1] == '/') end--;
    size_t start = end;
    while (start > 0 && folder[start - 1] != '/') start--;
    size_t n = end - start;
    bool dots = (n == 1 && folder[start] == '.') ||
                (n == 2 && folder[start] == '.' && folder[start + 1] == '.');
    char *real = dots ? realpath(folder, NULL) : NULL;
    if (real)
        snprintf(name, 64, "%.63s", input_base_name(real));
    else
        snprintf(name, 64, "%.*s", n > 63 ? 63 : (int)n, folder + start);
    free(real);
}

/* ---- the files of a folder ---- */

static const char *split_prefix(swwae_split split) {
    return split == SWWAE_SPLIT_TRAIN ? "train" : "t10k";
}

/* The path of "<prefix>-<noun>-idx<rank>-ubyte" in any spelling; NULL in *path: not there. Images
 * of several channels have rank 4, which some name in the file and some do not. */
static swwae_status find_file(char **path, const char *folder, swwae_split split, const char *noun,
                              const char *ranks) {
    static const char *const ends[] = {"", ".gz"};
    *path = NULL;
    for (const char *rank = ranks; *rank; rank++)
        for (const char *dash = "-."; *dash; dash++)
            for (int e = 0; e < 2; e++) {
                char *candidate = text_format("%s/%s-%s%cidx%c-ubyte%s", folder,
                                              split_prefix(split), noun, *dash, *rank, ends[e]);
                if (!candidate)
                    return status_set(SWWAE_E_MEMORY, "not enough memory to look for files");
                if (is_there(candidate)) {
                    *path = candidate;
                    return SWWAE_OK;
                }
                free(candidate);
            }
    return SWWAE_OK;
}

static swwae_status find_images(char **path, const char *folder, swwae_split split) {
    return find_file(path, folder, split, "images", "34");
}

/* Reads a label file as one number an image, and the number of classes they need. */
static swwae_status read_labels(struct idx *labels, int *classes, const char *path, size_t images,
                                const char *images_path) {
    swwae_status status = SWWAE_OK;
    TRY(idx_read(labels, path));
    CHECK(labels->rank == 1, SWWAE_E_DATA, "%s is of rank %d, expected 1 (labels)", path,
          labels->rank);
    CHECK(labels->size[0] == images, SWWAE_E_DATA,
          "%s holds %zu labels but %s holds %zu images; they do not belong together", path,
          labels->size[0], images_path, images);
    int most = 1;
    for (size_t i = 0; i < images; i++)
        if (labels->data[i] > most) most = labels->data[i];
    *classes = most + 1;
fail:
    return status;
}

static swwae_status read_folder(struct swwae_dataset **dataset, const char *folder,
                                const char *images_path, swwae_split split) {
    swwae_status status = SWWAE_OK;
    struct swwae_dataset *d = NULL;
    struct idx images = {0}, labels = {0};
    char *labels_path = NULL;
    int classes = 0;
    TRY(idx_read(&images, images_path));
    CHECK(images.rank == 3 || images.rank == 4, SWWAE_E_DATA,
          "%s is of rank %d, expected 3 (N, height, width) or 4 (N, channels, height, width)",
          images_path, images.rank);
    size_t height = images.size[images.rank - 2], width = images.size[images.rank - 1];
    size_t channels = images.rank == 4 ? images.size[1] : 1;
    CHECK(height <= DATASET_SIDE_LIMIT && width <= DATASET_SIDE_LIMIT &&
              channels <= DATASET_CHANNEL_LIMIT,
          SWWAE_E_DATA,
          "%s holds images of %zu x %zu x %zu (channels, height, width), the limits are %d, %d and "
          "%d",
          images_path, channels, height, width, DATASET_CHANNEL_LIMIT, DATASET_SIDE_LIMIT,
          DATASET_SIDE_LIMIT);
    TRY(find_file(&labels_path, folder, split, "labels", "1"));
    if (labels_path) TRY(read_labels(&labels, &classes, labels_path, images.size[0], images_path));
    TRY(dataset_adopt(&d, images.data, images.size[0], (int)channels, (int)height, (int)width,
                      classes, labels_path != NULL));
    images.data = NULL; /* now the data set's */
    for (size_t i = 0; labels_path && i < d->count; i++) d->labels[i] = labels.data[i];
    folder_name(d->name, folder);
    const struct known *known = find_known(d->name);
    for (int k = 0; known && k < classes && k < 10; k++)
        snprintf(d->class_names[k], sizeof d->class_names[k], "%s", known->classes[k]);
    TRY(dataset_add_file(d, images_path, 0));
    *dataset = d;
    d = NULL;
fail:
    swwae_dataset_free(d);
    idx_free(&images);
    idx_free(&labels);
    free(labels_path);
    return status;
}

static swwae_status open_folder(struct swwae_dataset **dataset, const char *folder,
                                swwae_split split) {
    swwae_status status = SWWAE_OK;
    char *images_path = NULL, name[64];
    CHECK(is_there(folder), SWWAE_E_IO, "the data folder %s does not exist", folder);
    CHECK(is_folder(folder), SWWAE_E_IO,
          "%s is a file; give the folder that holds the four IDX files of a data set", folder);
    TRY(find_images(&images_path, folder, split));
    folder_name(name, folder);
    CHECK(images_path, SWWAE_E_IO,
          "%s holds neither %s-images-idx3-ubyte nor %s-images.idx3-ubyte (plain or .gz); put the "
          "four IDX files of a data set there%s",
          folder, split_prefix(split), split_prefix(split),
          strcmp(name, "fashion-mnist") == 0 ? " or install Debian's package dataset-fashion-mnist"
                                             : "");
    status = read_folder(dataset, folder, images_path, split);
fail:
    free(images_path);
    return status;
}

/* ---- places ---- */

#define PLACES 6

struct places {
    char *path[PLACES]; /* (count), to be freed; NULL: no memory */
    size_t count;
};

static void add_place(struct places *places, const char *parent, const char *between,
                      const char *name) {
    places->path[places->count++] = text_format("%s%s%s", parent, between, name);
}

/* The folders a named data set may be in, in order. */
static swwae_status list_places(struct places *places, const char *name) {
    const char *data = getenv("SWWAE_DATA"), *cache = getenv("XDG_CACHE_HOME"),
               *home = getenv("HOME");
    if (data && *data) {
        char last[64];
        folder_name(last, data);
        add_place(places, data, "/", name);
        if (strcmp(last, name) == 0) add_place(places, data, "", "");
    }
    add_place(places, "./data", "/", name);
    if (cache && *cache)
        add_place(places, cache, "/swwae/", name);
    else if (home && *home)
        add_place(places, home, "/.cache/swwae/", name);
    add_place(places, "/usr/share/datasets", "/", name);
    if (is_folder(name)) add_place(places, ".", "/", name);
    for (size_t i = 0; i < places->count; i++)
        if (!places->path[i]) return status_set(SWWAE_E_MEMORY, "not enough memory for a path");
    return SWWAE_OK;
}

/* "a, b or c"; NULL without memory. */
static char *join_places(const struct places *places) {
    char *text = text_format("%s", places->path[0]);
    for (size_t i = 1; text && i < places->count; i++) {
        const char *between = i + 1 == places->count ? " or " : ", ";
        char *longer = text_format("%s%s%s", text, between, places->path[i]);
        free(text);
        text = longer;
    }
    return text;
}

static swwae_status open_known(struct swwae_dataset **dataset, const struct known *known,
                               swwae_split split) {
    swwae_status status = SWWAE_OK;
    struct places places = {0};
    char *images_path = NULL, *list = NULL;
    const char *prefix = split_prefix(split);
    size_t i = 0;
    TRY(list_places(&places, known->name));
    for (; i < places.count && !images_path; i++)
        TRY(find_images(&images_path, places.path[i], split));
    if (images_path) {
        TRY(read_folder(dataset, places.path[i - 1], images_path, split));
    } else {
        list = join_places(&places);
        CHECK(false, SWWAE_E_IO,
              "no %s-images-idx3-ubyte or %s-images.idx3-ubyte (plain or .gz) of %s is in %.600s; "
              "%s",
              prefix, prefix, known->name, list ? list : "the usual places", known->advice);
    }
fail:
    for (i = 0; i < places.count; i++) free(places.path[i]);
    free(images_path);
    free(list);
    return status;
}

swwae_status swwae_dataset_open(swwae_dataset **dataset, const char *name, swwae_split split,
                                int pad) {
    swwae_status status = SWWAE_OK;
    struct swwae_dataset *d = NULL;
    CHECK(dataset && name, SWWAE_E_ARGUMENT, "swwae_dataset_open was given NULL");
    CHECK(split == SWWAE_SPLIT_TRAIN || split == SWWAE_SPLIT_TEST, SWWAE_E_ARGUMENT,
          "split is %d, expected train (0) or test (1)", (int)split);
    CHECK(pad >= 0 && pad <= DATASET_SIDE_LIMIT, SWWAE_E_ARGUMENT,
          "pad is %d, expected 0 (none) to %d", pad, DATASET_SIDE_LIMIT);
    const struct known *known = find_known(name);
    if (strcmp(name, "shapes") == 0) {
        TRY(shapes_generate(&d, SHAPES_SEED, split,
                            split == SWWAE_SPLIT_TRAIN ? SHAPES_TRAIN_COUNT : SHAPES_TEST_COUNT));
    } else if (known) {
        TRY(open_known(&d, known, split));
    } else {
        CHECK(strchr(name, '/') || is_there(name), SWWAE_E_ARGUMENT,
              "there is no data set \"%s\", expected shapes, mnist, fashion-mnist or a folder that "
              "holds IDX files",
              name);
        TRY(open_folder(&d, name, split));
    }
    TRY(dataset_pad(d, pad));
    *dataset = d;
    return SWWAE_OK;
fail:
    swwae_dataset_free(d);
    return status;
}
