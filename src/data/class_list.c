/* class_list.c - listing folders of class folders; see class_list.h. */
#include "data/class_list.h"

#include "data/dataset.h"
#include "data/path.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const split_folders[] = {"train", "test"};
#define UNLABELLED "unlabelled"

/* ---- Lists of names ---- */

struct names {
    char **name;
    size_t count;
};

static swwae_status names_add(struct names *names, const char *name) {
    size_t n = names->count;
    if ((n & (n - 1)) == 0) { /* full at every power of two */
        char **grown = realloc(names->name, (n ? 2 * n : 1) * sizeof *grown);
        if (!grown) return status_set(SWWAE_E_MEMORY, "not enough memory for the names of files");
        names->name = grown;
    }
    names->name[n] = strdup(name);
    if (!names->name[n])
        return status_set(SWWAE_E_MEMORY, "not enough memory for the names of files");
    names->count++;
    return SWWAE_OK;
}

static void names_free(struct names *names) {
    for (size_t i = 0; i < names->count; i++) free(names->name[i]);
    free(names->name);
    *names = (struct names){0};
}

static int compare(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b); /* compares bytes, as unsigned */
}

static void names_sort(struct names *names) {
    if (names->count) qsort(names->name, names->count, sizeof *names->name, compare);
}

/* ---- One folder ---- */

static bool is_picture(const char *name) {
    static const char *const ends[] = {".png", ".jpg", ".jpeg"};
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t n = strlen(ends[i]);
        if (length > n && !strcasecmp(name + length - n, ends[i])) return true;
    }
    return false;
}

/* What a folder holds, sorted; hidden names are left out. */
struct content {
    struct names folders, pictures;
    size_t others;
};

static void content_free(struct content *content) {
    names_free(&content->folders);
    names_free(&content->pictures);
}

/* A name that ends as a picture's does is one, whatever it is: reading it tells. So only the few
 * other names need a look at what they are. */
static swwae_status content_take(struct content *content, const char *folder, const char *name) {
    if (*name == '.') return SWWAE_OK;
    if (is_picture(name)) return names_add(&content->pictures, name);
    char *path = path_format("%s/%s", folder, name);
    if (!path) return status_set(SWWAE_E_MEMORY, "not enough memory for a path");
    bool is_folder = path_is_folder(path);
    free(path);
    if (is_folder) return names_add(&content->folders, name);
    content->others++;
    return SWWAE_OK;
}

static swwae_status content_read(struct content *content, const char *folder) {
    swwae_status status = SWWAE_OK;
    struct content made = {0};
    DIR *stream = opendir(folder);
    struct dirent *entry;
    CHECK(stream, SWWAE_E_IO, "cannot list the folder %s: %s", folder, strerror(errno));
    for (errno = 0; (entry = readdir(stream)); errno = 0)
        TRY(content_take(&made, folder, entry->d_name));
    CHECK(!errno, SWWAE_E_IO, "cannot list the folder %s: %s", folder, strerror(errno));
    names_sort(&made.folders);
    names_sort(&made.pictures);
    *content = made;
    made = (struct content){0};
fail:
    content_free(&made);
    if (stream) closedir(stream);
    return status;
}

/* ---- Which layout ---- */

/* True when a name of the folder is a picture's. */
static bool holds_pictures(const char *folder) {
    DIR *stream = opendir(folder);
    struct dirent *entry;
    bool found = false;
    while (stream && !found && (entry = readdir(stream)))
        found = *entry->d_name != '.' && is_picture(entry->d_name);
    if (stream) closedir(stream);
    return found;
}

/* *holds: some folder inside holds pictures. */
static swwae_status holds_classes(bool *holds, const char *folder) {
    swwae_status status = SWWAE_OK;
    DIR *stream = opendir(folder);
    struct dirent *entry;
    bool found = false;
    while (stream && !found && (entry = readdir(stream))) {
        if (*entry->d_name == '.') continue;
        char *path = path_format("%s/%s", folder, entry->d_name);
        CHECK(path, SWWAE_E_MEMORY, "not enough memory for a path");
        found = holds_pictures(path);
        free(path);
    }
    *holds = found;
fail:
    if (stream) closedir(stream);
    return status;
}

/* The folders with the classes of each split, "" for the folder itself, NULL: there is none. */
static swwae_status find_splits(const char *roots[2], const char *folder) {
    swwae_status status = SWWAE_OK;
    bool holds = false;
    roots[0] = roots[1] = NULL;
    for (int s = 0; s < 2; s++) {
        char *path = path_format("%s/%s", folder, split_folders[s]);
        CHECK(path, SWWAE_E_MEMORY, "not enough memory for a path");
        status = holds_classes(&holds, path);
        free(path);
        TRY(status);
        if (holds) roots[s] = split_folders[s];
    }
    if (roots[0] || roots[1]) return SWWAE_OK;
    TRY(holds_classes(&holds, folder));
    if (holds) roots[SWWAE_SPLIT_TRAIN] = "";
fail:
    return status;
}

swwae_status class_list_has(bool *has, const char *folder, swwae_split split) {
    const char *roots[2];
    swwae_status status = find_splits(roots, folder);
    if (status == SWWAE_OK) *has = roots[split] != NULL;
    return status;
}

/* ---- The list ---- */

/* Appends a folder's pictures; inside: the folder's place in the data set's. */
static swwae_status add_pictures(struct class_list *list, struct names *paths, const char *folder,
                                 const char *inside, int32_t label) {
    swwae_status status = SWWAE_OK;
    struct content content = {0};
    char *path = path_format("%s/%s", folder, inside), *one = NULL;
    CHECK(path, SWWAE_E_MEMORY, "not enough memory for a path");
    TRY(content_read(&content, path));
    CHECK(!content.folders.count, SWWAE_E_DATA,
          "%s/%s is a folder inside a class folder; put its pictures directly into the folder of "
          "their class, or hide it with a name that begins with a dot",
          path, content.folders.name[0]);
    CHECK(content.pictures.count, SWWAE_E_DATA,
          "the class folder %s holds no picture (.png, .jpg or .jpeg); add some or remove it",
          path);
    int32_t *labels =
        realloc(list->label, (paths->count + content.pictures.count) * sizeof *labels);
    CHECK(labels, SWWAE_E_MEMORY, "not enough memory for the names of files");
    list->label = labels;
    for (size_t i = 0; i < content.pictures.count; i++) {
        free(one);
        one = path_format("%s/%s", inside, content.pictures.name[i]);
        CHECK(one, SWWAE_E_MEMORY, "not enough memory for a path");
        list->label[paths->count] = label;
        TRY(names_add(paths, one));
    }
    list->ignored += content.others;
fail:
    content_free(&content);
    free(path);
    free(one);
    return status;
}

static swwae_status check_names(const struct names *classes, const char *path) {
    swwae_status status = SWWAE_OK;
    CHECK(classes->count <= DATASET_CLASS_LIMIT, SWWAE_E_DATA,
          "%s holds %zu class folders, the limit is %d", path, classes->count, DATASET_CLASS_LIMIT);
    for (size_t k = 0; k < classes->count; k++)
        CHECK(dataset_name_good(classes->name[k]), SWWAE_E_DATA,
              "the class folder %s/%s has a name that cannot be a class's, expected UTF-8 of at "
              "most 63 bytes without control characters; rename it",
              path, classes->name[k]);
fail:
    return status;
}

/* Takes the folder of images without labels out of the classes. */
static void drop_unlabelled(struct names *classes) {
    for (size_t k = 0; k < classes->count; k++) {
        if (strcmp(classes->name[k], UNLABELLED) != 0) continue;
        free(classes->name[k]);
        classes->count--;
        memmove(classes->name + k, classes->name + k + 1,
                (classes->count - k) * sizeof *classes->name);
        return;
    }
}

/* The names of the class folders in folder/root. */
static swwae_status list_classes(struct names *classes, const char *folder, const char *root) {
    swwae_status status = SWWAE_OK;
    struct content content = {0};
    char *path = path_format("%s%s%s", folder, *root ? "/" : "", root);
    CHECK(path, SWWAE_E_MEMORY, "not enough memory for a path");
    TRY(content_read(&content, path));
    if (!*root) drop_unlabelled(&content.folders);
    TRY(check_names(&content.folders, path));
    *classes = content.folders;
    content.folders = (struct names){0};
fail:
    content_free(&content);
    free(path);
    return status;
}

/* The place of a name among the classes, -1 for none. */
static int32_t class_of(const struct names *classes, const char *name) {
    char **found = classes->count ? bsearch(&name, classes->name, classes->count,
                                            sizeof *classes->name, compare)
                                  : NULL;
    return found ? (int32_t)(found - classes->name) : -1;
}

static swwae_status add_unlabelled(struct class_list *list, struct names *paths,
                                   const char *folder) {
    char *path = path_format("%s/" UNLABELLED, folder);
    if (!path) return status_set(SWWAE_E_MEMORY, "not enough memory for a path");
    bool there = path_is_folder(path);
    free(path);
    return there ? add_pictures(list, paths, folder, UNLABELLED, -1) : SWWAE_OK;
}

swwae_status class_list_read(struct class_list *list, const char *folder, swwae_split split) {
    swwae_status status = SWWAE_OK;
    struct class_list made = {0};
    struct names classes = {0}, folders = {0}, paths = {0};
    const char *roots[2];
    char *inside = NULL;
    TRY(find_splits(roots, folder));
    const char *root = roots[split], *train = roots[SWWAE_SPLIT_TRAIN];
    CHECK(root, SWWAE_E_IO, "the class folders of %s have gone", folder);
    TRY(list_classes(&folders, folder, root));
    TRY(list_classes(&classes, folder, train ? train : root));
    for (size_t k = 0; k < folders.count; k++) {
        int32_t label = class_of(&classes, folders.name[k]);
        CHECK(label >= 0, SWWAE_E_DATA,
              "the class folder %s/%s/%s has no training images (no folder %s/%s/%s); add some or "
              "remove it",
              folder, root, folders.name[k], folder, train, folders.name[k]);
        free(inside);
        inside = path_format("%s%s%s", root, *root ? "/" : "", folders.name[k]);
        CHECK(inside, SWWAE_E_MEMORY, "not enough memory for a path");
        TRY(add_pictures(&made, &paths, folder, inside, label));
    }
    if (split == SWWAE_SPLIT_TRAIN) TRY(add_unlabelled(&made, &paths, folder));
    made.path = paths.name;
    made.count = paths.count;
    made.name = classes.name;
    made.classes = classes.count;
    *list = made;
    made = (struct class_list){0};
    paths = classes = (struct names){0};
fail:
    free(made.label);
    names_free(&classes);
    names_free(&folders);
    names_free(&paths);
    free(inside);
    return status;
}

void class_list_free(struct class_list *list) {
    for (size_t i = 0; i < list->count; i++) free(list->path[i]);
    for (size_t k = 0; k < list->classes; k++) free(list->name[k]);
    free(list->path);
    free(list->label);
    free(list->name);
    *list = (struct class_list){0};
}
