/* recipe.c - settling the weights of the loss and the roles of the images; see recipe.h. */
#include "train/recipe.h"

#include <stdio.h>

#define VALIDATION_PART 12 /* auto: MNIST's usual 5000 of 60000 */
#define VALIDATION_MOST 5000

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

static bool any_positive(const double *values, int count) {
    for (int i = 0; i < count; i++)
        if (values[i] > 0) return true;
    return false;
}

static swwae_status settle_m(swwae_options *options, const struct network *network,
                             struct reporter *reporter) {
    const struct settings *s = &options->settings;
    int boundaries = network->stages - 1;
    if (s->lambda_m_count != 1 && s->lambda_m_count != boundaries) {
        char expected[64] = "1";
        if (boundaries > 1)
            snprintf(expected, sizeof expected, "1 for all or %d, one for each inner boundary",
                     boundaries);
        return status_set(SWWAE_E_ARGUMENT,
                          "option --lambda-m: %d values found, expected %s (the architecture has "
                          "%d stage%s)",
                          s->lambda_m_count, expected, network->stages,
                          network->stages == 1 ? "" : "s");
    }
    if (boundaries || !any_positive(s->lambda_m, s->lambda_m_count)) return SWWAE_OK;
    if (options_given(options, "lambda-m"))
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
    *objective =
        (struct objective){.nll = s->lambda_nll, .rec = s->lambda_rec, .reduction = s->reduction};
    for (int b = 0; b < network->stages - 1; b++)
        objective->m[b] = s->lambda_m[s->lambda_m_count == 1 ? 0 : b];
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

swwae_status recipe_draw(struct label_draw *draw, const swwae_options *options,
                         const struct swwae_dataset *dataset) {
    const struct settings *s = &options->settings;
    size_t most = dataset->count / VALIDATION_PART, validation;
    if (s->validation == VALIDATION_AUTO)
        validation = most < VALIDATION_MOST ? most : VALIDATION_MOST;
    else
        validation = (size_t)s->validation;
    return labels_draw(draw, dataset, s->labels, validation, s->seed);
}
