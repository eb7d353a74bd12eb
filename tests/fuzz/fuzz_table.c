/* fuzz_table.c - tables of numbers: metrics.csv of a run that goes on, and those studies read. */
#include "fuzz.h"
#include "study/table.h"
#include "train/metrics.h"

#define TEXTS 3 /* of trainings.csv */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct table table = {0};
    struct metrics metrics = {0};
    const char *path = fuzz_file("metrics.csv", data, size);
    fuzz_begin();
    swwae_status status = table_read(&table, path);
    /* the text, and 8 bytes for each cell, of which an empty one takes none of a line's bytes */
    fuzz_end("table_read", 16 * KIB + (1 + 8 * TABLE_COLUMNS) * size, status);
    if (status == SWWAE_OK) table_cell(&table, -1, "loss");
    table_free(&table);
    fuzz_begin();
    status = table_read_after(&table, path, TEXTS);
    fuzz_end("table_read_after", 16 * KIB + (1 + 8 * (TABLE_COLUMNS + TEXTS)) * size, status);
    if (status == SWWAE_OK) table_text(&table, 0, "training");
    table_free(&table);
    fuzz_begin();
    status = metrics_resume(&metrics, path, 100);
    fuzz_end("metrics_resume", 16 * KIB + 3 * size, status);
    metrics_free(&metrics);
    return 0;
}
