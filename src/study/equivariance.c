/* equivariance.c - the study "equivariance": what stays when an image moves, where moves with it
 * (paper section 4.2, figure 3).
 *
 * A net whose last pool spans the whole image is trained to rebuild translated images, with soft
 * pooling, whose where is a position. Held-out images are then moved by up to three pixels, and the
 * codes compared. Beside it stand the same net untrained and the one with max pooling. */
#include "study/equivariance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "study/plot.h"
#include "study/table.h"
#include "train/options.h"

#define PROBES 500
#define QUICK_PROBES 200
#define QUICK_TRAIN 3000
#define QUICK_TEST 1000
#define FIT 5000 /* images that the read-outs are fitted on */
#define QUICK_FIT 2000
#define MEASURE 2000 /* and measured on */

const char *const equivariance_nets[NETS] = {"soft", "untrained", "hard"};
enum { SOFT, UNTRAINED, HARD };

struct probe_scores *equivariance_scores(const struct equivariance *e, int net, int seed, int stage,
                                         int axis) {
    return &e->scores[(((size_t)net * (size_t)e->study->seeds + (size_t)seed) *
                           EQUIVARIANCE_STAGES +
                       (size_t)stage) *
                          AXES +
                      (size_t)axis];
}

struct readout *equivariance_readouts(const struct equivariance *e, int net, int seed) {
    return &e->readouts[((size_t)net * (size_t)e->study->seeds + (size_t)seed) * READOUTS];
}

/* ---- Probes ----------------------------------------------------------------------------- */

/* True when the image is black in a border of PROBE_MOST pixels. */
static bool has_margin(const float *image, int channels, int height, int width) {
    for (int c = 0; c < channels; c++)
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++) {
                const bool border = x < PROBE_MOST || y < PROBE_MOST || x >= width - PROBE_MOST ||
                                    y >= height - PROBE_MOST;
                if (border && image[(c * height + y) * width + x] > 0) return false;
            }
    return true;
}

/* The first test images with a margin; where there is none, the first ones. */
static swwae_status choose_probes(struct equivariance *e) {
    swwae_status status = SWWAE_OK;
    swwae_dataset *test = NULL;
    uint32_t *order = NULL;
    int channels, height, width;
    size_t count = 0;
    const size_t wanted = e->study->quick ? QUICK_PROBES : PROBES;
    TRY(study_open_data(&test, e->study, SWWAE_SPLIT_TEST));
    TRY(study_order(&order, &count, test));
    swwae_dataset_image_size(test, &channels, &height, &width);
    const size_t pixels = (size_t)channels * (size_t)height * (size_t)width;
    CHECK(e->probes = calloc(wanted * pixels, sizeof *e->probes), SWWAE_E_MEMORY,
          "no memory for %zu images", wanted);
    for (int pass = 0; pass < 2 && !e->probe_count; pass++) {
        e->margin = pass == 0;
        for (size_t i = 0; i < count && e->probe_count < wanted; i++) {
            float *image = e->probes + e->probe_count * pixels;
            TRY(swwae_dataset_image(test, order[i], image));
            e->probe_count += !e->margin || has_margin(image, channels, height, width);
        }
    }
fail:
    free(order);
    swwae_dataset_free(test);
    return status;
}

/* ---- Nets ------------------------------------------------------------------------------- */

/* The options of a seed's net. */
static swwae_status net_options(swwae_options **options, const struct equivariance *e, int net,
                                int s) {
    swwae_status status = SWWAE_OK;
    swwae_options *made = NULL;
    char seed[32];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)e->study->seed + (unsigned long long)s);
    TRY(options_copy(&made, e->study->options));
    TRY(swwae_options_set(made, "seed", seed));
    if (net == HARD) TRY(swwae_options_set(made, "beta", "hard"));
    *options = made;
    made = NULL;
fail:
    swwae_options_free(made);
    return status;
}

/* Trains a net where it is to be trained, and opens it. */
static swwae_status make_net(swwae_model **model, struct equivariance *e, int net, int s) {
    swwae_status status = SWWAE_OK;
    swwae_options *options = NULL;
    struct training_result result;
    int channels, height, width;
    char name[64];
    TRY(net_options(&options, e, net, s));
    if (net == UNTRAINED) {
        swwae_dataset_image_size(e->test, &channels, &height, &width);
        TRY(swwae_model_create_from(model, options, channels, height, width));
        TRY(swwae_model_set_threads(*model, e->study->options->settings.threads));
    } else {
        snprintf(name, sizeof name, "%s-seed%s", equivariance_nets[net],
                 swwae_options_get(options, "seed"));
        TRY(study_train(e->study, name, options, e->test, &result));
        TRY(study_load(model, e->study, name));
        e->rec[net * e->study->seeds + s] = result.rec;
    }
fail:
    swwae_options_free(options);
    return status;
}

/* ---- Measuring -------------------------------------------------------------------------- */

static swwae_status measure_net(struct equivariance *e, swwae_model *model, int net, int s) {
    swwae_status status = SWWAE_OK;
    const int top = swwae_model_stages(model) - 1;
    e->stages = top > 0 ? 2 : 1;
    for (int k = 0; k < e->stages; k++) {
        const bool is_top = k + 1 == e->stages;
        TRY(probe_stage(&e->stage[k], model, is_top ? top : 0));
        for (int axis = 0; axis < AXES; axis++) {
            TRY(study_check_stop(e->study));
            TRY(probe_axis(equivariance_scores(e, net, s, k, axis),
                           is_top && s == 0 ? e->points[net][axis] : NULL,
                           &e->point_count[net][axis], POINTS, model, &e->stage[k], e->probes,
                           e->probe_count, axis));
        }
    }
    TRY(readout_measure(equivariance_readouts(e, net, s), model, &e->stage[e->stages - 1], e->train,
                        e->study->quick ? QUICK_FIT : FIT, e->test, MEASURE));
fail:
    return status;
}

static swwae_status measure_all(struct equivariance *e) {
    swwae_status status = SWWAE_OK;
    swwae_model *model = NULL;
    struct study *study = e->study;
    study->trainings = (NETS - 1) * study->seeds;
    for (int s = 0; s < study->seeds; s++)
        for (int net = 0; net < NETS; net++) {
            TRY(make_net(&model, e, net, s));
            TRY(study_say(study, "measuring %s, seed %llu", equivariance_nets[net],
                          (unsigned long long)study->seed + (unsigned long long)s));
            TRY(measure_net(e, model, net, s));
            swwae_model_free(model);
            model = NULL;
        }
fail:
    swwae_model_free(model);
    return status;
}

static swwae_status tell(const struct equivariance *e) {
    swwae_status status = SWWAE_OK;
    const int top = e->stages - 1;
    for (int net = 0; net < NETS; net++) {
        double slope = 0, change = 0;
        for (int s = 0; s < e->study->seeds; s++)
            for (int axis = 0; axis < AXES; axis++) {
                const struct probe_scores *scores = equivariance_scores(e, net, s, top, axis);
                slope += scores->slope[0] / (AXES * e->study->seeds);
                change += scores->change / (AXES * e->study->seeds);
            }
        TRY(study_say(
            e->study,
            "%-9s where moves %.2f pixels for each pixel of shift, what changes by %.0f %%",
            equivariance_nets[net], slope, 100 * change));
    }
fail:
    return status;
}

static swwae_status run(struct study *study) {
    swwae_status status = SWWAE_OK;
    struct equivariance *e = calloc(1, sizeof *e);
    const size_t nets = (size_t)NETS * (size_t)study->seeds;
    CHECK(e, SWWAE_E_MEMORY, "no memory for the study");
    e->study = study;
    e->beta = swwae_options_get(study->options, "beta");
    e->scores = calloc(nets * EQUIVARIANCE_STAGES * AXES, sizeof *e->scores);
    e->readouts = calloc(nets * READOUTS, sizeof *e->readouts);
    e->rec = calloc(nets, sizeof *e->rec);
    CHECK(e->scores && e->readouts && e->rec, SWWAE_E_MEMORY, "no memory for %zu nets", nets);
    for (size_t i = 0; i < nets; i++) e->rec[i] = NAN;
    TRY(choose_probes(e));
    TRY(study_derive_data(study, study->quick ? QUICK_TRAIN : 0, study->quick ? QUICK_TEST : 0,
                          PROBE_MOST));
    TRY(study_open_data(&e->train, study, SWWAE_SPLIT_TRAIN));
    TRY(study_open_data(&e->test, study, SWWAE_SPLIT_TEST));
    TRY(measure_all(e));
    TRY(equivariance_write(e));
    TRY(tell(e));
fail:
    if (e) {
        swwae_dataset_free(e->train);
        swwae_dataset_free(e->test);
        free(e->probes);
        free(e->scores);
        free(e->readouts);
        free(e->rec);
    }
    free(e);
    return status;
}

static const struct study_value values[] = {{"arch", "(32)5c-(32)3c-2p-(32)3c-16p", NULL},
                                            {"beta", "100", NULL},
                                            {"labels", "none", NULL},
                                            {"epochs", "5", "2"},
                                            {NULL, NULL, NULL}};
static const char *const fixed[] = {NULL};

const struct study_kind study_equivariance = {
    .info = {.name = "equivariance",
             .help = "what stays and where moves when an image is moved (paper section 4.2)",
             .about =
                 "Trains an auto-encoder with soft pooling on randomly moved images, moves "
                 "held-out images by up to 3 pixels and compares the codes: how far where moves "
                 "with the image, how much what changes, and what a linear map reads out of each. "
                 "Beside it: the same net untrained, and with max pooling. Its own options: --arch "
                 "'(32)5c-(32)3c-2p-(32)3c-16p', --beta 100, --labels none, --epochs 5, --seeds 5; "
                 "with --quick 3,000 training images, --epochs 2 and --seeds 2."},
    .seeds = 5,
    .quick_seeds = 2,
    .values = values,
    .fixed = fixed,
    .run = run};
