/* failing_memory.h - malloc and its kin of the whole process, with a switch that fails the n-th
 * call.
 *
 * A program that includes this defines them itself, so that the calls of every library come here
 * too, the C library's own (fopen, strdup, open_memstream) included. Below them lies the C
 * library's allocator, or a sanitizer's. One file of a program includes it. */
#ifndef SWWAE_TESTS_FAILING_MEMORY_H
#define SWWAE_TESTS_FAILING_MEMORY_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define BELOW(name) __interceptor_##name
#define SANITIZED true /* strdup and others of the sanitizer's own do not come here */
#else
#define BELOW(name) __libc_##name
#define SANITIZED false
#endif
#ifdef __SANITIZE_THREAD__ /* it allocates before it can watch anything */
#define UNWATCHED __attribute__((no_sanitize("thread")))
#else
#define UNWATCHED
#endif
extern void *BELOW(malloc)(size_t);
extern void *BELOW(calloc)(size_t, size_t);
extern void *BELOW(realloc)(void *, size_t);
extern void *BELOW(memalign)(size_t, size_t);
extern void BELOW(free)(void *);

static atomic_long memory_left;     /* calls until one fails; 0: none is to fail */
static atomic_bool memory_for_ever; /* and all after it */
static atomic_bool memory_failed;   /* one has */
static atomic_long memory_blocks;   /* allocated and not freed */

/* A sanitizer allocates as a thread starts, and ends the program where it cannot: there, only the
 * calls of the thread that asks for failures fail. */
static _Thread_local bool memory_asks;

/* Whether this call fails. */
UNWATCHED static bool memory_fails(void) {
    if (SANITIZED && !memory_asks) return false;
    long left = atomic_load(&memory_left);
    if (left > 1) {
        atomic_fetch_sub(&memory_left, 1);
        return false;
    }
    if (left != 1) return false;
    if (!atomic_load(&memory_for_ever)) atomic_store(&memory_left, 0);
    atomic_store(&memory_failed, true);
    errno = ENOMEM;
    return true;
}

UNWATCHED static void *memory_counted(void *block) {
    if (block) atomic_fetch_add(&memory_blocks, 1);
    return block;
}

UNWATCHED void *malloc(size_t size) {
    return memory_fails() ? NULL : memory_counted(BELOW(malloc)(size));
}

UNWATCHED void *calloc(size_t count, size_t size) {
    return memory_fails() ? NULL : memory_counted(BELOW(calloc)(count, size));
}

UNWATCHED void *realloc(void *block, size_t size) {
    if (memory_fails()) return NULL;
    void *moved = BELOW(realloc)(block, size);
    return block ? moved : memory_counted(moved);
}

UNWATCHED void *memalign(size_t alignment, size_t size) {
    return memory_fails() ? NULL : memory_counted(BELOW(memalign)(alignment, size));
}

UNWATCHED void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

UNWATCHED int posix_memalign(void **block, size_t alignment, size_t size) {
    void *made = memalign(alignment, size);
    if (!made) return ENOMEM;
    *block = made;
    return 0;
}

UNWATCHED void free(void *block) {
    if (block) atomic_fetch_sub(&memory_blocks, 1);
    BELOW(free)(block);
}

/* From now on the n-th allocation (from 1) fails, and with for_ever every one after it. */
static inline void memory_fail(long n, bool for_ever) {
    memory_asks = true;
    atomic_store(&memory_failed, false);
    atomic_store(&memory_for_ever, for_ever);
    atomic_store(&memory_left, n);
}

/* No more failures; whether there was one. */
static inline bool memory_recover(void) {
    atomic_store(&memory_left, 0);
    return atomic_load(&memory_failed);
}

#endif
