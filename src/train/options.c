/* options.c - options by name: finding, setting, copying; see options.h. */
#include "train/options.h"

#include <stdlib.h>
#include <string.h>

#include "train/option_table.h"
#include "train/recipes.h"

const swwae_option_info *swwae_option_info_at(size_t i) {
    return i < option_count ? &option_table[i].info : NULL;
}

/* ---- Names ------------------------------------------------------------------------------ */

/* Edits (insert, remove, replace a character) from a to b; long texts count as far. */
static int distance(const char *a, const char *b) {
    int row[64];
    int length = (int)strlen(b);
    if (length >= 64 || strlen(a) >= 64) return 64;
    for (int j = 0; j <= length; j++) row[j] = j;
    for (int i = 1; a[i - 1]; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= length; j++) {
            int best = diagonal + (a[i - 1] != b[j - 1]);
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[length];
}

static size_t find(const char *name) {
    size_t i = 0;
    while (i < option_count && strcmp(option_table[i].info.name, name) != 0) i++;
    return i;
}

static swwae_status unknown(const char *name) {
    int best = 4;
    const char *closest = NULL;
    if (!*name)
        return status_set(SWWAE_E_ARGUMENT,
                          "an option without a name found; `swwae train --help` lists all");
    for (size_t i = 0; i < option_count; i++) {
        int edits = distance(name, option_table[i].info.name);
        if (edits >= best) continue;
        best = edits;
        closest = option_table[i].info.name;
    }
    if (closest)
        return status_set(SWWAE_E_ARGUMENT, "unknown option --%.100s; did you mean --%s?", name,
                          closest);
    return status_set(SWWAE_E_ARGUMENT, "unknown option --%.100s; `swwae train --help` lists all",
                      name);
}

/* ---- Recipes ---------------------------------------------------------------------------- */

/* A value without `given`: a default, or a recipe's. text NULL: the default. */
static swwae_status fill(swwae_options *options, size_t i, const char *text) {
    swwae_status status = SWWAE_OK;
    const char *now = options->text[i];
    if (now == text || (now && text && !strcmp(now, text))) return SWWAE_OK;
    char *copy = text ? strdup(text) : NULL;
    CHECK(copy || !text, SWWAE_E_MEMORY, "no memory for option --%s", option_table[i].info.name);
    TRY(option_read(&options->settings, &option_table[i],
                    text ? text : option_table[i].info.fallback));
    free(options->text[i]);
    options->text[i] = copy;
    return SWWAE_OK;
fail:
    free(copy);
    return status;
}

bool reals_any_positive(const struct reals *reals) {
    for (int k = 0; k < reals->count; k++)
        if (reals->value[k] > 0) return true;
    return false;
}

int options_recipe(const swwae_options *options) {
    const struct settings *s = &options->settings;
    struct notation notation;
    const bool listed = strcmp(s->label_file, "none") != 0; /* which sets labels, when it is read */
    if (s->recipe != RECIPE_AUTO) return s->recipe;
    if ((!listed && s->labels == LABELS_NONE) || !(s->lambda_nll > 0) ||
        strcmp(s->init_from, INIT_RANDOM) != 0 || notation_parse(&notation, s->arch) != SWWAE_OK ||
        !notation.fcs)
        return RECIPE_NONE;
    const bool few = s->labels > 0           ? s->labels <= FEW_LABELS
                     : options->labelled > 0 ? options->labelled <= FEW_LABELS
                                             : listed;
    return !few ? RECIPE_FULL : options->colour ? RECIPE_PHOTO : RECIPE_PLUS;
}

/* What the recipe makes of an option that was not given; NULL: its default. */
static const char *recipe_value(const swwae_options *options, int recipe, const char *name) {
    const char *value = recipes_value(recipe, name);
    /* the epochs that were asked for, not the recipe's steps */
    if (!strcmp(name, "steps") && options_given(options, "epochs")) return NULL;
    /* a soft pool cannot be normalised after it */
    const bool soft = reals_any_positive(&options->settings.beta);
    return value && !strcmp(value, "pooled") && soft ? "batch" : value;
}

/* Everything that was not given becomes what the recipe says, or its default. */
static swwae_status follow_recipe(swwae_options *options) {
    swwae_status status = SWWAE_OK;
    const int recipe = options_recipe(options);
    for (size_t i = 0; i < option_count; i++)
        if (!(options->given >> i & 1))
            TRY(fill(options, i, recipe_value(options, recipe, option_table[i].info.name)));
fail:
    return status;
}

swwae_status options_know_data(swwae_options *options, long labelled, bool colour) {
    options->labelled = labelled;
    options->colour = colour;
    return follow_recipe(options);
}

/* ---- The public functions --------------------------------------------------------------- */

swwae_status swwae_options_create(swwae_options **options) {
    swwae_status status = SWWAE_OK;
    swwae_options *made = NULL;
    CHECK(options, SWWAE_E_ARGUMENT, "swwae_options_create: options is NULL");
    made = calloc(1, sizeof *made);
    CHECK(made, SWWAE_E_MEMORY, "no memory for the options");
    for (size_t i = 0; i < option_count; i++)
        TRY(option_read(&made->settings, &option_table[i], option_table[i].info.fallback));
    TRY(follow_recipe(made));
    *options = made;
    return SWWAE_OK;
fail:
    swwae_options_free(made);
    return status;
}

void swwae_options_free(swwae_options *options) {
    if (!options) return;
    for (size_t i = 0; i < option_count; i++) free(options->text[i]);
    free(options);
}

swwae_status swwae_options_set(swwae_options *options, const char *name, const char *value) {
    swwae_status status = SWWAE_OK;
    char *text = NULL;
    CHECK(options && name && value, SWWAE_E_ARGUMENT, "swwae_options_set: %s is NULL",
          !options ? "options"
          : !name  ? "name"
                   : "value");
    size_t i = find(name);
    if (i == option_count) return unknown(name);
    text = strdup(value);
    CHECK(text, SWWAE_E_MEMORY, "no memory for option --%s", name);
    TRY(option_read(&options->settings, &option_table[i], value));
    free(options->text[i]);
    options->text[i] = text;
    options->given |= UINT64_C(1) << i;
    return follow_recipe(options);
fail:
    free(text);
    return status;
}

const char *swwae_options_get(const swwae_options *options, const char *name) {
    size_t i = options && name ? find(name) : option_count;
    if (i == option_count) return NULL;
    return options->text[i] ? options->text[i] : option_table[i].info.fallback;
}

bool options_given(const swwae_options *options, const char *name) {
    size_t i = find(name);
    return i < option_count && (options->given >> i & 1);
}

bool options_free_text(const char *name) {
    size_t i = find(name);
    return i < option_count && option_table[i].kind == TEXT;
}

swwae_status options_copy(swwae_options **copy, const swwae_options *options) {
    swwae_status status = SWWAE_OK;
    swwae_options *made = calloc(1, sizeof *made);
    CHECK(made, SWWAE_E_MEMORY, "no memory for the options");
    made->settings = options->settings;
    made->given = options->given;
    made->labelled = options->labelled;
    made->colour = options->colour;
    for (size_t i = 0; i < option_count; i++) {
        if (!options->text[i]) continue;
        made->text[i] = strdup(options->text[i]);
        CHECK(made->text[i], SWWAE_E_MEMORY, "no memory for the options");
    }
    *copy = made;
    return SWWAE_OK;
fail:
    swwae_options_free(made);
    return status;
}
