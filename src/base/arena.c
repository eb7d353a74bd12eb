/* arena.c - one allocation, many 64-byte aligned pieces; see arena.h. */
#define _DEFAULT_SOURCE /* madvise */
#include "base/arena.h"

#include <stdlib.h>
#include <string.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define RED_ZONE 64
#else
#define RED_ZONE 0
#endif

void *arena_take(struct arena *arena, size_t count, size_t bytes) {
    size_t size, end;
    if (__builtin_mul_overflow(count, bytes, &size) ||
        __builtin_add_overflow(size, (size_t)(63 + RED_ZONE), &size) ||
        __builtin_add_overflow(arena->used, size & ~(size_t)63, &end)) {
        arena->overflowed = 1;
        return NULL;
    }
    if (arena->base && end > arena->size) return NULL; /* more than was measured */
    char *piece = arena->base ? arena->base + arena->used : NULL;
    arena->used = end;
#ifdef ARENA_ASAN
    if (piece)
        ASAN_POISON_MEMORY_REGION(piece + count * bytes,
                                  arena->base + end - (piece + count * bytes));
#endif
    return piece;
}

/* Pages of 2 MB where the system has them: a step reads and writes all of the arena, and looking up
 * so many small pages takes time (docs/speed.md). */
#define HUGE_PAGE ((size_t)2 << 20)

static void *take_memory(size_t size) {
#if defined(MADV_HUGEPAGE) && !defined(ARENA_ASAN)
    if (size >= 2 * HUGE_PAGE) {
        void *base;
        /* aligned_alloc takes only multiples of the alignment */
        if (posix_memalign(&base, HUGE_PAGE, size) != 0) return NULL;
        madvise(base, size, MADV_HUGEPAGE); /* only advice; what is left over is small */
        return base;
    }
#endif
    return aligned_alloc(64, size);
}

swwae_status arena_allocate(struct arena *arena) {
    if (arena->overflowed)
        return status_set(SWWAE_E_MEMORY, "the sizes asked for do not fit into memory");
    size_t size = arena->used ? arena->used : 64;
    char *base = take_memory(size);
    if (!base) return status_set(SWWAE_E_MEMORY, "cannot allocate %.1f MB", (double)size / 1e6);
    memset(base, 0, size);
    *arena = (struct arena){.base = base, .size = size};
    return SWWAE_OK;
}

void arena_free(struct arena *arena) {
#ifdef ARENA_ASAN
    if (arena->base) ASAN_UNPOISON_MEMORY_REGION(arena->base, arena->size);
#endif
    free(arena->base);
    *arena = (struct arena){0};
}
