/* options.h - a training run's options: one table of names, kinds, defaults, help. */
#ifndef SWWAE_TRAIN_OPTIONS_H
#define SWWAE_TRAIN_OPTIONS_H

#include "engine/engine.h"
#include "train/every.h"

enum optimizer_kind { OPTIMIZER_ADAM = 0, OPTIMIZER_SGD };
/* What a step that is not finite does: --on-nan. */
enum on_nan { ON_NAN_STOP = 0, ON_NAN_REWIND };
enum schedule_kind { SCHEDULE_CONSTANT = 0, SCHEDULE_STEP, SCHEDULE_COSINE };

/* Which images are augmented. */
enum augmented { AUGMENTED_ALL = 0, AUGMENTED_LABELLED, AUGMENTED_UNLABELLED };

/* What augmented images show from outside the image. */
enum border { BORDER_ZEROS = 0, BORDER_MIRROR };

/* Which weights training leaves as they are. */
enum frozen { FROZEN_NONE = 0, FROZEN_ENCODER };

#define INIT_RANDOM "none" /* --init-from */
#define LABEL_SEED_AUTO (-1L)

#define LABELS_ALL (-1L)
#define LABELS_NONE 0L
#define FEW_LABELS 10000L /* at most: more are worth a longer training than the recipes' */
#define VALIDATION_AUTO (-1L)

/* Largest sharpness of soft pooling; single precision holds it times any sensible value. */
#define BETA_MOST 1e6
#define BETA_HARD "hard" /* stands for 0, max pooling */

/* One number for all stages or boundaries, or one for each. */
struct reals {
    double value[NOTATION_STAGES];
    int count; /* as given, 1..NOTATION_STAGES */
};

bool reals_any_positive(const struct reals *reals);

/* The typed values behind the public, opaque swwae_options. */
struct settings {
    int recipe;               /* --recipe auto|none|plain|plus|photo  auto; recipes.h */
    char data[512];           /* --data NAME|DIR        fashion-mnist */
    char arch[NOTATION_TEXT]; /* --arch NOTATION        (64)5c-2p-(64)3c-2p-(64)3c-2p-10fc */
    long labels;              /* --labels N|all|none    all */
    long label_seed;          /* --label-seed N|auto    auto: seed */
    int pad;                  /* --pad SIDE             0: as they are */
    char label_file[512];     /* --label-file FILE      none */
    int contrast;             /* --contrast none|image  none */
    long test_count;          /* --test-count N         0: the data's own test set */
    long validation;          /* --validation N|auto    auto: 1/12 of the labelled, <= 5000 */
    double lambda_nll;        /* --lambda-nll X         1 (0 without labels or fc layers) */
    double lambda_rec;        /* --lambda-rec X         1 */
    struct reals lambda_m;    /* --lambda-m X[,X...]    1; of the boundaries */
    enum layers layers;       /* --rec-layers all|input|layerwise  all */
    double lambda_l1;         /* --lambda-l1 X          0 */
    enum reduction reduction; /* --reduction mean|sum|norm  mean */
    struct reals beta;        /* --beta hard|X[,X...]   hard, as 0; of the stages */
    enum unpooling unpooling; /* --unpool switches|upsample|fixed|average  switches */
    int classes_top;          /* --decoder-top features|classes  features */
    int tied;                 /* --tied no|yes          no */
    enum batch_norm norm;     /* --norm none|batch|pooled  none */
    enum output output;       /* --output linear|sigmoid    linear */
    double dropout;           /* --dropout X            0; below 1 */
    double dropout_conv;      /* --dropout-conv X       0; below 1 */
    double noise;             /* --noise X              0 */
    double where_noise;       /* --where-noise X        0..1, 0 */
    unsigned augment; /* --augment none|affine,shift,mirror,elastic,colour,erase  none, as 0 */
    enum augmented augmented;      /* --augment-images all|labelled|unlabelled  all */
    enum border augment_border;    /* --augment-border zeros|mirror  zeros */
    double augment_strength;       /* --augment-strength X   1; above 0, at most 4 */
    double average;                /* --average X            0..1 exclusive of 1; 0: none */
    double pseudo_labels;          /* --pseudo-labels X      0..1; 0: none */
    double pseudo_weight;          /* --pseudo-weight X      1 */
    double consistency;            /* --consistency X        0 */
    double teacher_augment;        /* --teacher-augment X    0..1, 0: as the image is */
    double ramp;                   /* --agreement-ramp X     0..1, 0.25 of the training */
    int balance;                   /* --balance no|yes       no */
    char init_from[512];           /* --init-from none|MODEL none: random weights */
    enum frozen freeze;            /* --freeze none|encoder  none */
    double epochs;                 /* --epochs X             10 */
    long steps;                    /* --steps N              0: as epochs say; else instead */
    int batch;                     /* --batch N              64, 1..65536 */
    double labelled_share;         /* --labelled-share X     0.25, 0..1 exclusive */
    enum optimizer_kind optimizer; /* --optimizer adam|sgd   adam */
    double lr;                     /* --lr X                 0.001 */
    double momentum;               /* --momentum X           0.9 (sgd) */
    double weight_decay; /* --weight-decay X       0; adam decouples, sgd adds to gradient */
    double clip_norm;    /* --clip-norm X          0: gradients as they are */
    enum on_nan on_nan;  /* --on-nan stop|rewind   stop */
    enum schedule_kind schedule; /* --schedule constant|step|cosine   cosine */
    double lr_step_every;        /* --lr-step-every X      epochs, 10 (step) */
    double lr_step_factor;       /* --lr-step-factor X     0.1 (step) */
    uint64_t seed;               /* --seed N               1, 0..2^63-1 */
    int threads;                 /* --threads N            0: one per processor */
    enum precision precision;    /* --precision fp32|bf16  fp32 */
    struct every save_every;     /* --checkpoint-every N|Xs|Xm|Xh  5m */
    char out[512];               /* --out RUN              auto: runs/DATA-N, N the first free */
};

#define OPTIONS_LIMIT 64 /* at most 64: one bit of swwae_options.given each */

struct swwae_options {
    struct settings settings;
    char *text[OPTIONS_LIMIT]; /* an option's value as written; NULL: its default */
    uint64_t given;            /* bit i: option i was set explicitly */
    long labelled; /* images with a label, of data where others have none; 0: not known */
    bool colour;   /* the images have several channels; false: not known */
};

/* True when the user set it. name is in the table. */
bool options_given(const swwae_options *options, const char *name);

/* The recipe followed, which is never RECIPE_AUTO: that is RECIPE_PLUS, of images in colour
 * RECIPE_PHOTO, where at most FEW_LABELS images are labelled, by --labels, by a label file or
 * because the others have no label, RECIPE_FULL where more are, and RECIPE_NONE without labels or
 * classes to learn, or where the first weights are not random, which want the --norm that they
 * have. */
int options_recipe(const swwae_options *options);

/* Tells of the data how many images have a label, where others have none (else 0), and whether the
 * images have several channels. */
swwae_status options_know_data(swwae_options *options, long labelled, bool colour);

/* True when any text is a value of it, so that "1" is not a number there. */
bool options_free_text(const char *name);

/* A copy with its own texts; released with swwae_options_free. SWWAE_E_MEMORY. */
swwae_status options_copy(swwae_options **copy, const swwae_options *options);

/* {"data": "...", "epochs": 10, ...} for config.json; numbers as numbers. malloc'ed.
 * everything: false leaves out what changes nothing about the model (out, threads,
 * checkpoint-every), so that the same training leaves the same model file wherever and however it
 * ran. */
swwae_status options_json(char **json, const swwae_options *options, bool everything);

#endif
