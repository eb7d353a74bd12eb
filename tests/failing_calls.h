/* failing_calls.h - every allocation of a call fails once: the call ends in an error with a
 * sentence, or does without and gives the same result; it keeps no memory, and no file is lost.
 *
 * A call runs again and again, with its first allocation failing, its second, and so on until it
 * makes no more; then the same with all allocations failing from there on. One file of a program
 * includes this, before others. */
#ifndef SWWAE_TESTS_FAILING_CALLS_H
#define SWWAE_TESTS_FAILING_CALLS_H

#include "failing_memory.h"
#include "shrink.h"

#include "runs.h"

/* Thousands of runs write a few files each; what a crash of the machine keeps is not looked at. */
int fsync(int fd) {
    (void)fd;
    return 0;
}

/* ---- Results ------------------------------------------------------------------------------- */

static uint64_t digest; /* of what a call gave */

static void add(const void *data, size_t size) {
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++) digest = (digest ^ bytes[i]) * UINT64_C(1099511628211);
}

static void add_file(const char *path) {
    FILE *file = fopen(path, "rb");
    char bytes[4096];
    size_t got;
    assert_non_null(file);
    while ((got = fread(bytes, 1, sizeof bytes, file))) add(bytes, got);
    fclose(file);
}

/* ---- Failing each in turn ------------------------------------------------------------------ */

struct call {
    const char *name;
    void (*prepare)(void);             /* may be NULL */
    swwae_status (*act)(void);         /* what is tried; adds its result to digest */
    void (*look)(swwae_status status); /* afterwards, with memory again; may be NULL */
    int stride;                        /* 1: every allocation; more: one of so many */
    int stride_after;                  /* the same with all after it */
};

/* Whether the n-th allocation was made, and so failed. */
static bool try_one(const struct call *call, long n, bool for_ever, uint64_t expected) {
    if (call->prepare) call->prepare();
    digest = 0;
    const long before = atomic_load(&memory_blocks);
    memory_fail(n, for_ever);
    const swwae_status status = call->act();
    const bool failed = memory_recover();
    const long kept = atomic_load(&memory_blocks) - before;
    if (kept && !SANITIZED) fail_msg("%s: allocation %ld: %ld blocks kept", call->name, n, kept);
    if (status == SWWAE_OK && digest != expected)
        fail_msg("%s: allocation %ld: another result and no error", call->name, n);
    if (status != SWWAE_OK && (!failed || !*swwae_last_error()))
        fail_msg("%s: allocation %ld: %s \"%s\"", call->name, n, swwae_status_text(status),
                 swwae_last_error());
    /* fopen and the like give the reason themselves */
    const bool named =
        status == SWWAE_OK || status == SWWAE_E_MEMORY || strstr(swwae_last_error(), "emory");
    if (!named)
        fail_msg("%s: allocation %ld: %s \"%s\"", call->name, n, swwae_status_text(status),
                 swwae_last_error());
    if (call->look) call->look(status);
    return failed;
}

static void fail_each(const struct call *call) {
    if (call->prepare) call->prepare();
    digest = 0;
    well(call->act());
    const uint64_t expected = digest;
    if (call->look) call->look(SWWAE_OK);
    for (int for_ever = 0; for_ever < 2; for_ever++) {
        long n = 1;
        const int stride = (for_ever ? call->stride_after : call->stride) * shrink();
        while (try_one(call, n, for_ever, expected)) n += stride;
        print_message("%s: %ld allocations%s\n", call->name, n - 1,
                      for_ever ? ", and all after" : "");
        assert_true(n > 1);
    }
}

/* ---- Files --------------------------------------------------------------------------------- */

/* A file is the one before, whole, or the new one. */
static uint64_t digest_of(const char *path) {
    const uint64_t kept = digest;
    digest = 0;
    add_file(path);
    const uint64_t found = digest;
    digest = kept;
    return found;
}

static void no_temporaries(const char *folder) {
    DIR *list = opendir(folder);
    assert_non_null(list);
    for (struct dirent *entry; (entry = readdir(list));)
        if (strstr(entry->d_name, ".tmp.")) fail_msg("%s/%s is left", folder, entry->d_name);
    closedir(list);
}

static void look_folder(swwae_status status) {
    (void)status;
    no_temporaries(temporary_path(""));
}

#endif
