/* stop.h - the first Ctrl-C (SIGINT), SIGTERM or SIGHUP as a request, the second as the end.
 *
 * A long call learns of it through its progress callback, and so can save or clean up. */
#ifndef SWWAE_CLI_STOP_H
#define SWWAE_CLI_STOP_H

#include <stdbool.h>

/* From here on the first such signal is only noted. Signals that are ignored stay so. */
void stop_catch(void);

/* A signal has asked to stop. */
bool stop_asked(void);

#endif
