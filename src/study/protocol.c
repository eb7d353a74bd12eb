/* protocol.c - study.json; see protocol.h. */
#include "study/protocol.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "io/file.h"
#include "train/options.h"

#define FILE_NAME "study.json"
#define LIMIT (1 << 20) /* bytes of it */

const char *protocol_portable(char name[PROTOCOL_NAME], const char *path) {
    size_t end = strlen(path), start;
    while (end > 1 && path[end - 1] == '/') end--;
    for (start = end; start > 0 && path[start - 1] != '/';) start--;
    snprintf(name, PROTOCOL_NAME, "%.*s", (int)(end - start), path + start);
    return name;
}

/* ---- Reading and writing ---------------------------------------------------------------- */

swwae_status protocol_read(json_t **before, const struct study *study) {
    swwae_status status = SWWAE_OK;
    char *data = NULL, path[STUDY_PATH];
    size_t size;
    json_error_t fault;
    TRY(study_path(path, study, FILE_NAME));
    if (access(path, F_OK)) return SWWAE_OK;
    TRY(file_read(path, LIMIT, &data, &size));
    *before = json_parse(data, size, JSON_REJECT_DUPLICATES, &fault);
    CHECK(*before || json_at_fault(&fault), SWWAE_E_MEMORY, "%.400s: no memory to read it", path);
    CHECK(json_is_object(*before), SWWAE_E_FORMAT,
          "%.400s: not a JSON object, expected what an earlier call of this study wrote", path);
fail:
    free(data);
    return status;
}

/* JSON whose numbers read back as they are: with 15 digits, so that 0.1 stays 0.1, where these do,
 * else with 17. malloc'ed; NULL without memory. */
static char *exact_text(const json_t *json) {
    json_error_t fault;
    char *text = json_text(json, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    json_t *back = text ? json_parse(text, strlen(text), 0, &fault) : NULL;
    if (!json_equal(back, json)) {
        free(text);
        text = back ? json_text(json, JSON_INDENT(2) | JSON_REAL_PRECISION(17)) : NULL;
    }
    json_decref(back);
    return text;
}

swwae_status protocol_save(const struct study *study, const json_t *now) {
    swwae_status status = SWWAE_OK;
    char path[STUDY_PATH];
    char *text = exact_text(now);
    CHECK(text, SWWAE_E_MEMORY, "no memory for " FILE_NAME);
    TRY(study_path(path, study, FILE_NAME));
    TRY(file_write(path, text, strlen(text)));
fail:
    free(text);
    return status;
}

/* What shapes the model of the options' training. */
static swwae_status options_object(json_t **object, const swwae_options *options) {
    swwae_status status = SWWAE_OK;
    swwae_options *kept = NULL;
    char *text = NULL, name[PROTOCOL_NAME];
    json_error_t fault;
    TRY(options_copy(&kept, options));
    TRY(swwae_options_set(kept, "data", protocol_portable(name, swwae_options_get(kept, "data"))));
    TRY(options_json(&text, kept, false));
    CHECK(*object = json_parse(text, strlen(text), 0, &fault), SWWAE_E_MEMORY,
          "no memory for " FILE_NAME);
fail:
    swwae_options_free(kept);
    free(text);
    return status;
}

/* Every option's default. */
static swwae_status defaults(json_t **usual) {
    swwae_status status = SWWAE_OK;
    swwae_options *options = NULL;
    TRY(swwae_options_create(&options));
    TRY(swwae_options_set(options, "recipe", "none"));
    TRY(options_object(usual, options));
fail:
    swwae_options_free(options);
    return status;
}

/* ---- Comparing -------------------------------------------------------------------------- */

const char *protocol_option(const json_t *before, const char *name) {
    return json_string_value(json_object_get(json_object_get(before, "options"), name));
}

/* A value as text: what --NAME takes. The caller frees it. */
static char *text_of(const json_t *value) {
    if (json_is_string(value)) return strdup(json_string_value(value));
    return json_text(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
}

/* what: "this study", or the row. */
static swwae_status differ(const struct study *study, const char *what, const char *name,
                           const json_t *before, const json_t *now, const char *advice) {
    char *was = text_of(before), *is = text_of(now);
    swwae_status status =
        status_set(SWWAE_E_ARGUMENT, "%.300s holds %.80s with --%s %.100s, now it is %.100s; %s",
                   study->folder, what, name, was ? was : "?", is ? is : "?", advice);
    free(was);
    free(is);
    return status;
}

/* An earlier version wrote where it lies. */
static bool same_data(const json_t *before, const json_t *now) {
    const char *was = json_string_value(before), *is = json_string_value(now);
    char name[PROTOCOL_NAME], other[PROTOCOL_NAME];
    return was && is && strcmp(protocol_portable(name, was), protocol_portable(other, is)) == 0;
}

static swwae_status compare(const struct study *study, const json_t *before, const json_t *now) {
    swwae_status status = SWWAE_OK;
    json_t *usual = NULL;
    const char *name = json_string_value(json_object_get(before, "study"));
    CHECK(name && strcmp(name, study->kind->info.name) == 0, SWWAE_E_ARGUMENT,
          "%.300s holds the study %.60s, not %s; name another folder", study->folder,
          name ? name : "?", study->kind->info.name);
    CHECK(json_boolean_value(json_object_get(before, "quick")) == study->quick, SWWAE_E_ARGUMENT,
          "%.300s holds a %s study; %s --quick to go on with it, or name another folder",
          study->folder, study->quick ? "full" : "quick", study->quick ? "leave out" : "add");
    TRY(defaults(&usual));
    const json_t *old = json_object_get(before, "options");
    json_t *value;
    json_object_foreach((json_t *)now, name, value) {
        const json_t *other = json_object_get(old, name);
        /* an option that an earlier version did not know was as it is now unless given */
        if (!other) other = json_object_get(usual, name);
        CHECK(other, SWWAE_E_INTERNAL, "option --%s has no default", name);
        if (json_equal(other, value) || (strcmp(name, "data") == 0 && same_data(other, value)))
            continue;
        status = differ(study, "this study", name, other, value,
                        "repeat the options it was begun with to go on, or name another folder");
        goto fail;
    }
fail:
    json_decref(usual);
    return status;
}

swwae_status protocol_write(const struct study *study, const json_t *before) {
    swwae_status status = SWWAE_OK;
    json_t *options = NULL, *now = NULL;
    TRY(options_object(&options, study->options));
    if (before) TRY(compare(study, before, options));
    CHECK(now = json_pack("{s:s, s:b, s:i, s:O, s:O*}", "study", study->kind->info.name, "quick",
                          study->quick, "seeds", study->seeds, "options", options, "rows",
                          json_object_get(before, "rows")),
          SWWAE_E_MEMORY, "no memory for " FILE_NAME);
    TRY(protocol_save(study, now));
fail:
    json_decref(options);
    json_decref(now);
    return status;
}

/* ---- Rows ------------------------------------------------------------------------------- */

/* The first option in which two rows differ; NULL: they do not. One that is not there is the
 * study's own. */
static const char *first_difference(const json_t *before, const json_t *now) {
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)before, name, value) {
        if (!json_equal(value, json_object_get(now, name))) return name;
    }
    json_object_foreach((json_t *)now, name, value) {
        if (!json_object_get(before, name)) return name;
    }
    return NULL;
}

swwae_status protocol_row(json_t *file, const struct study *study, const char *row,
                          const swwae_options *options, bool add) {
    swwae_status status = SWWAE_OK;
    json_t *now = NULL, *value, *rows = json_object_get(file, "rows");
    const json_t *own = json_object_get(file, "options"), *before = json_object_get(rows, row);
    const char *name;
    TRY(options_object(&now, options));
    json_object_foreach((json_t *)own, name, value) {
        if (json_equal(json_object_get(now, name), value)) json_object_del(now, name);
    }
    name = before ? first_difference(before, now) : NULL;
    if (name) {
        char what[128];
        const json_t *was = json_object_get(before, name), *is = json_object_get(now, name);
        snprintf(what, sizeof what, "the row %.80s", row);
        TRY(differ(study, what, name, was ? was : json_object_get(own, name),
                   is ? is : json_object_get(own, name),
                   "this version trains that row otherwise: name another folder"));
    }
    if (!before && add) {
        if (!json_is_object(rows)) {
            rows = json_object();
            CHECK(json_object_set_new(file, "rows", rows) == 0, SWWAE_E_MEMORY,
                  "no memory for " FILE_NAME);
        }
        CHECK(json_object_set(rows, row, now) == 0, SWWAE_E_MEMORY, "no memory for " FILE_NAME);
    }
fail:
    json_decref(now);
    return status;
}
