/* begin.c - what a study starts from: its options and its data set; see study.h. */
#include <stdio.h>
#include <string.h>

#include "data/dataset.h"
#include "io/file.h"
#include "study/protocol.h"
#include "train/options.h"

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
    if (!options_given(study->given, "recipe"))
        TRY(swwae_options_set(study->options, "recipe", "none")); /* nothing unasked for */
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

/* Names the data set: the user's, the one this study began with, or the first that is found. */
static swwae_status choose_data(struct study *study, const json_t *before) {
    swwae_status status = SWWAE_OK;
    swwae_dataset *dataset = NULL;
    const char *name = swwae_options_get(study->given, "data");
    bool search = !options_given(study->given, "data");
    if (search && protocol_option(before, "data")) {
        name = protocol_option(before, "data");
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
        if (status != SWWAE_OK && name == protocol_option(before, "data"))
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

swwae_status study_begin(struct study *study) {
    swwae_status status = SWWAE_OK;
    json_t *before = NULL;
    TRY(complete_options(study));
    TRY(protocol_read(&before, study));
    TRY(choose_data(study, before));
    TRY(file_make_folder(study->folder));
    TRY(protocol_write(study, before));
fail:
    json_decref(before);
    return status;
}

/* ---- The command ------------------------------------------------------------------------ */

void study_command(const struct study *study, char *text, size_t size) {
    char name[PROTOCOL_NAME];
    const swwae_option_info *info;
    size_t used =
        (size_t)snprintf(text, size, "swwae study %s%s --seeds %d%s%s%s%s", study->kind->info.name,
                         study->quick ? " --quick" : "", study->seeds,
                         study->rows ? " --rows " : "", study->rows ? study->rows : "",
                         study->counts ? " --counts " : "", study->counts ? study->counts : "");
    for (size_t i = 0; (info = swwae_option_info_at(i)) && used < size; i++) {
        if (!options_given(study->given, info->name)) continue;
        const char *value = swwae_options_get(study->given, info->name);
        if (*value == '/') value = protocol_portable(name, value);
        const char *quote = strpbrk(value, " ()'") ? "'" : "";
        used += (size_t)snprintf(text + used, size - used, " --%s %s%s%s", info->name, quote, value,
                                 quote);
    }
}
