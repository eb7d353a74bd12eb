/* table.h - small files of results: tables of numbers read back, pages and tables written. */
#ifndef SWWAE_STUDY_TABLE_H
#define SWWAE_STUDY_TABLE_H

#include <stdio.h>

#include "io/file.h"
#include "study/study.h"

/* ---- Reading ---- */

#define TABLE_COLUMNS 32

/* A CSV file of numbers under a header; an empty cell is NaN. */
struct table {
    char *text; /* the file; header cells point into it */
    const char *name[TABLE_COLUMNS];
    int columns;
    int texts;               /* first columns that hold text: NaN in cells */
    double *cells;           /* (rows, columns) */
    const char **text_cells; /* (rows, texts), in text */
    size_t rows;
};

/* SWWAE_E_IO, or SWWAE_E_FORMAT for what is not such a file. */
swwae_status table_read(struct table *table, const char *path);
/* The first `texts` columns hold text. */
swwae_status table_read_after(struct table *table, const char *path, int texts);
/* Accepts a zeroed struct. */
void table_free(struct table *table);

/* NaN where there is no such row or column; row -1 is the last. */
double table_cell(const struct table *table, long row, const char *column);
/* Of a column that holds text; NULL where there is none. */
const char *table_text(const struct table *table, long row, const char *column);

/* NaN where it was not measured; whole where the least is there that tells of a training. */
struct training_result training_result_of(const struct table *table, long row);
bool training_result_whole(const struct training_result *result);
/* Exact, so that what is computed from it is the same when it is read back; ends the line. */
void training_result_put(FILE *to, const struct training_result *result);

/* ---- Writing ---- */

/* A file of the study being written; page_commit replaces the one before. */
struct page {
    struct file_writer writer;
    FILE *to; /* to the writer's file */
};

swwae_status page_begin(struct page *page, const struct study *study, const char *name);
swwae_status page_commit(struct page *page);
/* Accepts a zeroed struct, and one that was committed. */
void page_abandon(struct page *page);

/* A number with at most 7 significant digits and a point, whatever the locale; "" for NaN. */
void page_number(FILE *to, double number);
/* Several, with commas between them and a line's end. */
void page_row(FILE *to, const double *numbers, int count);

/* ---- Means over seeds ---- */

struct summary {
    double mean, std; /* standard deviation of the sample; 0 of a single value */
    int count;
};

/* Of the values that are finite; NaN of none. */
struct summary summarise(const double *values, int count);

/* "0.0123 ± 0.0004": the deviation with two digits, the mean to the same place; "0.01234" of a
 * single value, "-" of none. */
void page_summary(FILE *to, struct summary summary);

/* With so many decimals and a point, whatever the locale; "-" of NaN. */
void page_fixed(FILE *to, double value, int decimals);

/* Text of others' naming as Markdown code, without what would end it. */
void page_name(FILE *to, const char *text);

/* The lines that end every page: command, time, machine. */
void page_colophon(FILE *to, const struct study *study);

#endif
