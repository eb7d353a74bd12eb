/* teacher.c - pseudo-labels and soft targets from the model's own answers; see teacher.h. */
#include "train/teacher.h"

#include <stdlib.h>
#include <string.h>

/* Share of the batch in the moving mean of the answers: over some 5000 images at 50 a step. */
#define SHARES_APPROACH 0.01

bool teacher_wanted(const struct settings *settings) {
    return settings->pseudo_labels > 0 || settings->consistency > 0;
}

swwae_status teacher_create(struct teacher *teacher, const struct settings *settings, int classes) {
    swwae_status status = SWWAE_OK;
    struct teacher made = {.threshold = settings->pseudo_labels,
                           .pseudo = settings->pseudo_labels > 0 ? settings->pseudo_weight : 0,
                           .consistency = settings->consistency,
                           .ramp = settings->ramp,
                           .balance = settings->balance,
                           .classes = classes};
    *teacher = (struct teacher){0};
    if (!teacher_wanted(settings)) return SWWAE_OK;
    const size_t values = (size_t)settings->batch * (size_t)classes;
    made.logits = calloc(values + 1, sizeof *made.logits);
    made.targets = calloc(values + 1, sizeof *made.targets);
    made.guesses = calloc((size_t)settings->batch + 1, sizeof *made.guesses);
    made.shares = calloc((size_t)classes + 1, sizeof *made.shares);
    CHECK(made.logits && made.targets && made.guesses && made.shares, SWWAE_E_MEMORY,
          "no memory for the answers to batches of %d images", settings->batch);
    for (int k = 0; k < classes; k++) made.shares[k] = 1 / (float)classes;
    *teacher = made;
    return SWWAE_OK;
fail:
    teacher_free(&made);
    return status;
}

void teacher_free(struct teacher *teacher) {
    free(teacher->logits);
    free(teacher->targets);
    free(teacher->guesses);
    free(teacher->shares);
    *teacher = (struct teacher){0};
}

/* The moving mean of the answers takes in a batch. */
static void follow_shares(struct teacher *t, const float *targets, int n) {
    for (int k = 0; k < t->classes; k++) {
        double sum = 0;
        for (int i = 0; i < n; i++)
            sum += (double)targets[(size_t)i * (size_t)t->classes + (size_t)k];
        t->shares[k] += (float)SHARES_APPROACH * ((float)(sum / n) - t->shares[k]);
    }
}

/* The class of an answer that is sure enough, or -1. Balanced: the answer is first divided by the
 * mean answer, so that a class that is named too often is named less (Berthelot and others 2020,
 * "distribution alignment", classes being equally frequent). */
static int32_t guess(const struct teacher *t, const float *answer) {
    int best = 0;
    double most = 0, sum = 0;
    for (int k = 0; k < t->classes; k++) {
        const double mean = t->balance ? (double)t->shares[k] + 1e-6 : 1;
        const double p = (double)answer[k] / mean;
        sum += p;
        if (p <= most) continue;
        most = p;
        best = k;
    }
    return most >= t->threshold * sum ? best : -1;
}

swwae_status teacher_ask(struct teacher *t, struct agreement *agreement, struct swwae_model *model,
                         const float *images, int labelled, int n, uint64_t step, uint64_t steps) {
    swwae_status status = SWWAE_OK;
    const size_t classes = (size_t)t->classes, first = (size_t)labelled;
    const double grown = t->ramp > 0 ? (double)step / (t->ramp * (double)steps) : 1;
    float *targets = t->targets + first * classes;
    struct forward forward = {.logits = t->logits};
    *agreement = (struct agreement){0};
    if (n <= labelled) return SWWAE_OK;
    TRY(model_forward(model, SWWAE_WHERE_OWN, &forward, images + first * model_pixels(model),
                      (size_t)(n - labelled)));
    for (int i = 0; i < n - labelled; i++)
        CHECK(model_softmax(targets + (size_t)i * classes, t->logits + (size_t)i * classes,
                            t->classes),
              SWWAE_E_NUMERIC,
              "step %llu: the answer to an image without a label is not a finite number; train "
              "with a lower --lr",
              (unsigned long long)step + 1);
    follow_shares(t, targets, n - labelled);
    for (int i = 0; i < n; i++)
        t->guesses[i] = i < labelled ? -1 : guess(t, t->targets + (size_t)i * classes);
    *agreement = (struct agreement){.guesses = t->guesses,
                                    .targets = t->targets,
                                    .pseudo = t->pseudo * (grown < 1 ? grown : 1),
                                    .consistency = t->consistency * (grown < 1 ? grown : 1)};
fail:
    return status;
}
