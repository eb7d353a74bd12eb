/* idx_folder.c - a folder with the four IDX files of MNIST's naming; see idx_folder.h. */
#include "data/idx_folder.h"

#include "data/idx.h"
#include "data/path.h"

#include <stdlib.h>

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
                char *candidate = path_format("%s/%s-%s%cidx%c-ubyte%s", folder,
                                              split_prefix(split), noun, *dash, *rank, ends[e]);
                if (!candidate)
                    return status_set(SWWAE_E_MEMORY, "not enough memory to look for files");
                if (path_is_there(candidate)) {
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

swwae_status idx_folder_has(bool *has, const char *folder, swwae_split split) {
    char *path;
    swwae_status status = find_images(&path, folder, split);
    if (status == SWWAE_OK) *has = path != NULL;
    free(path);
    return status;
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

swwae_status idx_folder_read(struct swwae_dataset **dataset, const char *folder,
                             swwae_split split) {
    swwae_status status = SWWAE_OK;
    struct swwae_dataset *d = NULL;
    struct idx images = {0}, labels = {0};
    char *images_path = NULL, *labels_path = NULL;
    int classes = 0;
    TRY(find_images(&images_path, folder, split));
    CHECK(images_path, SWWAE_E_IO, "the images of %s have gone", folder);
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
    path_folder_name(d->name, folder);
    TRY(dataset_add_file(d, images_path, 0));
    *dataset = d;
    d = NULL;
fail:
    swwae_dataset_free(d);
    idx_free(&images);
    idx_free(&labels);
    free(images_path);
    free(labels_path);
    return status;
}
