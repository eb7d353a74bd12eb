/* status.h - how every function inside the library reports failure. */
#ifndef SWWAE_BASE_STATUS_H
#define SWWAE_BASE_STATUS_H

#include "swwae.h"

/* Stores one sentence for the calling thread and returns code, so that a failing function can
 * `return status_set(...)`. */
swwae_status status_set(swwae_status code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Replaces the stored sentence by "<context>: <sentence>", for callers that know the file or
 * option a lower layer did not. Returns code. */
swwae_status status_prefix(swwae_status code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* In a function with a local `swwae_status status` and a label `fail`. */
#define CHECK(condition, code, ...)                   \
    do {                                              \
        if (!(condition)) {                           \
            status = status_set((code), __VA_ARGS__); \
            goto fail;                                \
        }                                             \
    } while (0)

/* Forwards the failure of a call, keeping its sentence. */
#define TRY(call)                          \
    do {                                   \
        status = (call);                   \
        if (status != SWWAE_OK) goto fail; \
    } while (0)

#endif
