/* cifar.c - the binary files of CIFAR-10 and CIFAR-100; see cifar.h. */
#include "data/cifar.h"

#include "data/input.h"
#include "data/path.h"

#include <stdlib.h>
#include <string.h>

#define FILE_IMAGES 10000 /* of every file but CIFAR-100's train.bin */
#define CHUNK 1000        /* records read at a time; divides every file */

static const struct cifar {
    int labels;          /* label bytes of a record; the last counts */
    int classes;         /* named by their numbers unless names says otherwise */
    const char *archive; /* the folder the published archive unpacks to */
    const char *train[6], *test[2];
    size_t train_images; /* of each training file */
    const char *names[10];
    const char *names_file;
} kinds[] = {{.labels = 1,
              .classes = 10,
              .archive = "cifar-10-batches-bin",
              .train = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                        "data_batch_4.bin", "data_batch_5.bin"},
              .test = {"test_batch.bin"},
              .train_images = FILE_IMAGES,
              .names = {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse",
                        "ship", "truck"}},
             {.labels = 2,
              .classes = 100,
              .archive = "cifar-100-binary",
              .train = {"train.bin"},
              .test = {"test.bin"},
              .train_images = 5 * FILE_IMAGES,
              .names_file = "fine_label_names.txt"}};
#define KINDS (sizeof kinds / sizeof *kinds)

size_t cifar_record(enum cifar_kind kind) { return (size_t)kinds[kind].labels + CIFAR_PIXELS; }

size_t cifar_decode(uint8_t *images, int32_t *labels, const uint8_t *bytes, size_t count,
                    enum cifar_kind kind) {
    const size_t skip = (size_t)kinds[kind].labels;
    for (size_t i = 0; i < count; i++, bytes += cifar_record(kind)) {
        labels[i] = bytes[skip - 1];
        if (labels[i] >= kinds[kind].classes) return i;
        memcpy(images + i * CIFAR_PIXELS, bytes + skip, CIFAR_PIXELS);
    }
    return count;
}

/* ---- Finding ---- */

static const char *const *files_of(const struct cifar *cifar, swwae_split split) {
    return split == SWWAE_SPLIT_TRAIN ? cifar->train : cifar->test;
}

/* The folder with the files and which kind they are; NULL in *inside: there are none. */
static swwae_status find(char **inside, enum cifar_kind *kind, const char *folder,
                         swwae_split split) {
    *inside = NULL;
    for (size_t k = 0; k < KINDS; k++)
        for (int deep = 0; deep < 2; deep++) {
            char *path =
                path_format("%s%s%s", folder, deep ? "/" : "", deep ? kinds[k].archive : "");
            char *first = path ? path_format("%s/%s", path, files_of(&kinds[k], split)[0]) : NULL;
            bool there = first && path_is_there(first), memory = first != NULL;
            free(first);
            if (there) {
                *inside = path;
                *kind = (enum cifar_kind)k;
                return SWWAE_OK;
            }
            free(path);
            if (!memory) return status_set(SWWAE_E_MEMORY, "not enough memory to look for files");
        }
    return SWWAE_OK;
}

swwae_status cifar_has(bool *has, const char *folder, swwae_split split) {
    char *inside;
    enum cifar_kind kind;
    swwae_status status = find(&inside, &kind, folder, split);
    if (status == SWWAE_OK) *has = inside != NULL;
    free(inside);
    return status;
}

/* ---- Reading ---- */

/* Reads `count` records of the file into the data set from image `first` on. */
static swwae_status read_file(struct swwae_dataset *d, const char *path, size_t first, size_t count,
                              enum cifar_kind kind) {
    swwae_status status = SWWAE_OK;
    const size_t record = cifar_record(kind);
    FILE *file = NULL;
    uint64_t size = 0;
    uint8_t *bytes = malloc(CHUNK * record);
    CHECK(bytes, SWWAE_E_MEMORY, "not enough memory to read %s", path);
    TRY(input_open(&file, &size, path));
    CHECK(size == count * record, SWWAE_E_FORMAT,
          "%s has %llu bytes, expected %zu (%zu images); is it cut short?", path,
          (unsigned long long)size, count * record, count);
    TRY(dataset_add_file(d, path, first));
    for (size_t i = 0; i < count; i += CHUNK) {
        CHECK(fread(bytes, record, CHUNK, file) == CHUNK, SWWAE_E_IO, "cannot read %s", path);
        size_t good = cifar_decode(d->images + (first + i) * CIFAR_PIXELS, d->labels + first + i,
                                   bytes, CHUNK, kind);
        CHECK(good == CHUNK, SWWAE_E_FORMAT,
              "image %zu of %s has the label %d, expected 0 to %d; it is no CIFAR-%d file",
              i + good, path, d->labels[first + i + good], d->classes - 1, d->classes);
    }
fail:
    if (file) fclose(file);
    free(bytes);
    return status;
}

/* The class names: a line each. A file that has not as many is left alone. */
static swwae_status read_names(struct swwae_dataset *d, const char *folder, const char *name) {
    swwae_status status = SWWAE_OK;
    FILE *file = NULL;
    char line[sizeof *d->class_names + 2];
    char *path = path_format("%s/%s", folder, name);
    CHECK(path, SWWAE_E_MEMORY, "not enough memory for a path");
    if (!path_is_there(path)) goto fail;
    TRY(input_open(&file, NULL, path));
    for (int k = 0; k < d->classes; k++) {
        CHECK(fgets(line, sizeof line, file), SWWAE_E_FORMAT, "%s has %d lines, expected %d names",
              path, k, d->classes);
        line[strcspn(line, "\r\n")] = 0;
        CHECK(*line && dataset_name_good(line), SWWAE_E_FORMAT,
              "line %d of %s is no name, expected UTF-8 of 1 to %zu bytes", k + 1, path,
              sizeof *d->class_names - 1);
        snprintf(d->class_names[k], sizeof *d->class_names, "%.63s", line);
    }
fail:
    if (file) fclose(file);
    free(path);
    return status;
}

swwae_status cifar_read(struct swwae_dataset **dataset, const char *folder, swwae_split split) {
    swwae_status status = SWWAE_OK;
    struct swwae_dataset *d = NULL;
    char *inside = NULL, *path = NULL;
    enum cifar_kind kind = CIFAR_10;
    TRY(find(&inside, &kind, folder, split));
    CHECK(inside, SWWAE_E_IO, "the CIFAR files of %s have gone", folder);
    const struct cifar *cifar = &kinds[kind];
    const char *const *files = files_of(cifar, split);
    size_t each = split == SWWAE_SPLIT_TRAIN ? cifar->train_images : FILE_IMAGES, count = 0;
    while (files[count]) count++;
    TRY(dataset_allocate(&d, count * each, 3, CIFAR_SIDE, CIFAR_SIDE, cifar->classes, 1));
    for (size_t f = 0; f < count; f++) {
        free(path);
        path = path_format("%s/%s", inside, files[f]);
        CHECK(path, SWWAE_E_MEMORY, "not enough memory for a path");
        TRY(read_file(d, path, f * each, each, kind));
    }
    for (int k = 0; k < 10 && cifar->names[k]; k++)
        snprintf(d->class_names[k], sizeof *d->class_names, "%s", cifar->names[k]);
    if (cifar->names_file) TRY(read_names(d, inside, cifar->names_file));
    path_folder_name(d->name, folder);
    *dataset = d;
    d = NULL;
fail:
    swwae_dataset_free(d);
    free(inside);
    free(path);
    return status;
}
