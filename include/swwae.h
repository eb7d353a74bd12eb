/* swwae.h - the stacked what-where auto-encoder, public interface.
 *
 * The model is a convolutional encoder whose max-pooling layers split their input into
 * "what" (the maximum, sent up) and "where" (its position, sent sideways), and a mirrored
 * decoder that puts every "what" back at its "where" (Zhao, Mathieu, Goroshin, LeCun,
 * "Stacked What-Where Auto-encoders", arXiv 1506.02351, sections 3 and 4).
 *
 * From simple to advanced: load a model and classify (part 2), rebuild images (part 2),
 * read data (part 3), measure a model (part 4), train one (part 5).
 *
 * Conventions for every function below
 *  - A function that can fail returns swwae_status; on failure swwae_last_error() holds one
 *    sentence for the calling thread and output arguments are left untouched, but for the
 *    caller's arrays of images, codes or probabilities, part of which may have been written.
 *  - Pointers are not NULL unless the comment says "may be NULL". A NULL where none is
 *    allowed returns SWWAE_E_ARGUMENT.
 *  - Images are float arrays of shape (N, channels, height, width), row-major, one value per
 *    pixel in 0..1 (the file's byte / 255; a model refuses values beyond -8..9); labels are
 *    int32_t, -1 for "none".
 *  - What a function creates, the caller frees with the matching _free, which accepts NULL.
 *  - Objects are independent; one object must not be used by two threads at once.
 *    A model that has been used holds threads: make or load another in a child after fork.
 */
#ifndef SWWAE_H
#define SWWAE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SWWAE_VERSION_MAJOR 0
#define SWWAE_VERSION_MINOR 1
#define SWWAE_VERSION_PATCH 0

#if defined(__GNUC__)
#define SWWAE_API __attribute__((visibility("default")))
#else
#define SWWAE_API
#endif

/* ---- 1. Status ------------------------------------------------------------------------- */

typedef enum swwae_status {
    SWWAE_OK = 0,
    SWWAE_E_ARGUMENT,    /* a value passed to a function, or an option, is not allowed */
    SWWAE_E_NOTATION,    /* the architecture string cannot be read */
    SWWAE_E_IO,          /* a file or folder cannot be opened, read or written */
    SWWAE_E_FORMAT,      /* a file was read but is not what it should be */
    SWWAE_E_DATA,        /* the data does not fit what was asked (sizes, labels, emptiness) */
    SWWAE_E_MEMORY,      /* not enough memory */
    SWWAE_E_NUMERIC,     /* the loss is not finite */
    SWWAE_E_INTERRUPTED, /* the progress callback asked to stop; everything was saved */
    SWWAE_E_INTERNAL     /* a bug in this library */
} swwae_status;

/* "0.1.0". Static storage. */
SWWAE_API const char *swwae_version(void);

/* A short English name of a status ("bad argument"). Static storage; never NULL. */
SWWAE_API const char *swwae_status_text(swwae_status status);

/* What went wrong in the last failed call of this thread, in one sentence: what was found,
 * what was expected, what to do. Valid until this thread's next failure; never NULL. */
SWWAE_API const char *swwae_last_error(void);

/* ---- 2. Models ------------------------------------------------------------------------- */

typedef struct swwae_model swwae_model;

/* Where the decoder puts each value inside its pooling window. */
typedef enum swwae_where {
    SWWAE_WHERE_OWN = 0, /* at the switch the image's own encoder recorded */
    SWWAE_WHERE_NONE,    /* copied to every cell of the window (paper section 4.1, "upsampling") */
    SWWAE_WHERE_OTHER /* at the switches of the next image of the call (the last takes the first's)
                       */
} swwae_where;

/* An untrained model. arch: the paper's notation, "(64)5c-2p-(64)3c-2p-10fc" (docs/formats.md).
 * channels 1..1024, height and width 1..4096: the size of an image. seed: initial weights
 * (He, uniform). */
SWWAE_API swwae_status swwae_model_create(swwae_model **model, const char *arch, int channels,
                                          int height, int width, uint64_t seed);

/* An untrained model as a training with these options would start from: architecture, variant and
 * seed are theirs. channels, height, width as above, after padding. */
typedef struct swwae_options swwae_options;
SWWAE_API swwae_status swwae_model_create_from(swwae_model **model, const swwae_options *options,
                                               int channels, int height, int width);

/* Reads a model file (.safetensors), or the best model of a run folder. */
SWWAE_API swwae_status swwae_model_load(swwae_model **model, const char *path);

/* Writes a model file; an existing good file survives a failed write. */
SWWAE_API swwae_status swwae_model_save(const swwae_model *model, const char *path);

SWWAE_API void swwae_model_free(swwae_model *model);

/* How many threads the model's own calls use: 1..256, or 0 for one per processor (default);
 * no more than 8 are used.
 * Results do not depend on it. */
SWWAE_API swwae_status swwae_model_set_threads(swwae_model *model, int threads);

/* The image size the model works on, after padding. Any output pointer may be NULL. */
SWWAE_API void swwae_model_image_size(const swwae_model *model, int *channels, int *height,
                                      int *width);

/* Number of classes (outputs of the last fc layer); 0 for a pure auto-encoder. */
SWWAE_API int swwae_model_classes(const swwae_model *model);

/* Name of class k, or NULL when k is out of range; its number as text where none was stored. */
SWWAE_API const char *swwae_model_class_name(const swwae_model *model, int k);

/* Number of trained values. */
SWWAE_API size_t swwae_model_parameters(const swwae_model *model);

/* Everything known about the model as a JSON object: architecture, layers with shapes,
 * parameters and FLOPs, memory, options it was trained with, class names, normalisation.
 * *json is released with swwae_text_free. Keys: docs/formats.md. */
SWWAE_API swwae_status swwae_model_describe(const swwae_model *model, char **json);
SWWAE_API void swwae_text_free(char *text);

/* Class probabilities, probabilities[n * classes]. Fails on a pure auto-encoder and on a model
 * that was trained without labels; one just created answers by its first weights. */
SWWAE_API swwae_status swwae_model_predict(swwae_model *model, const float *images, size_t n,
                                           float *probabilities);

/* Images rebuilt by the decoder, same shape as images. Fails on a model whose decoder was not
 * trained. */
SWWAE_API swwae_status swwae_model_reconstruct(swwae_model *model, const float *images, size_t n,
                                               swwae_where where, float *reconstructions);

/* Images rebuilt as if they were of another class: the decoder starts from class k alone (0 ..
 * classes-1), with each image's own where. Fails on a model whose decoder starts from the features
 * (option decoder-top, paper section 3). */
SWWAE_API swwae_status swwae_model_reconstruct_as(swwae_model *model, const float *images, size_t n,
                                                  int k, float *reconstructions);

/* Number of stages (pools) of the model, numbered from the image. */
SWWAE_API int swwae_model_stages(const swwae_model *model);

/* Shape of the what, and of the where, that stage leaves for one image; any output pointer may be
 * NULL. SWWAE_E_ARGUMENT when stage is not 0..stages-1. */
SWWAE_API swwae_status swwae_model_code_size(const swwae_model *model, int stage, int *channels,
                                             int *height, int *width);

/* The sharpness beta of a stage's soft pooling (paper section 3.1); 0 for max pooling, and for a
 * stage that is out of range. */
SWWAE_API double swwae_model_beta(const swwae_model *model, int stage);

/* What and where of a stage (paper section 3), both (n, channels, height, width) as
 * swwae_model_code_size says; either may be NULL. where counts cells inside its window, row by
 * row: 0..pool * pool - 1. Fails on a stage with soft pooling. */
SWWAE_API swwae_status swwae_model_encode(swwae_model *model, const float *images, size_t n,
                                          int stage, float *what, uint8_t *where);

/* The same for a stage with soft pooling, whose where is a position: (n, channels, height, width,
 * 2), x then y, from -1 (centre of the window's first cell) to 1 (of its last). Fails on a stage
 * with max pooling. */
SWWAE_API swwae_status swwae_model_encode_soft(swwae_model *model, const float *images, size_t n,
                                               int stage, float *what, float *where);

/* ---- 3. Data --------------------------------------------------------------------------- */

typedef struct swwae_dataset swwae_dataset;

typedef enum swwae_split { SWWAE_SPLIT_TRAIN = 0, SWWAE_SPLIT_TEST } swwae_split;

/* Opens a data set. name: "shapes" (synthetic, needs no file), "mnist", "fashion-mnist",
 * "cifar10", "cifar100", or a folder: class folders of PNG and JPEG files, the four IDX files of
 * MNIST's naming, or CIFAR's binary files (docs/formats.md). Named sets are looked for in
 * $SWWAE_DATA, ./data, the user's cache folder and /usr/share/datasets. pad: images are
 * zero-padded, centred, to pad x pad (0: left as they are). */
SWWAE_API swwae_status swwae_dataset_open(swwae_dataset **dataset, const char *name,
                                          swwae_split split, int pad);

/* The same for data without test images of its own: test_count of the training images, the same
 * number of each class as far as there are, are the test images, and the training images are the
 * others. They are drawn from the data alone. 0: the data's own test images. */
SWWAE_API swwae_status swwae_dataset_open_held_out(swwae_dataset **dataset, const char *name,
                                                   swwae_split split, int pad, size_t test_count);

/* Whether a data set, by name or folder, has images of its own for a split. Reads none of them. */
SWWAE_API bool swwae_dataset_is_there(const char *name, swwae_split split);

/* SWWAE_E_DATA when a training of the model held out test images (option test-count) and those of
 * the data set are others: then the data has changed, and some may have been trained on. */
SWWAE_API swwae_status swwae_dataset_check_held_out(const swwae_dataset *dataset,
                                                    const swwae_model *model);

/* Gives images of one channel three equal ones, as a model wants them that was trained on colour:
 * class folders of which all pictures are gray are read with one channel. SWWAE_E_DATA unless they
 * have one. */
SWWAE_API swwae_status swwae_dataset_repeat_gray(swwae_dataset *dataset);

/* Reads image files (PNG, JPEG, IDX, .npy) as one data set without labels, ready for the model:
 * converted to its number of channels, padded as its training images were. */
SWWAE_API swwae_status swwae_dataset_open_files(swwae_dataset **dataset, const char *const *paths,
                                                size_t count, const swwae_model *model);

SWWAE_API void swwae_dataset_free(swwae_dataset *dataset);

SWWAE_API size_t swwae_dataset_count(const swwae_dataset *dataset);
/* Any output pointer may be NULL. */
SWWAE_API void swwae_dataset_image_size(const swwae_dataset *dataset, int *channels, int *height,
                                        int *width);
/* Number of classes; 0 for a data set without labels. */
SWWAE_API int swwae_dataset_classes(const swwae_dataset *dataset);
/* NULL when k is out of range. */
SWWAE_API const char *swwae_dataset_class_name(const swwae_dataset *dataset, int k);
/* The label of image i, -1 for none or i out of range. */
SWWAE_API int32_t swwae_dataset_label(const swwae_dataset *dataset, size_t i);
/* Where image i comes from, for messages and tables: of swwae_dataset_open_files the path as it was
 * given ("scans/digit.png"; its first 4095 bytes), of a data set the name of the file or of the
 * set; with the image's number where there are several ("t10k-images-idx3-ubyte.gz[7]",
 * "shapes[7]"). May hold control bytes if the path does. Valid until the next call on this data
 * set; "" when i is out of range. */
SWWAE_API const char *swwae_dataset_source(swwae_dataset *dataset, size_t i);
/* Copies image i, values 0..1, to image[channels * height * width]. */
SWWAE_API swwae_status swwae_dataset_image(const swwae_dataset *dataset, size_t i, float *image);

/* Description as a JSON object: source, counts per class, size. Freed with swwae_text_free. */
SWWAE_API swwae_status swwae_dataset_describe(const swwae_dataset *dataset, char **json);

/* ---- 4. Measuring and pictures --------------------------------------------------------- */

typedef struct swwae_evaluation {
    size_t images;   /* images seen */
    size_t labelled; /* of these, with a label below the model's number of classes */
    bool has_error;  /* labelled > 0, and the model has classes and was trained on labels */
    bool has_rec;    /* the decoder was trained */
    double error;    /* share of labelled images classified wrongly, in percent */
    double nll;      /* mean cross-entropy over labelled images, in nats */
    double rec;      /* mean squared error per pixel of the reconstruction (own where) */
    double seconds;  /* time spent */
    int classes;     /* the model's */
    uint64_t
        *confusion; /* (classes, classes): rows truth, columns prediction; NULL if !has_error */
} swwae_evaluation;

/* Progress of a long call; return non-zero to stop (the call then returns
 * SWWAE_E_INTERRUPTED). user is passed through. */
typedef struct swwae_progress {
    const char *what;         /* "train", "validate", "evaluate", "encode", "study" (several
                                 trainings at once), "message" */
    const char *message;      /* a sentence for the user when what is "message", else NULL */
    uint64_t step, steps;     /* done, of */
    double epoch, epochs;     /* the same in epochs; 0 outside training */
    double images_per_second; /* of this call */
    double seconds_left;      /* estimate */
    double loss, nll, rec,
        m;          /* running means of the weighted sum and of the raw terms; NaN: not computed */
    bool validated; /* the fields below are fresh */
    double validation_error; /* percent; NaN: not measured */
    double validation_rec;   /* mean squared error per pixel; NaN: not measured */
    bool best;               /* no validation so far has a lower score */
    /* Of the whole run so far, not only of this call, and in every report of training: */
    double best_score;  /* the lowest validation score, percent or squared error; NaN: none */
    uint64_t best_step; /* its step; 0: none */
    bool best_by_error; /* best_score is a validation_error, else a validation_rec */
    double confident;   /* percent of the images without a label that had a pseudo-label, since the
                           last validation; NaN: none is made */
} swwae_progress;
typedef int (*swwae_progress_fn)(const swwae_progress *progress, void *user);

/* Measures model on dataset. progress may be NULL. Release with swwae_evaluation_clear. */
SWWAE_API swwae_status swwae_evaluate(swwae_model *model, const swwae_dataset *dataset,
                                      swwae_progress_fn progress, void *user,
                                      swwae_evaluation *evaluation);
SWWAE_API void swwae_evaluation_clear(swwae_evaluation *evaluation);

/* Writes the codes of a data set as NumPy files: PREFIX-what.npy (float32) and PREFIX-where.npy
 * (uint8), shaped (images, channels, height, width), and PREFIX-labels.npy (int32, -1: none). The
 * where of a stage with soft pooling is float32, (images, channels, height, width, 2).
 * progress may be NULL. */
SWWAE_API swwae_status swwae_encode(swwae_model *model, const swwae_dataset *dataset, int stage,
                                    const char *prefix, swwae_progress_fn progress, void *user);

/* Writes n images (values clipped to 0..1; 1 or 3 channels) as one PNG, row by row in a grid of
 * `columns`, each enlarged `zoom` times (1..16). */
SWWAE_API swwae_status swwae_picture_write(const char *path, const float *images, size_t n,
                                           int channels, int height, int width, int columns,
                                           int zoom);

/* ---- 5. Training ----------------------------------------------------------------------- */

/* A set of named options with defaults (swwae_options, declared above); the names are the command's
 * long options (swwae train --help) and the keys of a run's config.json. */

typedef struct swwae_option_info {
    const char *name;     /* "lambda-rec" */
    const char *argument; /* "X", "N|all|none": how the value is written in help */
    const char *fallback; /* the default as text */
    const char *help;     /* one line */
} swwae_option_info;

/* The i-th option, or NULL past the last. Static storage. */
SWWAE_API const swwae_option_info *swwae_option_info_at(size_t i);

SWWAE_API swwae_status swwae_options_create(swwae_options **options);
SWWAE_API void swwae_options_free(swwae_options *options);
/* Sets one option from text. The message names the option, the value and what is allowed. Options
 * that are not set follow the recipe, from the beginning on: set recipe to "none" for each option's
 * own default (docs/recipes.md). */
SWWAE_API swwae_status swwae_options_set(swwae_options *options, const char *name,
                                         const char *value);
/* The current value as text, NULL for an unknown name. Valid until an option is set. */
SWWAE_API const char *swwae_options_get(const swwae_options *options, const char *name);
/* Sets every option a JSON file names (a run's config.json, for instance). */
SWWAE_API swwae_status swwae_options_load(swwae_options *options, const char *path);
/* What a training takes from its data, for options that are not set: an architecture that ends in
 * its classes, and the recipe that recipe "auto" follows for its labels and for images in colour.
 * Trainings do so by themselves; afterwards swwae_options_get tells what they use. */
SWWAE_API swwae_status swwae_options_fit(swwae_options *options, const swwae_dataset *dataset);

/* The images whose labels a training with these options would use, as the text of an index file for
 * the option label-file (docs/formats.md). *text is released with swwae_text_free. */
SWWAE_API swwae_status swwae_draw_labels(const swwae_options *options, char **text);

/* Changes n images (n, channels, height, width), pixels 0 to 1, in place as a training with these
 * options, fitted to its data (swwae_options_fit), changes its own: augment, augment-border,
 * augment-strength, seed. By draws number first, first + 1, ...: the same draw makes the same of
 * the same image. At most 1024 channels and 4096 pixels a side. */
SWWAE_API swwae_status swwae_augment(const swwae_options *options, float *images, size_t n,
                                     int channels, int height, int width, uint64_t first);

/* Trains as options say and leaves a run folder: config.json, labels.json, labels.csv, metrics.csv,
 * model.safetensors (best on validation), checkpoint.safetensors (last, to resume).
 * progress may be NULL. */
SWWAE_API swwae_status swwae_train(const swwae_options *options, swwae_progress_fn progress,
                                   void *user);

/* Goes on with an interrupted run to the bit as if it had not stopped. more: options to change,
 * may be NULL; only epochs, steps, threads and checkpoint-every may differ from the run's own. */
SWWAE_API swwae_status swwae_resume(const char *run, const swwae_options *more,
                                    swwae_progress_fn progress, void *user);

/* What a training takes, in bytes, before it is begun. */
typedef struct swwae_memory {
    size_t process;    /* this process now, without the data */
    size_t data;       /* the images in memory */
    size_t parameters; /* values, gradient, the optimizer's arrays, averages */
    size_t step;       /* the engine of training steps, with its batch */
    size_t validation; /* the engine of forward passes, with the images of one of them */
    size_t saving;     /* copies of what is being written */
    size_t loading;    /* models and checkpoints that are read before the first step; passing */
    size_t peak;       /* the most at any moment */
    size_t available;  /* what this process can still get; SIZE_MAX: nothing limits it */
} swwae_memory;

/* Predicts the memory of swwae_train with these options; opens the data, trains nothing. A training
 * that cannot fit is refused by swwae_train with SWWAE_E_MEMORY, before its first step. */
SWWAE_API swwae_status swwae_train_memory(const swwae_options *options, swwae_memory *memory);

/* Times training steps and forward passes of the options' model on made-up images, and every pass
 * of a step by itself (processor time). channels, height, width: of the images. repetitions >= 1.
 * *json: an object, released with swwae_text_free; keys: docs/formats.md. progress may be NULL. */
SWWAE_API swwae_status swwae_bench(const swwae_options *options, int channels, int height,
                                   int width, int repetitions, swwae_progress_fn progress,
                                   void *user, char **json);

/* ---- 6. Studies ------------------------------------------------------------------------- */

/* How a study is run; all zero: its own numbers, everything, one training for each processor. */
typedef struct swwae_study_settings {
    int seeds;        /* trainings of each kind, 1..1000, with the seeds from the option seed on; 0:
                         the study's own number */
    bool quick;       /* minutes instead of hours: fewer images, seeds and steps */
    int jobs;         /* trainings side by side, 1..256, where the study can (a table's rows), each
                         with one thread unless the option threads says more; 0: one for each
                         processor. The results do not depend on it */
    const char *rows; /* a table's rows to train now, "convnet,swwae"; NULL: all */
    const char *counts; /* its numbers of labels, "100,1000,all"; NULL: the study's own */
    const char *folder; /* NULL: "studies/NAME", or "studies/NAME-quick" */
} swwae_study_settings;

/* Runs one of the paper's experiments and leaves its figures in a folder: CSV files, pictures,
 * plots (gnuplot, where it is installed), the runs themselves and a page of Markdown, study.md. A
 * study that was interrupted goes on where it stopped when it is run again with the same folder and
 * options; other options in the same folder are SWWAE_E_ARGUMENT.
 * name: see swwae_study_info_at. options: of its trainings; what was not set there takes the
 * study's own values, and what the study compares may not be set. settings may be NULL: all zero.
 * progress may be NULL; it is called on the caller's thread, and seconds_left is the whole
 * study's. */
SWWAE_API swwae_status swwae_study(const char *name, const swwae_options *options,
                                   const swwae_study_settings *settings, swwae_progress_fn progress,
                                   void *user);

typedef struct swwae_study_info {
    const char *name;  /* "where" */
    const char *help;  /* one line */
    const char *about; /* a paragraph: what it does, and the options it sets itself */
} swwae_study_info;

/* The i-th study, or NULL past the last. Static storage. */
SWWAE_API const swwae_study_info *swwae_study_info_at(size_t i);

#ifdef __cplusplus
}
#endif
#endif
