/* folder.c - making run folders; see folder.h. */
#include "train/folder.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/label_file.h"
#include "io/file.h"
#include "train/model_file.h"

#define LABELS_LIMIT (1u << 30) /* bytes of labels.json */
#define RUNS_LIMIT 100000

#define LOCK_FILE "lock"
static const char *const files[] = {"config.json", "labels.json",   "labels.csv", "metrics.csv",
                                    MODEL_FILE,    CHECKPOINT_FILE, PREVIOUS_FILE};

static char *join(const char *folder, const char *file) {
    size_t length = strlen(folder), room = length + strlen(file) + 2;
    char *path = malloc(room);
    bool slash = length && folder[length - 1] == '/';
    if (path) snprintf(path, room, "%s%s%s", folder, slash ? "" : "/", file);
    return path;
}

swwae_status folder_name(struct folder *folder, const char *path) {
    swwae_status status = SWWAE_OK;
    struct folder made = {.path = strdup(path)};
    char **member[] = {&made.config, &made.labels,     &made.draw,    &made.metrics,
                       &made.model,  &made.checkpoint, &made.previous};
    CHECK(made.path, SWWAE_E_MEMORY, "%.400s: no memory for the names of its files", path);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        *member[i] = join(path, files[i]);
        CHECK(*member[i], SWWAE_E_MEMORY, "%.400s: no memory for the names of its files", path);
    }
    *folder = made;
    return SWWAE_OK;
fail:
    folder_free(&made);
    return status;
}

void folder_free(struct folder *folder) {
    free(folder->path);
    free(folder->config);
    free(folder->labels);
    free(folder->draw);
    free(folder->metrics);
    free(folder->model);
    free(folder->checkpoint);
    free(folder->previous);
    lock_release(&folder->lock);
    *folder = (struct folder){0};
}

void folder_discard(const struct folder *folder) {
    const char *const made[] = {folder->config,  folder->labels, folder->draw,
                                folder->metrics, folder->model,  folder->checkpoint,
                                folder->previous};
    for (size_t i = 0; i < sizeof made / sizeof *made; i++)
        if (made[i]) unlink(made[i]);
}

bool folder_begun(const struct folder *folder) {
    return !access(folder->checkpoint, F_OK) || !access(folder->previous, F_OK);
}

/* ---- The lock --------------------------------------------------------------------------- */

/* FILE.tmp.NUMBER of one of the run's files: what file_begin names a file that is being written. */
static bool half_written(const char *name) {
    static const char middle[] = ".tmp.";
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        size_t length = strlen(files[i]);
        if (strncmp(name, files[i], length) != 0) continue;
        if (strncmp(name + length, middle, sizeof middle - 1) != 0) continue;
        const char *number = name + length + sizeof middle - 1, *end = number;
        while (isdigit((unsigned char)*end)) end++;
        if (end > number && !*end) return true;
    }
    return false;
}

/* Left-overs do no harm but take space, so what cannot be removed is left. */
static void sweep(const char *path) {
    DIR *list = opendir(path);
    const struct dirent *entry;
    while (list && (entry = readdir(list)))
        if (half_written(entry->d_name)) unlinkat(dirfd(list), entry->d_name, 0);
    if (list) closedir(list);
}

swwae_status folder_lock(struct folder *folder) {
    swwae_status status = SWWAE_OK;
    char *path = join(folder->path, LOCK_FILE);
    CHECK(path, SWWAE_E_MEMORY, "%.400s: no memory for the names of its files", folder->path);
    TRY(lock_take(&folder->lock, path, folder->path));
    if (folder->lock.held) sweep(folder->path);
fail:
    free(path);
    return status;
}

static bool automatic(const swwae_options *options) {
    return !strcmp(options->settings.out, "auto");
}

swwae_status folder_check(const swwae_options *options) {
    swwae_status status = SWWAE_OK;
    const char *out = options->settings.out;
    char *path = NULL;
    struct stat about;
    if (automatic(options)) return SWWAE_OK;
    CHECK(stat(out, &about) || S_ISDIR(about.st_mode), SWWAE_E_ARGUMENT,
          "option --out: %s is there and not a folder; name another", out);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        free(path);
        path = join(out, files[i]);
        CHECK(path, SWWAE_E_MEMORY, "%.400s: no memory for the names of its files", out);
        CHECK(lstat(path, &about), SWWAE_E_ARGUMENT,
              "option --out: %s already holds a run (%s); go on with it by --resume %s, or name "
              "another folder",
              out, files[i], out);
    }
fail:
    free(path);
    return status;
}

/* mkdir is what makes the name ours: two trainings that start together get two numbers. */
static swwae_status claim_number(char *out, size_t size, const char *name) {
    swwae_status status = file_make_folder("runs");
    if (status != SWWAE_OK) return status;
    for (int n = 1; n <= RUNS_LIMIT; n++) {
        snprintf(out, size, "runs/%s-%d", name, n);
        if (!mkdir(out, 0777)) return file_sync_entry(out);
        if (errno != EEXIST)
            return status_set(SWWAE_E_IO, "%.400s: cannot be made a folder (%s)", out,
                              strerror(errno));
    }
    return status_set(SWWAE_E_IO, "runs: holds %d runs of %s already; name a folder with --out",
                      RUNS_LIMIT, name);
}

swwae_status folder_claim(struct folder *folder, swwae_options *options,
                          const struct swwae_dataset *dataset) {
    swwae_status status = SWWAE_OK;
    char out[sizeof options->settings.out];
    if (automatic(options)) {
        bool plain = dataset->name[0] && dataset->name[0] != '.' && !strchr(dataset->name, '/');
        TRY(claim_number(out, sizeof out, plain ? dataset->name : "data"));
        TRY(swwae_options_set(options, "out", out));
    } else {
        TRY(file_make_folder(options->settings.out));
    }
    TRY(folder_name(folder, options->settings.out));
    TRY(folder_lock(folder));
    TRY(folder_check(options)); /* with the lock: nobody else begins a run here any longer */
    return SWWAE_OK;
fail:
    folder_free(folder); /* not ours: folder_discard must find nothing */
    return status;
}

swwae_status folder_write_config(const struct folder *folder, const swwae_options *options) {
    char *json = NULL;
    swwae_status status = options_json(&json, options, true);
    if (status == SWWAE_OK) status = file_write(folder->config, json, strlen(json));
    free(json);
    return status;
}

/* ---- labels.json ------------------------------------------------------------------------ */

/* A stream in memory that cannot grow says so in each call's result and nowhere else. */
static bool print_number(FILE *to, size_t place, size_t number) {
    return fprintf(to, "%s%s%zu", place ? "," : "", place % 16 || !place ? "" : "\n   ", number) >
           0;
}

/* Numbers of the images in the data's files. */
static bool print_indices(FILE *to, const char *key, const uint32_t *indices, size_t count,
                          const struct swwae_dataset *dataset) {
    bool good = fprintf(to, ",\n  \"%s\": [", key) > 0;
    for (size_t i = 0; good && i < count; i++)
        good = print_number(to, i, dataset_number(dataset, indices[i]));
    return good && fprintf(to, "]") > 0;
}

/* The images of the files that the training set lacks. */
static bool print_held_out(FILE *to, const struct swwae_dataset *dataset) {
    size_t place = 0, next = 0;
    bool good = fprintf(to, ",\n  \"test_fingerprint\": \"%016" PRIx64 "\",\n  \"test\": [",
                        dataset->held_out) > 0;
    for (size_t i = 0; good && i <= dataset->count; i++) {
        size_t end = i < dataset->count ? dataset_number(dataset, i) : dataset_total(dataset);
        for (; good && next < end; next++) good = print_number(to, place++, next);
        next = end + 1;
    }
    return good && fprintf(to, "]") > 0;
}

static swwae_status print_counts(FILE *to, const char *key, const uint32_t *indices, size_t count,
                                 const struct swwae_dataset *dataset) {
    size_t classes = (size_t)dataset->classes;
    size_t *each = calloc(classes + 1, sizeof *each);
    if (!each) return status_set(SWWAE_E_MEMORY, "no memory to count the labels");
    for (size_t i = 0; i < count; i++) {
        int32_t label = dataset->labels ? dataset->labels[indices[i]] : -1;
        if (label >= 0 && (size_t)label < classes) each[label]++;
    }
    bool good = fprintf(to, ",\n  \"%s\": [", key) > 0;
    for (size_t k = 0; good && k < classes; k++)
        good = fprintf(to, "%s%zu", k ? ", " : "", each[k]) > 0;
    good = good && fprintf(to, "]") > 0;
    free(each);
    return good ? SWWAE_OK : status_set(SWWAE_E_MEMORY, "no memory for the drawn labels");
}

static swwae_status labels_text(char **text, size_t *size, const struct label_draw *draw,
                                const struct swwae_dataset *dataset, uint64_t seed) {
    swwae_status status = SWWAE_OK;
    char *made = NULL;
    FILE *to = open_memstream(&made, size);
    CHECK(to, SWWAE_E_MEMORY, "no memory for the drawn labels");
    bool good = fprintf(to, "{\n  \"seed\": %" PRIu64 ",\n  \"images\": %zu", seed,
                        dataset_total(dataset)) > 0;
    TRY(print_counts(to, "labelled_per_class", draw->labelled, draw->labelled_count, dataset));
    TRY(print_counts(to, "validation_per_class", draw->validation, draw->validation_count,
                     dataset));
    good = good && print_indices(to, "labelled", draw->labelled, draw->labelled_count, dataset) &&
           print_indices(to, "validation", draw->validation, draw->validation_count, dataset) &&
           (!dataset->held_out || print_held_out(to, dataset)) && fprintf(to, "\n}\n") > 0;
    good = !fclose(to) && good && made;
    to = NULL;
    CHECK(good, SWWAE_E_MEMORY, "no memory for the drawn labels");
    *text = made;
    return SWWAE_OK;
fail:
    if (to) fclose(to);
    free(made);
    return status;
}

swwae_status folder_write_labels(const struct folder *folder, const struct label_draw *draw,
                                 const struct swwae_dataset *dataset, uint64_t seed) {
    char *text = NULL;
    size_t size = 0;
    swwae_status status = labels_text(&text, &size, draw, dataset, seed);
    if (status == SWWAE_OK) status = file_write(folder->labels, text, size);
    free(text);
    text = NULL;
    if (status == SWWAE_OK && draw->labelled_count)
        status = label_file_text(&text, draw->labelled, draw->labelled_count, dataset);
    if (text) status = file_write(folder->draw, text, strlen(text));
    free(text);
    return status;
}

swwae_status folder_check_labels(const struct folder *folder, const struct label_draw *draw,
                                 const struct swwae_dataset *dataset, uint64_t seed) {
    swwae_status status = SWWAE_OK;
    char *text = NULL, *written = NULL;
    size_t size = 0, written_size = 0;
    TRY(labels_text(&text, &size, draw, dataset, seed));
    TRY(file_read(folder->labels, LABELS_LIMIT, &written, &written_size));
    CHECK(
        text && written && size == written_size && !memcmp(text, written, size), SWWAE_E_DATA,
        "%.400s: does not list the images that seed %" PRIu64
        " draws from the data now, so the data has changed since the run began, or the version of "
        "swwae; start a new run",
        folder->labels, seed);
fail:
    free(text);
    free(written);
    return status;
}
