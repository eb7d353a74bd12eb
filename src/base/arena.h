/* arena.h - memory booked once: measure, allocate, then take the same pieces again. */
#ifndef SWWAE_BASE_ARENA_H
#define SWWAE_BASE_ARENA_H

#include "base/status.h"

/* Use: zero-initialise, take everything once (returns NULL, only measures), arena_allocate, take
 * the same again in the same order. Every piece starts on a 64-byte line; under AddressSanitizer
 * a poisoned line follows each piece. Memory is zeroed. */
struct arena {
    char *base;     /* NULL while measuring */
    size_t size;    /* bytes allocated */
    size_t used;    /* bytes taken so far */
    int overflowed; /* a size did not fit into size_t */
};

/* count elements of `bytes` each. */
void *arena_take(struct arena *arena, size_t count, size_t bytes);
/* Allocates what was measured. */
swwae_status arena_allocate(struct arena *arena);
void arena_free(struct arena *arena);

#endif
