/* option_table.h - the rows of the options: everything about an option stands in one row: what
 * help prints, how text is read, what is allowed and where the value goes. */
#ifndef SWWAE_TRAIN_OPTION_TABLE_H
#define SWWAE_TRAIN_OPTION_TABLE_H

#include <stddef.h>

#include "train/options.h"

enum kind {
    TEXT,   /* char[512] */
    ARCH,   /* char[NOTATION_TEXT] that notation_parse accepts */
    CHOICE, /* an enum: the argument's words in order */
    REAL,   /* double */
    REALS,  /* struct reals; its word stands for 0 */
    WHOLE,  /* int */
    FLAGS,  /* unsigned: the words of a list with commas as bits, none for 0 */
    COUNT,  /* long; the argument's words stand for -1, 0 (see words) */
    SEED,   /* uint64_t */
    EVERY   /* struct every */
};

enum bound { CLOSED, ABOVE, BELOW, BETWEEN }; /* which ends of the range are excluded */

struct option {
    swwae_option_info info;
    enum kind kind;
    size_t offset;
    double low, high; /* high 0: no upper bound */
    enum bound bound;
    const char *words; /* COUNT: what stands for -1 and for 0, "all|none" or "auto"; REALS: for 0;
                          FLAGS: all, in order of their bits */
    const char *place; /* REALS: what there may be a number for each of */
};

/* The options, in the order of help and config.json. */
extern const struct option option_table[];
extern const size_t option_count;

/* Reads value into settings; a refusal names the option, what was found and what was expected. */
swwae_status option_read(struct settings *settings, const struct option *option, const char *value);

#endif
