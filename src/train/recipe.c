/* recipe.c - the model, the weights of the loss and the roles of the images; see recipe.h. */
#include "train/recipe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/label_file.h"
#include "io/file.h"
#include "train/model_file.h"
#include "train/number.h"

#define VALIDATION_PART 12 /* auto: MNIST's usual 5000 of 60000 */
#define VALIDATION_MOST 5000
#define LABEL_FILE_LIMIT (1u << 30) /* bytes */

/* lambda-nll: what stands in its way turns a default into 0 and a given weight into an error. */
static swwae_status settle_nll(swwae_options *options, const struct network *network) {
    const struct settings *s = &options->settings;
    if (!(s->lambda_nll > 0)) return SWWAE_OK;
    bool labels = s->labels != LABELS_NONE;
    if (network->fcs && labels) return SWWAE_OK;
    if (!options_given(options, "lambda-nll")) return swwae_options_set(options, "lambda-nll", "0");
    return status_set(SWWAE_E_ARGUMENT, "option --lambda-nll: \"%s\" found, expected 0 because %s",
                      swwae_options_get(options, "lambda-nll"),
                      labels ? "the architecture has no fully connected layer to classify with "
                               "(add one such as -10fc)"
                             : "--labels none leaves nothing to learn classes from");
}

/* The value for stage or boundary i. */
static double value_at(const struct reals *reals, int i) {
    return reals->value[reals->count == 1 ? 0 : i];
}

/* One value for all places, or one for each. */
static swwae_status check_count(const char *name, const struct reals *reals, const char *place,
                                int places, int stages) {
    char expected[64] = "1";
    if (reals->count == 1 || reals->count == places) return SWWAE_OK;
    if (places > 1)
        snprintf(expected, sizeof expected, "1 for all or %d, one for each %s", places, place);
    return status_set(SWWAE_E_ARGUMENT,
                      "option --%s: %d values found, expected %s (the architecture has %d stage%s)",
                      name, reals->count, expected, stages, stages == 1 ? "" : "s");
}

swwae_status recipe_variant(struct variant *variant, const swwae_options *options) {
    swwae_status status = SWWAE_OK;
    const struct settings *s = &options->settings;
    struct notation notation;
    struct variant made = {.unpooling = s->unpooling,
                           .output = s->output,
                           .classes_top = s->classes_top,
                           .tied = s->tied,
                           .norm = s->norm};
    TRY(notation_parse(&notation, s->arch));
    TRY(check_count("beta", &s->beta, "stage", notation.stages, notation.stages));
    for (int k = 0; k < notation.stages; k++) made.beta[k] = value_at(&s->beta, k);
    *variant = made;
fail:
    return status;
}

swwae_status recipe_model(struct swwae_model **model, const swwae_options *options, int channels,
                          int height, int width) {
    swwae_status status = SWWAE_OK;
    const struct settings *s = &options->settings;
    struct variant variant;
    CHECK(
        !s->contrast || s->output == OUTPUT_LINEAR, SWWAE_E_ARGUMENT,
        "option --output: \"sigmoid\" found, but the values that --contrast image rebuilds are not "
        "in 0..1; leave out --output");
    TRY(recipe_variant(&variant, options));
    TRY(model_create(model, s->arch, channels, height, width, &variant));
    network_initialise((*model)->parameters, &(*model)->network, s->seed);
    (*model)->reduction = s->reduction;
    (*model)->contrast = s->contrast;
fail:
    return status;
}

static swwae_status settle_m(swwae_options *options, const struct network *network,
                             struct reporter *reporter) {
    const struct settings *s = &options->settings;
    const int boundaries = objective_boundaries(network);
    const bool given = options_given(options, "lambda-m");
    swwae_status status =
        check_count("lambda-m", &s->lambda_m, "inner boundary", boundaries, network->stages);
    if (status != SWWAE_OK) return status;
    if (!reals_any_positive(&s->lambda_m)) return SWWAE_OK;
    if (s->layers == LAYERS_INPUT && given)
        return status_set(SWWAE_E_ARGUMENT,
                          "option --lambda-m: \"%s\" found, expected 0 because --rec-layers input "
                          "rebuilds nothing but the image",
                          swwae_options_get(options, "lambda-m"));
    if (boundaries && s->layers != LAYERS_INPUT) return SWWAE_OK;
    if (given)
        report_message(reporter,
                       "--lambda-m %s has no effect: a one-pool net has no inner boundary",
                       swwae_options_get(options, "lambda-m"));
    return swwae_options_set(options, "lambda-m", "0");
}

swwae_status recipe_objective(struct objective *objective, swwae_options *options,
                              const struct network *network, struct reporter *reporter) {
    swwae_status status = SWWAE_OK;
    TRY(settle_nll(options, network));
    TRY(settle_m(options, network, reporter));
    if (!(options->settings.lambda_nll > 0) && !options_given(options, "labels"))
        TRY(swwae_options_set(options, "labels", "none"));
    const struct settings *s = &options->settings;
    *objective = (struct objective){.nll = s->lambda_nll,
                                    .rec = s->lambda_rec,
                                    .reduction = s->reduction,
                                    .layers = s->layers,
                                    .l1 = s->lambda_l1,
                                    .dropout = s->dropout,
                                    .dropout_conv = s->dropout_conv,
                                    .noise = s->noise,
                                    .where_noise = s->where_noise};
    for (int b = 0; b < objective_boundaries(network); b++)
        objective->m[b] = value_at(&s->lambda_m, b);
    TRY(objective_check(objective, network));
fail:
    return status;
}

swwae_status recipe_check_classes(const struct objective *objective, const struct network *network,
                                  const struct swwae_dataset *dataset) {
    swwae_status status = SWWAE_OK;
    if (!(objective->nll > 0)) return SWWAE_OK;
    CHECK(dataset->classes > 0, SWWAE_E_DATA,
          "the data has no labels to learn classes from; train without them (--labels none)");
    CHECK(dataset->classes == network->classes, SWWAE_E_DATA,
          "the data has %d classes but the architecture ends in %dfc; end it in %dfc",
          dataset->classes, network->classes, dataset->classes);
fail:
    return status;
}

static const struct view *view_named(const struct network *network, const char *name) {
    for (size_t i = 0; i < network->view_count; i++)
        if (!strcmp(network->view[i].name, name)) return &network->view[i];
    return NULL;
}

static bool same_shape(const struct view *a, const struct view *b) {
    return a->rank == b->rank && !memcmp(a->shape, b->shape, (size_t)a->rank * sizeof *a->shape);
}

swwae_status recipe_init(struct swwae_model *model, const swwae_options *options,
                         struct reporter *reporter) {
    swwae_status status = SWWAE_OK;
    const char *path = options->settings.init_from;
    const struct network *network = &model->network;
    struct swwae_model *source = NULL;
    size_t taken = 0;
    if (!strcmp(path, INIT_RANDOM)) return SWWAE_OK;
    status = model_read(&source, path);
    if (status != SWWAE_OK) return status_prefix(status, "option --init-from");
    CHECK(source->network.variant.norm == network->variant.norm, SWWAE_E_ARGUMENT,
          "option --init-from: %.300s was trained with --norm %s, found --norm %s; give --norm %s",
          path, norm_names[source->network.variant.norm], norm_names[network->variant.norm],
          norm_names[source->network.variant.norm]);
    CHECK(source->contrast == model->contrast, SWWAE_E_ARGUMENT,
          "option --init-from: %.300s was trained %s --contrast image, expected one as here, %s it",
          path, source->contrast ? "with" : "without", model->contrast ? "with" : "without");
    for (size_t i = 0; i < network->view_count; i++) {
        const struct view *to = &network->view[i], *from = view_named(&source->network, to->name);
        const bool fits = from && same_shape(from, to);
        CHECK(
            fits || strncmp(to->name, "encoder.", 8) != 0, SWWAE_E_ARGUMENT,
            "option --init-from: %.300s has %s %s, expected the encoder of this --arch and number "
            "of channels",
            path, from ? "another shape of" : "no tensor", to->name);
        if (!fits) continue;
        memcpy(model->parameters + to->offset, source->parameters + from->offset,
               to->size * sizeof *model->parameters);
        taken++;
    }
    report_message(reporter, "%zu of %zu tensors come from %.300s", taken, network->view_count,
                   path);
fail:
    model_free(source);
    return status;
}

uint64_t recipe_label_seed(const struct settings *settings) {
    return settings->label_seed == LABEL_SEED_AUTO ? settings->seed
                                                   : (uint64_t)settings->label_seed;
}

swwae_status recipe_open(struct swwae_dataset **dataset, const swwae_options *options) {
    const struct settings *s = &options->settings;
    return swwae_dataset_open_held_out(dataset, s->data, SWWAE_SPLIT_TRAIN, s->pad,
                                       (size_t)s->test_count);
}

static bool lists_labels(const swwae_options *options) {
    return strcmp(options->settings.label_file, "none") != 0;
}

/* Of the images with a label, where labels are used and any is not among the `listed` ones, else of
 * all. */
static size_t validation_count(const struct settings *settings, const struct swwae_dataset *dataset,
                               size_t listed) {
    if (settings->validation != VALIDATION_AUTO) return (size_t)settings->validation;
    const size_t labelled = dataset_labelled(dataset);
    const bool by_label = settings->labels != LABELS_NONE && labelled > listed;
    const size_t part = (by_label ? labelled : dataset->count) / VALIDATION_PART;
    return part < VALIDATION_MOST ? part : VALIDATION_MOST;
}

/* The images that a file lists, malloc'ed; --labels becomes their number. */
static swwae_status read_listed(uint32_t **listed, size_t *listed_count, swwae_options *options,
                                const struct swwae_dataset *dataset, const char *path) {
    swwae_status status = SWWAE_OK;
    const struct settings *s = &options->settings;
    char *text = NULL, number[NUMBER_TEXT];
    size_t size = 0, count = 0;
    uint32_t *images = NULL;
    CHECK(s->labels != LABELS_NONE && s->lambda_nll > 0, SWWAE_E_ARGUMENT,
          "option --label-file: \"%.200s\" found, but no label is used (--labels none or "
          "--lambda-nll 0)",
          s->label_file);
    TRY(file_read(path, LABEL_FILE_LIMIT, &text, &size));
    TRY(label_file_parse(&images, &count, text, size, path, dataset));
    CHECK(!options_given(options, "labels") || s->labels == (long)count, SWWAE_E_ARGUMENT,
          "option --labels: \"%s\" found, but --label-file lists %zu images; leave out --labels",
          swwae_options_get(options, "labels"), count);
    snprintf(number, sizeof number, "%zu", count);
    TRY(swwae_options_set(options, "labels", number));
    *listed = images;
    *listed_count = count;
    images = NULL;
fail:
    free(text);
    free(images);
    return status;
}

static const char *list_path(const swwae_options *options, const char *copy) {
    return copy ? copy : options->settings.label_file;
}

swwae_status recipe_end_in(swwae_options *options, int classes) {
    char arch[NOTATION_TEXT];
    const char *now = swwae_options_get(options, "arch"), *last = strrchr(now, '-');
    if (classes < 2 || !last) return SWWAE_OK;
    snprintf(arch, sizeof arch, "%.*s-%dfc", (int)(last - now), now, classes);
    return swwae_options_set(options, "arch", arch);
}

swwae_status recipe_fit(swwae_options *options, const struct swwae_dataset *dataset,
                        const char *copy) {
    swwae_status status = SWWAE_OK;
    uint32_t *listed = NULL;
    size_t count;
    const size_t labelled = dataset_labelled(dataset);
    if (!options_given(options, "arch")) TRY(recipe_end_in(options, dataset->classes));
    if (lists_labels(options) && !options_given(options, "labels"))
        TRY(read_listed(&listed, &count, options, dataset, list_path(options, copy)));
    TRY(options_know_data(options, labelled < dataset->count ? (long)labelled : 0,
                          dataset->channels > 1));
fail:
    free(listed);
    return status;
}

swwae_status recipe_draw(struct label_draw *draw, swwae_options *options,
                         const struct swwae_dataset *dataset, const char *copy) {
    swwae_status status = SWWAE_OK;
    const struct settings *s = &options->settings;
    uint32_t *listed = NULL;
    size_t count = 0;
    if (lists_labels(options)) {
        TRY(read_listed(&listed, &count, options, dataset, list_path(options, copy)));
        TRY(labels_draw_around(draw, dataset, listed, count, validation_count(s, dataset, count),
                               recipe_label_seed(s)));
    } else {
        TRY(labels_draw(draw, dataset, s->labels, validation_count(s, dataset, 0),
                        recipe_label_seed(s)));
    }
fail:
    free(listed);
    return status;
}

swwae_status recipe_draw_text(char **text, const swwae_options *options) {
    swwae_status status = SWWAE_OK;
    swwae_options *settled = NULL;
    struct swwae_dataset *dataset = NULL;
    struct label_draw draw = {0};
    TRY(options_copy(&settled, options));
    CHECK(settled->settings.lambda_nll > 0, SWWAE_E_ARGUMENT,
          "no labels are drawn, because no label is used (--lambda-nll 0)");
    TRY(recipe_open(&dataset, settled));
    TRY(recipe_draw(&draw, settled, dataset, NULL));
    CHECK(draw.labelled_count, SWWAE_E_DATA, "no labels are drawn from %s (--labels none)",
          dataset->name);
    TRY(label_file_text(text, draw.labelled, draw.labelled_count, dataset));
fail:
    labels_free(&draw);
    swwae_dataset_free(dataset);
    swwae_options_free(settled);
    return status;
}
