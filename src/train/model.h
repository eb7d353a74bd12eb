/* model.h - a network with its parameters and what has to be known to use them. */
#ifndef SWWAE_TRAIN_MODEL_H
#define SWWAE_TRAIN_MODEL_H

#include "engine/engine.h"
#include "train/number.h"

#define MODEL_CHUNK 500 /* images of one forward pass; weights are packed once each */

/* What becomes of an image's values 0..1 before the network sees them, for model files. */
extern const char *const normalisation_names[2];

/* Words for a variant's choices in options and files. */
extern const char *const decoder_top_names[2], *const tied_names[2];

/* Behind the public, opaque swwae_model. */
struct swwae_model {
    struct network network;
    float *parameters;              /* (network.parameters) */
    int pad;                        /* side the training images were padded to; 0: not padded */
    bool contrast;                  /* each image is standardised first: contrast.h */
    enum reduction reduction;       /* what it was trained with */
    char (*class_names)[64];        /* (network.classes); never NULL where there are classes */
    char data[64];                  /* name of the training data; "": never trained */
    uint64_t held_out;              /* fingerprint of the test images held out of it; 0: none was */
    char *options;                  /* JSON object of the training's options; NULL: never trained */
    bool no_classifier, no_decoder; /* the options left it untrained: model_set_options */
    uint64_t step;                  /* training steps behind these parameters */
    int threads;                    /* 1..256; 0: one per processor */
    struct engine *engine[3];       /* forward passes by each swwae_where; NULL until needed */
};

/* Parameters zero, class names their numbers. variant as for network_build. Errors of
 * network_build, SWWAE_E_MEMORY. */
swwae_status model_create(struct swwae_model **model, const char *arch, int channels, int height,
                          int width, const struct variant *variant);
/* The sharpness of the stages as --beta takes it: "hard", or one for each stage, "hard,100". */
#define MODEL_BETA_TEXT (NOTATION_STAGES * NUMBER_TEXT)
void model_print_beta(char text[MODEL_BETA_TEXT], const struct network *network);

/* Accepts NULL. */
void model_free(struct swwae_model *model);

/* 1..256: model->threads, or the number of processors. */
int model_threads(const struct swwae_model *model);

/* A forward pass of n images, 1 .. INT_MAX, with the decoder unpooling by `where`. The first makes
 * the engine; nothing complains about an unusable SWWAE_ISA then, a training does. */
swwae_status model_forward(struct swwae_model *model, swwae_where where,
                           const struct forward *forward, const float *images, size_t n);
/* Makes that engine now, if there is none. */
swwae_status model_engine(struct swwae_model *model, swwae_where where);
/* Drops all of them, so that they are made anew when needed. */
void model_drop_engines(struct swwae_model *model);

/* Gives a model the options of its training, a JSON object, which it takes over (malloc'ed).
 * SWWAE_E_FORMAT when it is none, SWWAE_E_MEMORY; then they are freed. */
swwae_status model_set_options(struct swwae_model *model, char *options);

/* Whether the training taught the fc layers the labels, and reached the whole decoder, as its
 * options say; true for a model without options. Layerwise, the reconstruction term reaches the
 * lowest stage only, and each term of an inner boundary the stage above it. */
bool model_classifier_trained(const struct swwae_model *model);
bool model_decoder_trained(const struct swwae_model *model);

/* SWWAE_E_ARGUMENT unless every value of (n, channels, height, width) is finite. */
swwae_status model_check_images(const struct swwae_model *model, const float *images, size_t n);

/* Values of one image. */
size_t model_pixels(const struct swwae_model *model);

/* Probabilities of one image from its logits; false, and probabilities untouched, when a logit is
 * not finite. The maximum is taken off first, so that exp never overflows. */
bool model_softmax(float *probabilities, const float *logits, int classes);

/* As the public swwae_model_predict, swwae_model_reconstruct and swwae_model_reconstruct_as. */
swwae_status model_predict(struct swwae_model *model, const float *images, size_t n,
                           float *probabilities);
swwae_status model_reconstruct(struct swwae_model *model, const float *images, size_t n,
                               swwae_where where, float *reconstructions);
swwae_status model_reconstruct_as(struct swwae_model *model, const float *images, size_t n, int k,
                                  float *reconstructions);

/* As the public swwae_model_describe: see describe.c. */
swwae_status model_describe(const struct swwae_model *model, char **json);

#endif
