/* class_folders.c - reading class folders of pictures; see class_folders.h.
 *
 * Pictures are decoded on all processors straight into the data set, as three channels; only when
 * all turn out to be gray, two of them are dropped. Threads work on blocks of files in order, so
 * the fault that is told is the first in the list, however they run. */
#include "data/class_folders.h"

#include "base/parallel.h"
#include "data/class_list.h"
#include "data/image.h"
#include "data/path.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 128 /* files of a job: some milliseconds */

/* What came of a block. */
struct block {
    swwae_status status;
    char *message; /* of a failure; NULL: none, or no memory */
    size_t gray;   /* images without colour */
};

struct reading {
    const char *folder;
    const struct class_list *list;
    uint8_t *images; /* (count, 3, height, width) */
    int height, width;
    struct block *blocks;
    atomic_size_t failed; /* the lowest block that failed; those after it need not run */
};

/* Decodes file i to its place. */
static swwae_status read_image(struct reading *r, size_t i, size_t *gray) {
    swwae_status status = SWWAE_OK;
    struct image image = {0};
    size_t bytes = 3 * (size_t)r->height * (size_t)r->width;
    char *path = path_format("%s/%s", r->folder, r->list->path[i]);
    CHECK(path, SWWAE_E_MEMORY, "not enough memory for a path");
    TRY(image_read(&image, path, 3));
    CHECK(image.height == r->height && image.width == r->width, SWWAE_E_DATA,
          "%s is %d x %d pixels (height x width), but %s/%s is %d x %d; all images of a data set "
          "have one size",
          path, image.height, image.width, r->folder, r->list->path[0], r->height, r->width);
    memcpy(r->images + i * bytes, image.pixels, bytes);
    *gray += image.gray;
fail:
    image_free(&image);
    free(path);
    return status;
}

static void read_block(void *context, int j, int worker) {
    struct reading *r = context;
    struct block *block = &r->blocks[j];
    const size_t number = (size_t)j, first = number * BLOCK;
    (void)worker;
    for (size_t i = first; i < first + BLOCK && i < r->list->count; i++) {
        if (atomic_load(&r->failed) < number) return;
        block->status = read_image(r, i, &block->gray);
        if (block->status == SWWAE_OK) continue;
        block->message = strdup(swwae_last_error());
        size_t lowest = atomic_load(&r->failed);
        while (number < lowest && !atomic_compare_exchange_weak(&r->failed, &lowest, number)) {
        }
        return;
    }
}

/* Fills r->images; *gray: how many have no colour. */
static swwae_status read_all(struct reading *r, size_t *gray) {
    swwae_status status = SWWAE_OK;
    struct pool *pool = NULL;
    const size_t blocks = (r->list->count + BLOCK - 1) / BLOCK;
    CHECK(blocks <= INT_MAX, SWWAE_E_DATA, "%s holds %zu pictures, too many", r->folder,
          r->list->count);
    r->blocks = calloc(blocks, sizeof *r->blocks);
    CHECK(r->blocks, SWWAE_E_MEMORY, "not enough memory to read %s", r->folder);
    atomic_init(&r->failed, SIZE_MAX);
    pool = pool_create(blocks > 1 ? parallel_processors() : 1);
    pool_run(pool, (int)blocks, read_block, r);
    *gray = 0;
    for (size_t b = 0; b < blocks; b++) {
        const struct block *block = &r->blocks[b];
        *gray += block->gray;
        if (block->status != SWWAE_OK && status == SWWAE_OK) /* the first in the list */
            status = status_set(block->status, "%s",
                                block->message ? block->message : "not enough memory");
    }
fail:
    pool_free(pool);
    for (size_t b = 0; r->blocks && b < blocks; b++) free(r->blocks[b].message);
    free(r->blocks);
    r->blocks = NULL;
    return status;
}

/* Keeps the first of three equal channels. */
static void drop_colour(struct swwae_dataset *d) {
    const size_t plane = (size_t)d->height * (size_t)d->width;
    for (size_t i = 1; i < d->count; i++)
        memmove(d->images + i * plane, d->images + 3 * i * plane, plane);
    d->channels = 1;
    uint8_t *smaller = realloc(d->images, d->count * plane);
    if (smaller) d->images = smaller;
}

/* The size that all images must have. */
static swwae_status first_size(int *height, int *width, const char *folder, const char *name) {
    swwae_status status = SWWAE_OK;
    struct image image = {0};
    char *path = path_format("%s/%s", folder, name);
    CHECK(path, SWWAE_E_MEMORY, "not enough memory for a path");
    TRY(image_read(&image, path, 3));
    CHECK(image.height <= DATASET_SIDE_LIMIT && image.width <= DATASET_SIDE_LIMIT, SWWAE_E_DATA,
          "%s is %d x %d pixels (height x width), the limit for training is %d a side; make all "
          "images smaller",
          path, image.height, image.width, DATASET_SIDE_LIMIT);
    *height = image.height;
    *width = image.width;
fail:
    image_free(&image);
    free(path);
    return status;
}

swwae_status class_folders_read(struct swwae_dataset **dataset, const char *folder,
                                swwae_split split) {
    swwae_status status = SWWAE_OK;
    struct class_list list = {0};
    struct swwae_dataset *d = NULL;
    struct reading reading = {.folder = folder, .list = &list};
    TRY(class_list_read(&list, folder, split));
    TRY(first_size(&reading.height, &reading.width, folder, list.path[0]));
    TRY(dataset_allocate(&d, list.count, 3, reading.height, reading.width, (int)list.classes,
                         list.classes > 0));
    reading.images = d->images;
    TRY(read_all(&reading, &d->gray));
    if (d->gray == d->count) drop_colour(d);
    for (size_t i = 0; i < d->count; i++) {
        if (d->labels) d->labels[i] = list.label[i];
        TRY(dataset_add_file(d, list.path[i], i));
    }
    for (size_t k = 0; k < list.classes; k++)
        snprintf(d->class_names[k], sizeof *d->class_names, "%s", list.name[k]);
    d->paths_given = true; /* "train/cat/7.png", not "7.png" */
    d->ignored = list.ignored;
    d->folder = strdup(folder);
    CHECK(d->folder, SWWAE_E_MEMORY, "not enough memory for a path");
    path_folder_name(d->name, folder);
    *dataset = d;
    d = NULL;
fail:
    swwae_dataset_free(d);
    class_list_free(&list);
    return status;
}
