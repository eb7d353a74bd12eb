/* progress.h - how long calls show themselves on stderr.
 *
 * On a terminal one live line, redrawn at most ten times a second and cut to the terminal's
 * width; elsewhere a plain line about every ten seconds and one for each validation. */
#ifndef SWWAE_CLI_PROGRESS_H
#define SWWAE_CLI_PROGRESS_H

#include "swwae.h"

struct progress {
    bool quiet;   /* nothing is shown */
    bool live;    /* stderr is a terminal that can redraw a line */
    bool drawn;   /* the live line is on the screen */
    double shown; /* when the last line was, in seconds of clock_seconds() */
    bool validated, has_error;
    double error, rec;           /* last validation */
    double best_error, best_rec; /* best validation of the whole run; NaN: not measured, or not
                                    told: of one before --resume only its score is */
    double best_epoch;
    uint64_t best_step;
};

void progress_begin(struct progress *progress, bool quiet);

/* Shows an event of the library, and remembers its validation, also when quiet. */
void progress_show(struct progress *progress, const swwae_progress *event);

/* A plain line of text, above the live line. */
void progress_say(struct progress *progress, const char *text);

/* Removes the live line, so that something else can be printed. */
void progress_clear(struct progress *progress);

/* Seconds of a clock that never jumps. */
double clock_seconds(void);

/* "0:07", "12:31", "3:04:05", "2d 3:04:05". text[32]. Returns text. */
char *duration_text(char *text, double seconds);

#endif
