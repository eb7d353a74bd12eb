/* options.h - a training run's options: one table of names, kinds, defaults, help. */
#ifndef SWWAE_TRAIN_OPTIONS_H
#define SWWAE_TRAIN_OPTIONS_H

#include "model/objective.h"

enum optimizer_kind { OPTIMIZER_ADAM = 0, OPTIMIZER_SGD };
enum schedule_kind { SCHEDULE_CONSTANT = 0, SCHEDULE_STEP, SCHEDULE_COSINE };

#define LABELS_ALL (-1L)
#define LABELS_NONE 0L
#define VALIDATION_AUTO (-1L)

/* The typed values behind the public, opaque swwae_options. */
struct settings {
    char data[512];           /* --data NAME|DIR        fashion-mnist */
    char arch[NOTATION_TEXT]; /* --arch NOTATION        (64)5c-2p-(64)3c-2p-(64)3c-2p-10fc */
    long labels;              /* --labels N|all|none    all */
    int pad;                  /* --pad SIDE             0: as they are */
    long validation;          /* --validation N|auto    auto: 1/12 of the training set, <= 5000 */
    double lambda_nll;        /* --lambda-nll X         1 (0 without labels or fc layers) */
    double lambda_rec;        /* --lambda-rec X         1 */
    double lambda_m[NOTATION_STAGES]; /* --lambda-m X[,X...]  1; one for all boundaries or each */
    int lambda_m_count;               /* values of lambda_m given: 1..NOTATION_STAGES */
    enum reduction reduction;         /* --reduction mean|sum|norm  mean */
    enum unpooling unpooling;         /* --unpool switches|upsample|fixed  switches */
    enum output output;               /* --output linear|sigmoid    linear */
    double epochs;                    /* --epochs X             10 */
    long steps;                       /* --steps N              0: as epochs say; else instead */
    int batch;                        /* --batch N              64, 1..65536 */
    double labelled_share;            /* --labelled-share X     0.25, 0..1 exclusive */
    enum optimizer_kind optimizer;    /* --optimizer adam|sgd   adam */
    double lr;                        /* --lr X                 0.001 */
    double momentum;                  /* --momentum X           0.9 (sgd) */
    double weight_decay; /* --weight-decay X       0; adam decouples, sgd adds to gradient */
    enum schedule_kind schedule; /* --schedule constant|step|cosine   cosine */
    double lr_step_every;        /* --lr-step-every X      epochs, 10 (step) */
    double lr_step_factor;       /* --lr-step-factor X     0.1 (step) */
    uint64_t seed;               /* --seed N               1, 0..2^63-1 */
    int threads;                 /* --threads N            0: one per processor */
    char out[512];               /* --out RUN              auto: runs/DATA-N, N the first free */
};

#define OPTIONS_LIMIT 32

struct swwae_options {
    struct settings settings;
    char *text[OPTIONS_LIMIT]; /* an option's value as written; NULL: its default */
    uint64_t given;            /* bit i: option i was set explicitly */
};

/* True when the user set it. name is in the table. */
bool options_given(const swwae_options *options, const char *name);

/* True when any text is a value of it, so that "1" is not a number there. */
bool options_free_text(const char *name);

/* A copy with its own texts; released with swwae_options_free. SWWAE_E_MEMORY. */
swwae_status options_copy(swwae_options **copy, const swwae_options *options);

/* {"data": "...", "epochs": 10, ...} for config.json; numbers as numbers. malloc'ed.
 * everything: false leaves out what changes nothing about the model (out, threads), so that the
 * same training leaves the same model file wherever and however it ran. */
swwae_status options_json(char **json, const swwae_options *options, bool everything);

#endif
