/* teacher.h - what images without a label are to agree with: the answers of the model itself, or of
 * its averaged copy, to the same images before they were augmented or augmented by other draws
 * (Lee 2013; Tarvainen and Valpola 2017; Sohn and others 2020). */
#ifndef SWWAE_TRAIN_TEACHER_H
#define SWWAE_TRAIN_TEACHER_H

#include "train/model.h"
#include "train/options.h"

struct teacher {
    double threshold;   /* of pseudo-labels, in (0, 1]; 0: none */
    double pseudo;      /* their weight, when it has grown */
    double consistency; /* weight of the squared distance of the softmaxes, when it has grown */
    double ramp;        /* share of the training in which both grow from 0 */
    bool balance;       /* each class gets as many pseudo-labels as the others */
    int classes;
    float *logits;    /* (batch, classes) */
    float *targets;   /* (batch, classes) */
    int32_t *guesses; /* (batch) */
    float *shares;    /* (classes) moving mean of the answers; part of a checkpoint */
};

/* Whether settings ask for one. */
bool teacher_wanted(const struct settings *settings);

/* SWWAE_E_MEMORY. Accepts settings that ask for none: then teacher is zeroed. */
swwae_status teacher_create(struct teacher *teacher, const struct settings *settings, int classes);
/* Accepts a zeroed struct. */
void teacher_free(struct teacher *teacher);

/* Answers to the images after the first `labelled` of a batch of n, for step `step` of `steps`.
 * model's parameters are who answers. SWWAE_E_NUMERIC when an answer is not finite. */
swwae_status teacher_ask(struct teacher *teacher, struct agreement *agreement,
                         struct swwae_model *model, const float *images, int labelled, int n,
                         uint64_t step, uint64_t steps);

#endif
