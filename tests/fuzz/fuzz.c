/* fuzz.c - files and rules of the fuzz targets; see fuzz.h. */
#include "fuzz.h"

#include <time.h>
#include <unistd.h>

#include "../temporary.h"

/* AddressSanitizer's; absent otherwise. */
__attribute__((weak)) int
__sanitizer_install_malloc_and_free_hooks(void (*taken)(const volatile void *, size_t),
                                          void (*given)(const volatile void *));
__attribute__((weak)) size_t __sanitizer_get_allocated_size(const volatile void *);

static int watching;
static size_t held, peak; /* bytes taken since fuzz_begin */
static double started;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void on_taken(const volatile void *piece, size_t size) {
    (void)piece;
    if (!watching) return;
    held += size;
    if (held > peak) peak = held;
}

static void on_given(const volatile void *piece) {
    if (!watching || !piece) return;
    size_t size = __sanitizer_get_allocated_size(piece);
    held = held > size ? held - size : 0; /* some were taken before */
}

static void clean_up(void) { temporary_remove(NULL); }

static void prepare(void) {
    if (*temporary_folder) return;
    fuzz_must(temporary_make(NULL) == 0, "a temporary folder");
    atexit(clean_up);
    if (__sanitizer_install_malloc_and_free_hooks)
        __sanitizer_install_malloc_and_free_hooks(on_taken, on_given);
}

void fuzz_must(int good, const char *what) {
    if (good) return;
    fprintf(stderr, "fuzz: failed: %s (last error: %s)\n", what, swwae_last_error());
    abort();
}

const char *fuzz_path(const char *name) {
    prepare();
    return temporary_path(name);
}

const char *fuzz_file(const char *name, const uint8_t *data, size_t size) {
    prepare();
    return temporary_write(name, data, size);
}

void fuzz_begin(void) {
    prepare();
    held = peak = 0;
    started = now();
    watching = 1;
}

void fuzz_end(const char *call, size_t most, swwae_status status) {
    watching = 0;
    double seconds = now() - started;
    const char *sentence = swwae_last_error();
    if (peak > most) fprintf(stderr, "fuzz: %s held %zu bytes of at most %zu\n", call, peak, most);
    if (seconds > 1) fprintf(stderr, "fuzz: %s took %.2f s\n", call, seconds);
    fuzz_must(peak <= most && seconds <= 1, call);
    if (status == SWWAE_OK) return;
    fuzz_must(status != SWWAE_E_INTERNAL && strlen(sentence) > 10 && !strchr(sentence, '\n'),
              "a refusal is one sentence");
}
