/* runs.h - what tests of whole training runs share: a small data set, runs on it, their files. */
#ifndef SWWAE_TESTS_RUNS_H
#define SWWAE_TESTS_RUNS_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data/shapes.h"
#include "io/file.h"
#include "swwae.h"
#include "temporary.h"

#define ARCH "(4)3c-4p-(6)3c-4p-10fc"
#define IMAGES 240

/* ---- A small data set ------------------------------------------------------------------- */

static inline void put_size(unsigned char *to, size_t size) {
    for (int i = 0; i < 4; i++) to[i] = (unsigned char)(size >> (24 - 8 * i));
}

/* IDX files of some synthetic shapes: epochs of a few steps. */
static inline const char *small_data(void) {
    static const char *folder;
    if (folder) return folder;
    static char kept[512];
    snprintf(kept, sizeof kept, "%s", temporary_subfolder("small"));
    struct swwae_dataset *d;
    assert_int_equal(shapes_generate(&d, 3, SWWAE_SPLIT_TRAIN, IMAGES), SWWAE_OK);
    size_t bytes = (size_t)IMAGES * 32 * 32;
    unsigned char *images = malloc(16 + bytes), labels[8 + IMAGES] = {0, 0, 8, 1};
    memcpy(images, (unsigned char[]){0, 0, 8, 3}, 4);
    put_size(images + 4, IMAGES);
    put_size(images + 8, 32);
    put_size(images + 12, 32);
    memcpy(images + 16, d->images, bytes);
    put_size(labels + 4, IMAGES);
    for (size_t i = 0; i < IMAGES; i++) labels[8 + i] = (unsigned char)d->labels[i];
    temporary_write("small/train-images-idx3-ubyte", images, 16 + bytes);
    temporary_write("small/train-labels-idx1-ubyte", labels, sizeof labels);
    swwae_dataset_free(d);
    free(images);
    return folder = kept;
}

/* ---- Runs ------------------------------------------------------------------------------- */

/* What the callback saw, and when it stops. */
struct seen {
    const char *stop_at; /* stops at the first progress of this kind; NULL: never */
    int calls, validations, bests, messages;
    double first_loss, last_loss;
    uint64_t step; /* of the last report on training */
    char message[512];
    char folder[512]; /* of the message that names it */
    bool bad;         /* something that must not be */
};

static inline double score_of(const swwae_progress *p) {
    return p->best_by_error ? p->validation_error : p->validation_rec;
}

static inline int watch(const swwae_progress *p, void *user) {
    struct seen *seen = user;
    seen->calls++;
    if (p->message && !strncmp(p->message, "run folder: ", 12)) {
        snprintf(seen->folder, sizeof seen->folder, "%s", p->message + 12);
    } else if (p->message) {
        if (strncmp(p->message, "run folder: ", 12) == 0) return 0; /* every new run's first */
        seen->messages++;
        snprintf(seen->message, sizeof seen->message, "%s", p->message);
        seen->bad = seen->bad || strcmp(p->what, "message") != 0;
    } else if (!strcmp(p->what, "train")) {
        /* the one report on a complete run that is resumed: no step, so no loss */
        bool complete = isnan(p->loss) && p->step == p->steps && !p->validated;
        if (isnan(seen->first_loss)) seen->first_loss = p->loss;
        if (!complete) seen->last_loss = p->loss;
        seen->step = p->step;
        seen->bad = seen->bad || isnan(p->best_score) != !p->best_step || p->best_step > p->step;
        seen->bad = seen->bad || (!isfinite(p->loss) && !complete) || p->step > p->steps ||
                    p->steps == 0 || p->seconds_left < 0 || !(p->epochs > 0);
        /* of equal scores the later one is the best */
        if (p->validated)
            seen->bad = seen->bad || p->best != (score_of(p) <= p->best_score) ||
                        (p->best && p->best_step != p->step);
        seen->validations += p->validated;
        seen->bests += p->best;
    }
    return seen->stop_at && !strcmp(seen->stop_at, p->what);
}

static inline struct seen unseen(const char *stop_at) {
    return (struct seen){.stop_at = stop_at, .first_loss = NAN, .last_loss = NAN};
}

/* Options from name, value, ..., NULL on top of the small defaults. */
static inline swwae_options *options_of(va_list pairs) {
    swwae_options *options;
    assert_int_equal(swwae_options_create(&options), SWWAE_OK);
    const char *name;
    const char *const base[][2] = {{"recipe", "none"}, {"arch", ARCH},  {"validation", "40"},
                                   {"epochs", "3"},    {"batch", "16"}, {"lr", "0.01"},
                                   {"threads", "1"}};
    assert_int_equal(swwae_options_set(options, "data", small_data()), SWWAE_OK);
    for (size_t i = 0; i < sizeof base / sizeof *base; i++)
        assert_int_equal(swwae_options_set(options, base[i][0], base[i][1]), SWWAE_OK);
    while ((name = va_arg(pairs, const char *))) {
        const char *value = va_arg(pairs, const char *);
        if (swwae_options_set(options, name, value) != SWWAE_OK) fail_msg("%s", swwae_last_error());
    }
    return options;
}

static inline swwae_status train(struct seen *seen, const char *out, ...) {
    va_list pairs;
    va_start(pairs, out);
    swwae_options *options = options_of(pairs);
    va_end(pairs);
    assert_int_equal(swwae_options_set(options, "out", temporary_path(out)), SWWAE_OK);
    swwae_status status = swwae_train(options, watch, seen);
    swwae_options_free(options);
    assert_false(seen->bad);
    return status;
}

static inline swwae_status go_on(struct seen *seen, const char *out) {
    swwae_status status = swwae_resume(temporary_path(out), NULL, watch, seen);
    assert_false(seen->bad);
    return status;
}

static inline void well(swwae_status status) {
    if (status != SWWAE_OK) fail_msg("%s: %s", swwae_status_text(status), swwae_last_error());
}

/* A file of a run; the caller frees it. */
static inline char *file_of(const char *run, const char *name, size_t *size) {
    char path[128], *data;
    snprintf(path, sizeof path, "%s/%s", run, name);
    well(file_read(temporary_path(path), 1 << 26, &data, size));
    return data;
}

static inline void same_file(const char *a, const char *b, const char *name) {
    size_t m, n;
    char *x = file_of(a, name, &m), *y = file_of(b, name, &n);
    if (m != n || memcmp(x, y, m) != 0) fail_msg("%s of %s and %s differ", name, a, b);
    free(x);
    free(y);
}

/* metrics.csv without its last column, the seconds. */
static inline char *metrics_of(const char *run) {
    size_t size;
    char *text = file_of(run, "metrics.csv", &size), *to = text;
    for (char *at = text; *at; at++) {
        if (*at == ',' && !strpbrk(at + 1, ",\n")) break;
        char *next = strpbrk(at + 1, ",\n");
        if (*at == ',' && next && *next == '\n') {
            at = next - 1;
            continue;
        }
        *to++ = *at;
    }
    *to = 0;
    return text;
}

static inline void same_run(const char *a, const char *b) {
    same_file(a, b, "model.safetensors");
    same_file(a, b, "checkpoint.safetensors");
    same_file(a, b, "labels.json");
    char *x = metrics_of(a), *y = metrics_of(b);
    assert_string_equal(x, y);
    free(x);
    free(y);
}

static inline int rows_of(const char *run) {
    size_t size;
    char *text = file_of(run, "metrics.csv", &size);
    int rows = -1; /* the header */
    for (size_t i = 0; i < size; i++) rows += text[i] == '\n';
    free(text);
    return rows;
}

static inline bool metrics_have(const char *run, const char *part) {
    size_t size;
    char *text = file_of(run, "metrics.csv", &size);
    bool found = strstr(text, part) != NULL;
    free(text);
    return found;
}

/* The cell of the table's last row under a heading, which ends in a comma; "" for an empty one. */
static inline const char *last_cell(const char *run, const char *heading) {
    static char cell[64];
    size_t size, column = 0, at = 0;
    char *text = file_of(run, "metrics.csv", &size);
    for (; strncmp(text + at, heading, strlen(heading)) != 0; at++) column += text[at] == ',';
    for (at = size - 1; text[at - 1] != '\n'; at--) continue;
    for (; column; at++) column -= text[at] == ',';
    snprintf(cell, sizeof cell, "%.*s", (int)strcspn(text + at, ",\n"), text + at);
    free(text);
    return cell;
}

static inline void says(swwae_status status, swwae_status expected, const char *part) {
    if (status != expected || !strstr(swwae_last_error(), part))
        fail_msg("%s: \"%s\", expected %s: \"%s\"", swwae_status_text(status), swwae_last_error(),
                 swwae_status_text(expected), part);
}

#endif
