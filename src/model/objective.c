/* objective.c - which loss terms are on, and how far down the decoder has to run; see
 * objective.h. */
#include "model/objective.h"

#include <math.h>

const char *const reduction_names[3] = {"mean", "sum", "norm"};
const char *const output_names[2] = {"linear", "sigmoid"};
const char *const unpooling_names[3] = {"switches", "upsample", "fixed"};

static bool allowed(double weight) { return isfinite(weight) && weight >= 0; }

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
    CHECK(objective->nll > 0 || objective_decoder_bottom(objective, network) < network->stages,
          SWWAE_E_ARGUMENT,
          "every term of the loss is off, expected a positive weight for classification, "
          "reconstruction or, with two stages or more, an intermediate term below the top");
fail:
    return status;
}

int objective_decoder_bottom(const struct objective *objective, const struct network *network) {
    if (objective->rec > 0) return 0;
    /* the top boundary compares a tensor with itself */
    for (int s = 0; s < network->stages - 1; s++)
        if (objective->m[s] > 0) return s + 1;
    return network->stages;
}
