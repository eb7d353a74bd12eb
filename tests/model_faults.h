/* model_faults.h - model files with one thing wrong, which must be refused by one sentence. */
#ifndef SWWAE_TESTS_MODEL_FAULTS_H
#define SWWAE_TESTS_MODEL_FAULTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "io/safetensors.h"
#include "swwae.h"
#include "temporary.h"

/* Changes a good file. */
typedef void change_fn(struct safetensors *file);

/* Writes model as `bad.safetensors` with one change. */
static inline const char *changed(const swwae_model *model, change_fn *change) {
    struct safetensors file = {0};
    const char *good = temporary_path("good.safetensors"), *bad = temporary_path("bad.safetensors");
    assert_int_equal(swwae_model_save(model, good), SWWAE_OK);
    assert_int_equal(safetensors_read(&file, good), SWWAE_OK);
    size_t count = file.count, pairs = file.metadata_count;
    char *saved[64];
    for (size_t i = 0; i < pairs; i++) saved[i] = file.metadata[i][1];
    change(&file);
    assert_int_equal(safetensors_write(bad, file.tensors, file.count,
                                       (const char *const(*)[2])file.metadata, file.metadata_count),
                     SWWAE_OK);
    for (size_t i = 0; i < pairs; i++) file.metadata[i][1] = saved[i];
    file.count = count;
    file.metadata_count = pairs;
    safetensors_free(&file);
    return bad;
}

/* Rewrites model with one change and frees it; the load must fail with `part` in its sentence. */
static inline void refuses_change(swwae_model *model, change_fn *change, const char *part) {
    swwae_model *back = NULL;
    assert_int_equal(swwae_model_load(&back, changed(model, change)), SWWAE_E_FORMAT);
    assert_null(back);
    if (!strstr(swwae_last_error(), "bad.safetensors: ") || !strstr(swwae_last_error(), part))
        fail_msg("\"%s\" lacks \"%s\"", swwae_last_error(), part);
    swwae_model_free(model);
}

/* Sets a metadata value. */
static inline void set(struct safetensors *file, const char *key, char *value) {
    for (size_t i = 0; i < file->metadata_count; i++)
        if (!strcmp(file->metadata[i][0], key)) file->metadata[i][1] = value;
}

#endif
