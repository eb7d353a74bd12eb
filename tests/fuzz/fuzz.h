/* fuzz.h - what the fuzz targets share: a file to read, and the three rules of every reader.
 *
 * A target is one file, fuzz_READER.c, with LLVMFuzzerTestOneInput: it writes the input to a file,
 * reads that as the library would and asks what a good file must answer. `make fuzz` runs each
 * under libFuzzer, replay.c runs saved inputs as an ordinary test.
 *
 * The rules: no fault a sanitizer sees; no more memory at any moment than a bound worked out from
 * the file's size; no more than a second of processor time. And a refusal is one sentence. */
#ifndef SWWAE_TESTS_FUZZ_H
#define SWWAE_TESTS_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "swwae.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The path of a file `name` in this process's folder: one of four buffers in turn. */
const char *fuzz_path(const char *name);
/* Writes such a file; its path. */
const char *fuzz_file(const char *name, const uint8_t *data, size_t size);

/* Around a call that reads: most: bytes of memory it may hold at any moment. The memory is watched
 * where AddressSanitizer is built in. status: what the call returned. */
void fuzz_begin(void);
void fuzz_end(const char *call, size_t most, swwae_status status);

/* Ends the program unless `good`. */
void fuzz_must(int good, const char *what);

#endif
