/* objective.c - which loss terms are on, and how far down the decoder has to run; see
 * objective.h. */
#include "model/objective.h"

#include <math.h>

const char *const reduction_names[3] = {"mean", "sum", "norm"};
const char *const layers_names[3] = {"all", "input", "layerwise"};

int objective_boundaries(const struct network *network) {
    return network->stages - !network->variant.classes_top;
}

bool objective_draws(const struct objective *o) {
    return o->dropout > 0 || o->dropout_conv > 0 || o->noise > 0 || o->where_noise > 0;
}

static bool allowed(double weight) { return isfinite(weight) && weight >= 0; }

static swwae_status check_share(const char *what, double share, bool whole) {
    if (share >= 0 && (share < 1 || (whole && share == 1))) return SWWAE_OK;
    return status_set(SWWAE_E_ARGUMENT, "the %s is %g, expected a number from 0 to %s1", what,
                      share, whole ? "" : "below ");
}

/* Choices that exclude each other. */
static swwae_status check_choices(const struct objective *o, const struct network *network) {
    swwae_status status = SWWAE_OK;
    const bool decoder = objective_decoder_bottom(o, network) < network->stages;
    CHECK(!(o->where_noise > 0) || network->variant.unpooling == UNPOOL_SWITCHES, SWWAE_E_ARGUMENT,
          "noise on the where was asked for, but a decoder that unpools by \"%s\" does not look at "
          "the where",
          unpooling_names[network->variant.unpooling]);
    CHECK(!decoder || o->layers != LAYERS_LAYERWISE || !network->variant.classes_top ||
              o->m[network->stages - 1] > 0,
          SWWAE_E_ARGUMENT,
          "layerwise training feeds every stage the encoder's own what, so that only the "
          "intermediate term at the top reaches the layers from the classes down, and its weight "
          "is 0; give it one, or start the decoder from the features");
fail:
    return status;
}

swwae_status objective_check(const struct objective *objective, const struct network *network) {
    swwae_status status = SWWAE_OK;
    CHECK(allowed(objective->nll), SWWAE_E_ARGUMENT,
          "the weight of the classification term is %g, expected 0 or a positive finite number",
          objective->nll);
    CHECK(allowed(objective->rec), SWWAE_E_ARGUMENT,
          "the weight of the reconstruction term is %g, expected 0 or a positive finite number",
          objective->rec);
    for (int s = 0; s < NOTATION_STAGES; s++)
        CHECK(allowed(objective->m[s]), SWWAE_E_ARGUMENT,
              "the weight of the intermediate term of stage %d is %g, expected 0 or a positive "
              "finite number",
              s, objective->m[s]);
    CHECK(objective->nll == 0 || network->fcs > 0, SWWAE_E_ARGUMENT,
          "the weight of the classification term is %g, but the architecture has no fully "
          "connected layer; add one such as 10fc or set the weight to 0",
          objective->nll);
    CHECK(allowed(objective->l1), SWWAE_E_ARGUMENT,
          "the weight of the sparsity term is %g, expected 0 or a positive finite number",
          objective->l1);
    CHECK(allowed(objective->noise), SWWAE_E_ARGUMENT,
          "the noise on the image is %g, expected 0 or a positive finite number", objective->noise);
    TRY(check_share("dropout of fully connected layers", objective->dropout, false));
    TRY(check_share("dropout of convolutions", objective->dropout_conv, false));
    TRY(check_share("share of moved switches", objective->where_noise, true));
    TRY(check_choices(objective, network));
    CHECK(objective->nll > 0 || objective_decoder_on(objective, network), SWWAE_E_ARGUMENT,
          "every term of the loss is off, expected a positive weight for classification, "
          "reconstruction or, with two stages or more, an intermediate term below the top");
fail:
    return status;
}

int objective_decoder_bottom(const struct objective *objective, const struct network *network) {
    if (objective->rec > 0) return 0;
    for (int s = 0; s < objective_boundaries(network); s++)
        if (objective->m[s] > 0) return s + 1;
    return network->stages;
}

bool objective_mirror_on(const struct objective *objective, const struct network *network) {
    if (!network->variant.classes_top) return false;
    if (objective->m[network->stages - 1] > 0) return true;
    return objective->layers != LAYERS_LAYERWISE &&
           objective_decoder_bottom(objective, network) < network->stages;
}

bool objective_decoder_on(const struct objective *objective, const struct network *network) {
    return objective_decoder_bottom(objective, network) < network->stages ||
           objective_mirror_on(objective, network);
}
