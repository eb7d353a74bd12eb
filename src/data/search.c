/* search.c - finding a data set by name or folder, in whatever form it has: swwae_dataset_open. */
#include "data/cifar.h"
#include "data/class_folders.h"
#include "data/class_list.h"
#include "data/dataset.h"
#include "data/hold_out.h"
#include "data/idx_folder.h"
#include "data/path.h"
#include "data/shapes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Data sets that are looked for by name. */
static const struct known {
    const char *name;
    const char *classes[10]; /* of IDX files, which hold numbers only */
    const char *advice;      /* ends the sentence about files not found */
} known_sets[] = {{"mnist",
                   {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
                   "put its four files into one of these folders or set SWWAE_DATA"},
                  {"fashion-mnist",
                   {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt",
                    "Sneaker", "Bag", "Ankle boot"},
                   "install Debian's package dataset-fashion-mnist or set SWWAE_DATA"},
                  {"cifar10",
                   {0},
                   "unpack its binary version, or class folders of its pictures, into one of these "
                   "folders or set SWWAE_DATA"},
                  {"cifar100",
                   {0},
                   "unpack its binary version, or class folders of its pictures, into one of these "
                   "folders or set SWWAE_DATA"}};

static const struct known *find_known(const char *name) {
    for (size_t i = 0; i < sizeof known_sets / sizeof *known_sets; i++)
        if (strcmp(name, known_sets[i].name) == 0) return &known_sets[i];
    return NULL;
}

/* ---- Forms ---- */

/* What a folder may hold; the first form that has the split is read. */
static const struct form {
    swwae_status (*has)(bool *has, const char *folder, swwae_split split);
    swwae_status (*read)(struct swwae_dataset **dataset, const char *folder, swwae_split split);
} forms[] = {{idx_folder_has, idx_folder_read},
             {cifar_has, cifar_read},
             {class_list_has, class_folders_read}};
#define FORMS (sizeof forms / sizeof *forms)

/* The form in which a folder has the split; NULL in *form: none. */
static swwae_status find_form(const struct form **form, const char *folder, swwae_split split) {
    *form = NULL;
    for (size_t f = 0; f < FORMS; f++) {
        bool has = false;
        swwae_status status = forms[f].has(&has, folder, split);
        if (status != SWWAE_OK) return status;
        if (!has) continue;
        *form = &forms[f];
        return SWWAE_OK;
    }
    return SWWAE_OK;
}

static swwae_status read_folder(struct swwae_dataset **dataset, const struct form *form,
                                const char *folder, swwae_split split) {
    struct swwae_dataset *d = NULL;
    swwae_status status = form->read(&d, folder, split);
    if (status != SWWAE_OK) return status;
    const struct known *known = find_known(d->name);
    for (int k = 0; known && form->read == idx_folder_read && k < d->classes && k < 10; k++)
        if (known->classes[k])
            snprintf(d->class_names[k], sizeof d->class_names[k], "%s", known->classes[k]);
    *dataset = d;
    return SWWAE_OK;
}

static const char *split_noun(swwae_split split) {
    return split == SWWAE_SPLIT_TRAIN ? "training" : "test";
}

/* The sentence about a folder that has not the split. */
static swwae_status report_none(const char *folder, swwae_split split) {
    const struct form *other;
    char name[64];
    swwae_status status = find_form(&other, folder, (swwae_split)!split);
    if (status != SWWAE_OK) return status;
    if (other && split == SWWAE_SPLIT_TEST)
        return status_set(SWWAE_E_IO,
                          "%s has training images only; take those (--split train), name other "
                          "data (--data), or train with some of them held out as test images "
                          "(--test-count)",
                          folder);
    if (other) return status_set(SWWAE_E_IO, "%s has test images only", folder);
    path_folder_name(name, folder);
    return status_set(SWWAE_E_IO,
                      "%s holds no %s images: neither MNIST's IDX files (%s-images-idx3-ubyte, "
                      "plain or .gz), nor "
                      "CIFAR's binary files, nor class folders of PNG or JPEG files%s",
                      folder, split_noun(split), split == SWWAE_SPLIT_TRAIN ? "train" : "t10k",
                      strcmp(name, "fashion-mnist") == 0
                          ? "; Debian's package dataset-fashion-mnist has this data set"
                          : "");
}

static swwae_status open_folder(struct swwae_dataset **dataset, const char *folder,
                                swwae_split split) {
    swwae_status status = SWWAE_OK;
    const struct form *form;
    CHECK(path_is_there(folder), SWWAE_E_IO, "the data folder %s does not exist", folder);
    CHECK(path_is_folder(folder), SWWAE_E_IO,
          "%s is a file; give the folder that holds a data set (IDX files, CIFAR's binary files, "
          "or class folders of pictures)",
          folder);
    TRY(find_form(&form, folder, split));
    if (!form) return report_none(folder, split);
    TRY(read_folder(dataset, form, folder, split));
fail:
    return status;
}

/* ---- Places ---- */

#define PLACES 6

struct places {
    char *path[PLACES]; /* (count), to be freed; NULL: no memory */
    size_t count;
};

static void add_place(struct places *places, const char *parent, const char *between,
                      const char *name) {
    places->path[places->count++] = path_format("%s%s%s", parent, between, name);
}

/* The folders a named data set may be in, in order. */
static swwae_status list_places(struct places *places, const char *name) {
    const char *data = getenv("SWWAE_DATA"), *cache = getenv("XDG_CACHE_HOME"),
               *home = getenv("HOME");
    if (data && *data) {
        char last[64];
        path_folder_name(last, data);
        add_place(places, data, "/", name);
        if (strcmp(last, name) == 0) add_place(places, data, "", "");
    }
    add_place(places, "./data", "/", name);
    if (cache && *cache)
        add_place(places, cache, "/swwae/", name);
    else if (home && *home)
        add_place(places, home, "/.cache/swwae/", name);
    add_place(places, "/usr/share/datasets", "/", name);
    if (path_is_folder(name)) add_place(places, ".", "/", name);
    for (size_t i = 0; i < places->count; i++)
        if (!places->path[i]) return status_set(SWWAE_E_MEMORY, "not enough memory for a path");
    return SWWAE_OK;
}

/* "a, b or c"; NULL without memory. */
static char *join_places(const struct places *places) {
    char *text = path_format("%s", places->path[0]);
    for (size_t i = 1; text && i < places->count; i++) {
        const char *between = i + 1 == places->count ? " or " : ", ";
        char *longer = path_format("%s%s%s", text, between, places->path[i]);
        free(text);
        text = longer;
    }
    return text;
}

/* The sentence about a named set that is in none of its places; one that has the other split says
 * more. */
static swwae_status report_missing(const struct known *known, const struct places *places,
                                   swwae_split split) {
    const struct form *other;
    for (size_t i = 0; i < places->count; i++) {
        swwae_status status = find_form(&other, places->path[i], (swwae_split)!split);
        if (status != SWWAE_OK) return status;
        if (other) return report_none(places->path[i], split);
    }
    char *list = join_places(places);
    swwae_status status =
        status_set(SWWAE_E_IO, "no %s images of %s are in %.600s; %s", split_noun(split),
                   known->name, list ? list : "the usual places", known->advice);
    free(list);
    return status;
}

static swwae_status open_known(struct swwae_dataset **dataset, const struct known *known,
                               swwae_split split) {
    swwae_status status = SWWAE_OK;
    struct places places = {0};
    const struct form *form = NULL;
    TRY(list_places(&places, known->name));
    for (size_t i = 0; i < places.count && !form; i++) {
        TRY(find_form(&form, places.path[i], split));
        if (form) TRY(read_folder(dataset, form, places.path[i], split));
    }
    if (!form) TRY(report_missing(known, &places, split));
fail:
    for (size_t i = 0; i < places.count; i++) free(places.path[i]);
    return status;
}

bool swwae_dataset_is_there(const char *name, swwae_split split) {
    struct places places = {0};
    const struct form *form = NULL;
    if (!name || (split != SWWAE_SPLIT_TRAIN && split != SWWAE_SPLIT_TEST)) return false;
    if (strcmp(name, "shapes") == 0) return true;
    if (!find_known(name))
        return path_is_folder(name) && find_form(&form, name, split) == SWWAE_OK && form;
    if (list_places(&places, name) == SWWAE_OK)
        for (size_t i = 0; i < places.count && !form; i++)
            if (find_form(&form, places.path[i], split) != SWWAE_OK) break;
    for (size_t i = 0; i < places.count; i++) free(places.path[i]);
    return form != NULL;
}

static swwae_status open_any(struct swwae_dataset **dataset, const char *name, swwae_split split) {
    swwae_status status = SWWAE_OK;
    const struct known *known = find_known(name);
    if (strcmp(name, "shapes") == 0) {
        TRY(shapes_generate(dataset, SHAPES_SEED, split,
                            split == SWWAE_SPLIT_TRAIN ? SHAPES_TRAIN_COUNT : SHAPES_TEST_COUNT));
    } else if (known) {
        TRY(open_known(dataset, known, split));
    } else {
        CHECK(strchr(name, '/') || path_is_there(name), SWWAE_E_ARGUMENT,
              "there is no data set \"%s\", expected shapes, mnist, fashion-mnist, cifar10, "
              "cifar100 or the folder of a data set",
              name);
        TRY(open_folder(dataset, name, split));
    }
fail:
    return status;
}

swwae_status swwae_dataset_open_held_out(swwae_dataset **dataset, const char *name,
                                         swwae_split split, int pad, size_t test_count) {
    swwae_status status = SWWAE_OK;
    struct swwae_dataset *d = NULL;
    CHECK(dataset && name, SWWAE_E_ARGUMENT, "swwae_dataset_open was given NULL");
    CHECK(split == SWWAE_SPLIT_TRAIN || split == SWWAE_SPLIT_TEST, SWWAE_E_ARGUMENT,
          "split is %d, expected train (0) or test (1)", (int)split);
    CHECK(pad >= 0 && pad <= DATASET_SIDE_LIMIT, SWWAE_E_ARGUMENT,
          "pad is %d, expected 0 (none) to %d", pad, DATASET_SIDE_LIMIT);
    TRY(open_any(&d, name, test_count ? SWWAE_SPLIT_TRAIN : split));
    TRY(hold_out(d, split, test_count));
    TRY(dataset_pad(d, pad));
    *dataset = d;
    return SWWAE_OK;
fail:
    swwae_dataset_free(d);
    return status;
}

swwae_status swwae_dataset_open(swwae_dataset **dataset, const char *name, swwae_split split,
                                int pad) {
    return swwae_dataset_open_held_out(dataset, name, split, pad, 0);
}
