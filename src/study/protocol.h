/* protocol.h - study.json: what a study's trainings depend on, so that a folder never mixes two
 * protocols.
 *
 * It holds every option of the study, of the data set's folder the name and not the place, so that
 * the study can be continued on another machine; and of a study with a table what each row that was
 * asked for changes of them, recipes written out. A later call in the same folder must come to the
 * same. */
#ifndef SWWAE_STUDY_PROTOCOL_H
#define SWWAE_STUDY_PROTOCOL_H

#include <jansson.h>

#include "study/study.h"

/* *before: the folder's study.json, left as it is where there is none. The caller releases it. */
swwae_status protocol_read(json_t **before, const struct study *study);

/* An option as study.json has it; NULL: not there. */
const char *protocol_option(const json_t *before, const char *name);

/* Compares the study with `before` (NULL: there is none), then writes study.json. */
swwae_status protocol_write(const struct study *study, const json_t *before);

/* Compares what a row's trainings change of the study's options with what `file` holds of it, which
 * is study.json as protocol_read gives it after protocol_write. add: adds it there if it holds
 * nothing. options: of such a training. */
swwae_status protocol_row(json_t *file, const struct study *study, const char *row,
                          const swwae_options *options, bool add);

/* Writes study.json with the rows that were added. */
swwae_status protocol_save(const struct study *study, const json_t *file);

/* The last part of a path, which says the same on another machine. */
#define PROTOCOL_NAME 256
const char *protocol_portable(char name[PROTOCOL_NAME], const char *path);

#endif
