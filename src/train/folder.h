/* folder.h - the folder of a run: its name, its files, and what is written at its start. */
#ifndef SWWAE_TRAIN_FOLDER_H
#define SWWAE_TRAIN_FOLDER_H

#include "data/dataset.h"
#include "data/labels.h"
#include "io/lock.h"
#include "train/options.h"

/* Paths of a run's files; all malloc'ed. */
struct folder {
    char *path, *config, *labels, *draw, *metrics, *model, *checkpoint;
    char *previous; /* the checkpoint before */
    struct lock lock;
};

/* The paths inside `path`. */
swwae_status folder_name(struct folder *folder, const char *path);
/* Releases the lock too. Accepts a zeroed struct. */
void folder_free(struct folder *folder);

/* Makes this process the only one that writes into the folder, until folder_free, and removes what
 * a killed one left half-written. SWWAE_E_IO when another process trains there. Where the file
 * system knows no locks, folder->lock.held stays false. */
swwae_status folder_lock(struct folder *folder);

/* Whether the run has saved a state to go on from. */
bool folder_begun(const struct folder *folder);

/* SWWAE_E_ARGUMENT when --out names a folder that holds a run already. */
swwae_status folder_check(const swwae_options *options);

/* Makes the folder --out names, or runs/DATA-N with the first N that is free, sets --out to it and
 * locks it. */
swwae_status folder_claim(struct folder *folder, swwae_options *options,
                          const struct swwae_dataset *dataset);

/* Removes the files of a run that failed before it could be resumed, so that the folder is free
 * again. Only for a folder that folder_claim found without a run. */
void folder_discard(const struct folder *folder);

/* Writes config.json. */
swwae_status folder_write_config(const struct folder *folder, const swwae_options *options);

/* Writes labels.json (seed, the labelled, the validation and the held-out test images, how many of
 * each class) and labels.csv (the labelled images as an index file, where there are any). */
swwae_status folder_write_labels(const struct folder *folder, const struct label_draw *draw,
                                 const struct swwae_dataset *dataset, uint64_t seed);

/* SWWAE_E_DATA when labels.json is not what folder_write_labels would write: the data is not what
 * it was, and a resumed run would see other labels. */
swwae_status folder_check_labels(const struct folder *folder, const struct label_draw *draw,
                                 const struct swwae_dataset *dataset, uint64_t seed);

#endif
