/* shrink.h - the tests that would take hours under valgrind and ThreadSanitizer, and minutes under
 * AddressSanitizer, try one case of so many there: SWWAE_SHRINK, which tests/CMakeLists.txt sets
 * for such builds. */
#ifndef SWWAE_TESTS_SHRINK_H
#define SWWAE_TESTS_SHRINK_H

#include <stdbool.h>
#include <stdlib.h>

/* One case of how many; 1: every case. */
static inline int shrink(void) {
    const char *text = getenv("SWWAE_SHRINK");
    const int cases = text ? atoi(text) : 1;
    return cases > 1 ? cases : 1;
}

/* Whether a case takes a hundred times as long, as under valgrind and ThreadSanitizer. */
static inline bool crawls(void) { return shrink() >= 10; }

#endif
