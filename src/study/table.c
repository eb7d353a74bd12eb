/* table.c - small files of results; see table.h. */
#include "study/table.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/parallel.h"
#include "io/file.h"
#include "train/number.h"
#include "train/options.h"

#define TABLE_LIMIT (1u << 28) /* bytes */

/* ---- Reading ---------------------------------------------------------------------------- */

/* Ends the cell at `at` and returns the next one's start; NULL at the end of the line. */
static char *end_cell(char *at) {
    at += strcspn(at, ",\n");
    const bool more = *at == ',';
    if (*at) *at = 0;
    return more ? at + 1 : NULL;
}

static swwae_status read_row(struct table *table, char *line, const char *path) {
    double *row = table->cells + table->rows * (size_t)table->columns;
    for (int c = 0; c < table->columns; c++) {
        char *next = line ? end_cell(line) : NULL;
        const bool text = c < table->texts;
        row[c] = NAN;
        bool good = line && (text || !*line || number_parse(&row[c], line)) &&
                    !next == (c + 1 == table->columns);
        if (!good)
            return status_set(SWWAE_E_FORMAT,
                              "%.400s: row %zu is not %d numbers%s with commas between them", path,
                              table->rows + 1, table->columns - table->texts,
                              table->texts ? " after its names" : "");
        if (text) table->text_cells[table->rows * (size_t)table->texts + (size_t)c] = line;
        line = next;
    }
    table->rows++;
    return SWWAE_OK;
}

swwae_status table_read(struct table *table, const char *path) {
    return table_read_after(table, path, 0);
}

swwae_status table_read_after(struct table *table, const char *path, int texts) {
    swwae_status status = SWWAE_OK;
    struct table made = {.texts = texts};
    size_t size, lines = 0;
    TRY(file_read(path, TABLE_LIMIT, &made.text, &size));
    for (size_t i = 0; i < size; i++) lines += made.text[i] == '\n';
    char *line = made.text, *rest = strchr(line, '\n');
    CHECK(rest && strlen(made.text) == size, SWWAE_E_FORMAT,
          "%.400s: not a table of numbers under a header", path);
    rest++;
    for (char *at = line; at; at = line) {
        line = end_cell(at);
        CHECK(made.columns < TABLE_COLUMNS, SWWAE_E_FORMAT, "%.400s: more than %d columns", path,
              TABLE_COLUMNS);
        made.name[made.columns++] = at;
    }
    CHECK(made.columns >= texts, SWWAE_E_FORMAT, "%.400s: %d columns, expected %d names first",
          path, made.columns, texts);
    made.cells = calloc(lines * (size_t)made.columns + 1, sizeof *made.cells);
    made.text_cells = calloc(lines * (size_t)texts + 1, sizeof *made.text_cells);
    CHECK(made.cells && made.text_cells, SWWAE_E_MEMORY, "%.400s: no memory for its %zu rows", path,
          lines);
    while (*rest) {
        char *next = strchr(rest, '\n');
        CHECK(next, SWWAE_E_FORMAT, "%.400s: its last line is cut off", path);
        TRY(read_row(&made, rest, path));
        rest = next + 1;
    }
    *table = made;
    return SWWAE_OK;
fail:
    table_free(&made);
    return status;
}

void table_free(struct table *table) {
    free(table->text);
    free(table->cells);
    free(table->text_cells);
    *table = (struct table){0};
}

static int column_of(const struct table *table, const char *name) {
    for (int c = 0; c < table->columns; c++)
        if (strcmp(table->name[c], name) == 0) return c;
    return -1;
}

double table_cell(const struct table *table, long row, const char *column) {
    const int c = column_of(table, column);
    if (row < 0) row += (long)table->rows;
    if (c < 0 || row < 0 || (size_t)row >= table->rows) return NAN;
    return table->cells[(size_t)row * (size_t)table->columns + (size_t)c];
}

const char *table_text(const struct table *table, long row, const char *column) {
    const int c = column_of(table, column);
    if (c < 0 || c >= table->texts || row < 0 || (size_t)row >= table->rows) return NULL;
    return table->text_cells[(size_t)row * (size_t)table->texts + (size_t)c];
}

/* ---- Writing ---------------------------------------------------------------------------- */

swwae_status page_begin(struct page *page, const struct study *study, const char *name) {
    swwae_status status = SWWAE_OK;
    char path[STUDY_PATH];
    *page = (struct page){0};
    TRY(study_path(path, study, name));
    TRY(file_begin(&page->writer, path));
    const int fd = dup(page->writer.fd);
    page->to = fd < 0 ? NULL : fdopen(fd, "wb");
    if (!page->to && fd >= 0) close(fd);
    CHECK(page->to, SWWAE_E_MEMORY, "%.400s: no memory to write it", path);
fail:
    return status;
}

swwae_status page_commit(struct page *page) {
    swwae_status status = SWWAE_OK;
    /* After a failed write a later flush can succeed on what is left: ask the stream. */
    bool good = !ferror(page->to);
    good = !fclose(page->to) && good;
    page->to = NULL;
    CHECK(good, SWWAE_E_IO, "%.400s: cannot be written (%s)", page->writer.path, strerror(errno));
    TRY(file_commit(&page->writer));
fail:
    page_abandon(page);
    return status;
}

void page_abandon(struct page *page) {
    if (page->to) fclose(page->to);
    file_abandon(&page->writer);
    *page = (struct page){0};
}

void page_number(FILE *to, double number) {
    char text[NUMBER_TEXT];
    number_print_short(text, number);
    fputs(text, to);
}

void page_row(FILE *to, const double *numbers, int count) {
    for (int i = 0; i < count; i++) {
        if (i) fputc(',', to);
        page_number(to, numbers[i]);
    }
    fputc('\n', to);
}

/* ---- Means ------------------------------------------------------------------------------ */

struct summary summarise(const double *values, int count) {
    struct summary summary = {.mean = NAN, .std = 0};
    double sum = 0, squares = 0;
    for (int i = 0; i < count; i++)
        if (isfinite(values[i])) {
            sum += values[i];
            summary.count++;
        }
    if (!summary.count) return summary;
    summary.mean = sum / summary.count;
    for (int i = 0; i < count; i++)
        if (isfinite(values[i])) squares += pow(values[i] - summary.mean, 2);
    if (summary.count > 1) summary.std = sqrt(squares / (summary.count - 1));
    return summary;
}

void page_fixed(FILE *to, double value, int decimals) {
    char text[64];
    const struct lconv *locale = localeconv();
    if (isnan(value)) {
        fputc('-', to);
        return;
    }
    snprintf(text, sizeof text, "%.*f", decimals, value);
    if (strlen(locale->decimal_point) == 1 && strchr(text, *locale->decimal_point))
        *strchr(text, *locale->decimal_point) = '.';
    fputs(text, to);
}

void page_summary(FILE *to, struct summary summary) {
    if (!summary.count) {
        fputc('-', to);
        return;
    }
    const double scale = summary.std > 0 ? summary.std : fabs(summary.mean);
    int decimals = scale > 0 ? (summary.std > 0 ? 1 : 3) - (int)floor(log10(scale)) : 1;
    decimals = decimals < 0 ? 0 : decimals > 9 ? 9 : decimals;
    page_fixed(to, summary.mean, decimals);
    if (summary.count == 1) return;
    fputs(" ± ", to);
    page_fixed(to, summary.std, decimals);
}

void page_name(FILE *to, const char *text) {
    fputc('`', to);
    for (; *text; text++)
        fputc((unsigned char)*text < ' ' || *text == '`' || *text == '|' ? '?' : *text, to);
    fputc('`', to);
}

/* ---- Machine ---------------------------------------------------------------------------- */

/* The processor's name where the system tells it (Linux), else its architecture. */
static void processor(char *text, size_t size) {
    struct utsname system;
    char line[512];
    FILE *from = fopen("/proc/cpuinfo", "r");
    snprintf(text, size, "%s", uname(&system) < 0 ? "processor unknown" : system.machine);
    while (from && fgets(line, sizeof line, from)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon) continue;
        snprintf(text, size, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
        break;
    }
    if (from) fclose(from);
}

void page_colophon(FILE *to, const struct study *study) {
    char command[4096], name[256];
    const char *complaint;
    const int asked = study->options->settings.threads;
    study_command(study, command, sizeof command);
    processor(name, sizeof name);
    const long seconds = lround(study->trained);
    fputs("## How it was made\n\n    ", to);
    for (const char *at = command; *at; at++) fputc((unsigned char)*at < ' ' ? '?' : *at, to);
    fprintf(to,
            "\n\nTrainings: %d, together %ld:%02ld:%02ld hours. Machine: %s, %d %s, %s kernels. "
            "swwae %s. All options: [study.json](study.json).%s\n",
            study->trainings, seconds / 3600, seconds / 60 % 60, seconds % 60, name,
            study->kind->table ? study->jobs
            : asked            ? asked
                               : parallel_processors(),
            study->kind->table ? "at once" : "threads", cpu_isa_name(cpu_choose(&complaint)),
            swwae_version(),
            study->kind->table ? " The tables show all that the folder holds, of earlier calls too."
                               : "");
}
