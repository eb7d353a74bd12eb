/* model_file.h - models as safetensors files (docs/formats.md). */
#ifndef SWWAE_TRAIN_MODEL_FILE_H
#define SWWAE_TRAIN_MODEL_FILE_H

#include "io/safetensors.h"
#include "train/model.h"

#define MODEL_FORMAT "swwae model 1"
#define CHECKPOINT_FORMAT "swwae checkpoint 2"
#define CHECKPOINT_FORMAT_1 "swwae checkpoint 1" /* without a checksum */
#define MODEL_FILE "model.safetensors"           /* inside a run folder: the best model */
#define CHECKPOINT_FILE "checkpoint.safetensors" /* the last state */
#define PREVIOUS_FILE "checkpoint-previous.safetensors"
#define OPTIMIZER_PREFIX "optimizer." /* tensors of a checkpoint besides the model's */
#define TEACHER_PREFIX "teacher."     /* and these */
#define MODEL_EXTRA_TENSORS 4

/* What a checkpoint adds to a model. */
struct model_extra {
    struct safetensor tensors[MODEL_EXTRA_TENSORS]; /* named with one of the prefixes */
    size_t tensor_count;
    const char *metadata[8][2];
    size_t metadata_count;
    const char *previous; /* NULL, or where the file that is replaced is kept */
};

/* extra: NULL writes a model file, else a checkpoint, with a checksum. SWWAE_E_IO, SWWAE_E_MEMORY.
 */
swwae_status model_write(const struct swwae_model *model, const char *path,
                         const struct model_extra *extra);

/* Builds the model a file describes and takes its tensors. Every tensor's name and shape must be
 * the network's, so a network needs no more memory than the file has bytes. path: for messages.
 * SWWAE_E_FORMAT with one sentence naming the file. */
swwae_status model_take(struct swwae_model **model, const struct safetensors *file,
                        const char *path);

/* Reads a model file, a checkpoint, or MODEL_FILE inside a run folder. */
swwae_status model_read(struct swwae_model **model, const char *path);

#endif
