/* begin.c - what a study starts from: its options, its data set, and study.json; see study.h.
 *
 * study.json holds every option that the trainings depend on. A later call in the same folder must
 * come to the same ones, so that a table never mixes two protocols. Of the data set's folder it
 * holds the name and not the place, so that the study can be continued on another machine. */
#include "study/study.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "data/dataset.h"
#include "io/file.h"
#include "train/options.h"

#define JSON_LIMIT (1 << 20) /* bytes of study.json */

/* What is looked for when no data set is named; the last is always there. */
static const char *const searched[] = {"mnist", "fashion-mnist", "shapes"};

/* ---- Options ---------------------------------------------------------------------------- */

static swwae_status complete_options(struct study *study) {
    swwae_status status = SWWAE_OK;
    CHECK(
        !options_given(study->given, "out"), SWWAE_E_ARGUMENT,
        "option --out: \"%.200s\" found as the folder of a run, but a study's runs lie in its own "
        "folder",
        swwae_options_get(study->given, "out"));
    for (const char *const *name = study->kind->fixed; *name; name++)
        CHECK(!options_given(study->given, *name), SWWAE_E_ARGUMENT,
              "option --%s: \"%.200s\" found, but the study %s sets it itself, once to each of the "
              "values it compares",
              *name, swwae_options_get(study->given, *name), study->kind->info.name);
    TRY(options_copy(&study->options, study->given));
    for (const struct study_value *v = study->kind->values; v->name; v++)
        if (!options_given(study->given, v->name) &&
            !(strcmp(v->name, "epochs") == 0 && options_given(study->given, "steps")) &&
            !(strcmp(v->name, "steps") == 0 && options_given(study->given, "epochs")))
            TRY(swwae_options_set(study->options, v->name,
                                  study->quick && v->quick ? v->quick : v->value));
    CHECK(study->options->settings.lambda_rec > 0, SWWAE_E_ARGUMENT,
          "option --lambda-rec: 0 found, but the study %s measures reconstructions",
          study->kind->info.name);
    study->seed = study->options->settings.seed;
    CHECK(study->seed <= (uint64_t)INT64_MAX - (uint64_t)study->seeds, SWWAE_E_ARGUMENT,
          "option --seed: %s found, too large for %d seeds from there on",
          swwae_options_get(study->options, "seed"), study->seeds);
fail:
    return status;
}

/* ---- The data set ----------------------------------------------------------------------- */

#define NAME 256

/* The last part of a path, which says the same on another machine. */
static const char *portable(char name[NAME], const char *path) {
    size_t end = strlen(path), start;
    while (end > 1 && path[end - 1] == '/') end--;
    for (start = end; start > 0 && path[start - 1] != '/';) start--;
    snprintf(name, NAME, "%.*s", (int)(end - start), path + start);
    return name;
}

static const char *remembered(const json_t *before, const char *name) {
    return json_string_value(json_object_get(json_object_get(before, "options"), name));
}

/* Names the data set: the user's, the one this study began with, or the first that is found. */
static swwae_status choose_data(struct study *study, const json_t *before) {
    swwae_status status = SWWAE_OK;
    swwae_dataset *dataset = NULL;
    const char *name = swwae_options_get(study->given, "data");
    bool search = !options_given(study->given, "data");
    if (search && remembered(before, "data")) {
        name = remembered(before, "data");
        search = false;
    }
    if (search) {
        for (size_t i = 0; i < sizeof searched / sizeof *searched && !dataset; i++) {
            name = searched[i];
            status = swwae_dataset_open(&dataset, name, SWWAE_SPLIT_TRAIN, 0);
            /* only a set that is not there is passed over, not one that is damaged */
            if (status != SWWAE_OK && status != SWWAE_E_IO) goto fail;
        }
    } else {
        status = swwae_dataset_open(&dataset, name, SWWAE_SPLIT_TRAIN, 0);
        if (status != SWWAE_OK && name == remembered(before, "data"))
            status = status_prefix(status, "this study's data is looked for; --data DIR says where "
                                           "it is");
    }
    TRY(status);
    TRY(swwae_options_set(study->options, "data", name));
    TRY(study_fit(study, dataset));
    const int side = study->options->settings.pad;
    if (side && (side != dataset->height || side != dataset->width))
        snprintf(study->data, sizeof study->data, "%.63s, padded to %d x %d", dataset->name, side,
                 side);
    else
        snprintf(study->data, sizeof study->data, "%.63s", dataset->name);
    TRY(study_say(study, "data: %s%s", study->data,
                  !search                      ? ""
                  : strcmp(name, "mnist") == 0 ? " (--data names another set)"
                  : strcmp(name, "shapes") == 0
                      ? " (neither mnist nor fashion-mnist was found; --data names another set)"
                      : " (mnist was not found; --data names another set)"));
fail:
    swwae_dataset_free(dataset);
    return status;
}

/* ---- study.json ------------------------------------------------------------------------- */

static swwae_status read_before(json_t **before, const char *path) {
    swwae_status status = SWWAE_OK;
    char *data = NULL;
    size_t size;
    json_error_t fault;
    if (access(path, F_OK)) return SWWAE_OK;
    TRY(file_read(path, JSON_LIMIT, &data, &size));
    *before = json_parse(data, size, JSON_REJECT_DUPLICATES, &fault);
    CHECK(*before || json_at_fault(&fault), SWWAE_E_MEMORY, "%.400s: no memory to read it", path);
    CHECK(json_is_object(*before), SWWAE_E_FORMAT,
          "%.400s: not a JSON object, expected what an earlier call of this study wrote", path);
fail:
    free(data);
    return status;
}

/* A value as text: what --NAME takes. The caller frees it. */
static char *text_of(const json_t *value) {
    if (json_is_string(value)) return strdup(json_string_value(value));
    return json_text(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
}

static swwae_status differ(const struct study *study, const char *name, const json_t *before,
                           const json_t *now) {
    char *was = text_of(before), *is = text_of(now);
    swwae_status status = status_set(
        SWWAE_E_ARGUMENT,
        "%.300s holds this study with --%s %.100s, now it is %.100s; repeat the options it was "
        "begun with to go on, or name another folder",
        study->folder, name, was ? was : "?", is ? is : "?");
    free(was);
    free(is);
    return status;
}

/* Every option's default, as study.json holds them. */
static swwae_status defaults(json_t **usual) {
    swwae_status status = SWWAE_OK;
    swwae_options *options = NULL;
    char *text = NULL;
    TRY(swwae_options_create(&options));
    TRY(options_json(&text, options, false));
    CHECK(*usual = json_loads(text, 0, NULL), SWWAE_E_MEMORY, "no memory for the defaults");
fail:
    swwae_options_free(options);
    free(text);
    return status;
}

/* An earlier version wrote where it lies. */
static bool same_data(const json_t *before, const json_t *now) {
    const char *was = json_string_value(before), *is = json_string_value(now);
    char name[NAME], other[NAME];
    return was && is && strcmp(portable(name, was), portable(other, is)) == 0;
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
    const json_t *new = json_object_get(now, "options");
    json_t *value;
    json_object_foreach((json_t *)new, name, value) {
        /* how it runs, not what comes out */
        if (strcmp(name, "threads") == 0 || strcmp(name, "out") == 0) continue;
        const json_t *other = json_object_get(old, name);
        /* an option that an earlier version did not know was as it is now unless given */
        if (!other) other = json_object_get(usual, name);
        CHECK(other, SWWAE_E_INTERNAL, "option --%s has no default", name);
        if (!json_equal(other, value) && !(strcmp(name, "data") == 0 && same_data(other, value))) {
            status = differ(study, name, other, value);
            goto fail;
        }
    }
fail:
    json_decref(usual);
    return status;
}

static swwae_status write_or_compare(const struct study *study, const char *path,
                                     const json_t *before) {
    swwae_status status = SWWAE_OK;
    swwae_options *kept = NULL;
    char *options = NULL, *text = NULL, name[NAME];
    size_t size = 0;
    json_t *now = NULL;
    FILE *to = NULL;
    TRY(options_copy(&kept, study->options));
    TRY(swwae_options_set(kept, "data", portable(name, swwae_options_get(kept, "data"))));
    TRY(options_json(&options, kept, false));
    CHECK(to = open_memstream(&text, &size), SWWAE_E_MEMORY, "no memory for study.json");
    bool good =
        fprintf(to, "{\n\"study\": \"%s\",\n\"quick\": %s,\n\"seeds\": %d,\n\"options\": %s}\n",
                study->kind->info.name, study->quick ? "true" : "false", study->seeds, options) > 0;
    good = !fclose(to) && good && text;
    to = NULL;
    CHECK(good, SWWAE_E_MEMORY, "no memory for study.json");
    if (before) {
        json_error_t fault;
        CHECK(now = json_parse(text, size, 0, &fault), SWWAE_E_MEMORY, "no memory for study.json");
        TRY(compare(study, before, now));
    }
    TRY(file_write(path, text, size));
fail:
    if (to) fclose(to);
    json_decref(now);
    swwae_options_free(kept);
    free(options);
    free(text);
    return status;
}

swwae_status study_begin(struct study *study) {
    swwae_status status = SWWAE_OK;
    json_t *before = NULL;
    char path[STUDY_PATH];
    TRY(complete_options(study));
    TRY(study_path(path, study, "study.json"));
    TRY(read_before(&before, path));
    TRY(choose_data(study, before));
    TRY(file_make_folder(study->folder));
    TRY(write_or_compare(study, path, before));
fail:
    json_decref(before);
    return status;
}

/* ---- The command ------------------------------------------------------------------------ */

void study_command(const struct study *study, char *text, size_t size) {
    char name[NAME];
    const swwae_option_info *info;
    size_t used =
        (size_t)snprintf(text, size, "swwae study %s%s --seeds %d%s%s%s%s", study->kind->info.name,
                         study->quick ? " --quick" : "", study->seeds,
                         study->rows ? " --rows " : "", study->rows ? study->rows : "",
                         study->counts ? " --counts " : "", study->counts ? study->counts : "");
    for (size_t i = 0; (info = swwae_option_info_at(i)) && used < size; i++) {
        if (!options_given(study->given, info->name)) continue;
        const char *value = swwae_options_get(study->given, info->name);
        if (*value == '/') value = portable(name, value);
        const char *quote = strpbrk(value, " ()'") ? "'" : "";
        used += (size_t)snprintf(text + used, size - used, " --%s %s%s%s", info->name, quote, value,
                                 quote);
    }
}
