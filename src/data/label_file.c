/* label_file.c - reading and writing index files; see label_file.h. */
#include "data/label_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_LIMIT UINT32_MAX
#define SHOWN 40 /* characters of a wrong line in a message */

/* A place in the file and what it is read against. */
struct reader {
    const char *at, *end; /* of the text */
    const char *name;
    size_t line; /* from 1 */
    const struct swwae_dataset *dataset;
};

/* Reads digits; false where there are none or too many. */
static bool take_number(const char **at, const char *end, uint64_t *number) {
    const char *start = *at;
    *number = 0;
    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
        *number = *number * 10 + (uint64_t)(**at - '0');
        if (*number > NUMBER_LIMIT) return false;
    }
    return *at > start;
}

static swwae_status refuse_line(const struct reader *r, const char *line, size_t length) {
    char shown[SHOWN + 1];
    size_t n = length < SHOWN ? length : SHOWN;
    for (size_t i = 0; i < n; i++)
        shown[i] = (char)(line[i] >= ' ' && line[i] < 127 ? line[i] : '?');
    shown[n] = 0;
    return status_set(
        SWWAE_E_FORMAT,
        "%.400s, line %zu: \"%s\" found, expected an image's number, or its number and "
        "class with a comma between",
        r->name, r->line, shown);
}

/* The index of image `number` of the files; count where it is held out. */
static size_t index_of(const struct swwae_dataset *d, uint32_t number) {
    if (!d->number) return number;
    size_t low = 0, high = d->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (d->number[middle] < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < d->count && d->number[low] == number ? low : d->count;
}

/* class_given: also `class`. */
static swwae_status check_image(const struct reader *r, uint64_t number, bool class_given,
                                uint64_t class, size_t *index) {
    swwae_status status = SWWAE_OK;
    const struct swwae_dataset *d = r->dataset;
    CHECK(number < dataset_total(d), SWWAE_E_DATA,
          "%.400s, line %zu: image %llu found, but %s has training images 0 to %zu only", r->name,
          r->line, (unsigned long long)number, d->name, dataset_total(d) - 1);
    *index = index_of(d, (uint32_t)number);
    CHECK(*index < d->count, SWWAE_E_DATA,
          "%.400s, line %zu: image %llu of %s is held out as a test image", r->name, r->line,
          (unsigned long long)number, d->name);
    const int32_t label = swwae_dataset_label(d, *index);
    CHECK(label >= 0, SWWAE_E_DATA, "%.400s, line %zu: image %llu of %s has no label", r->name,
          r->line, (unsigned long long)number, d->name);
    CHECK(
        !class_given || class == (uint64_t)label, SWWAE_E_DATA,
        "%.400s, line %zu: image %llu is of class %llu there, but of class %d in %s; the file was "
        "made for other data",
        r->name, r->line, (unsigned long long)number, (unsigned long long)class, label, d->name);
fail:
    return status;
}

/* Reads the next line; *found: it names an image. */
static swwae_status take_line(struct reader *r, bool *found, size_t *index) {
    const char *line = r->at, *end = memchr(line, '\n', (size_t)(r->end - line));
    r->at = end ? end + 1 : r->end;
    if (!end) end = r->end;
    if (end > line && end[-1] == '\r') end--;
    r->line++;
    *found = line < end && *line != '#';
    if (!*found) return SWWAE_OK;
    const char *at = line;
    uint64_t number = 0, class = 0;
    bool good = take_number(&at, end, &number), more = good && at < end && *at == ',';
    if (more) {
        at++;
        good = take_number(&at, end, &class);
    }
    if (!good || at != end) return refuse_line(r, line, (size_t)(end - line));
    return check_image(r, number, more, class, index);
}

swwae_status label_file_parse(uint32_t **images, size_t *count, const char *text, size_t size,
                              const char *name, const struct swwae_dataset *dataset) {
    swwae_status status = SWWAE_OK;
    struct reader r = {.at = text, .end = text + size, .name = name, .dataset = dataset};
    uint32_t *made = NULL;
    /* the line that named an image, 0: none did */
    size_t *lines = calloc(dataset->count, sizeof *lines), n = 0, index = 0;
    CHECK(lines, SWWAE_E_MEMORY, "not enough memory to read %.400s", name);
    while (r.at < r.end) {
        bool found;
        TRY(take_line(&r, &found, &index));
        if (!found) continue;
        CHECK(!lines[index], SWWAE_E_DATA,
              "%.400s, line %zu: image %zu was named in line %zu already", name, r.line,
              dataset_number(dataset, index), lines[index]);
        lines[index] = r.line;
        n++;
    }
    CHECK(n, SWWAE_E_DATA, "%.400s names no image, expected lines with an image's number", name);
    made = malloc(n * sizeof *made);
    CHECK(made, SWWAE_E_MEMORY, "not enough memory to read %.400s", name);
    for (size_t i = 0, k = 0; i < dataset->count; i++)
        if (lines[i]) made[k++] = (uint32_t)i;
    *images = made;
    *count = n;
fail:
    free(lines);
    return status;
}

swwae_status label_file_text(char **text, const uint32_t *images, size_t count,
                             const struct swwae_dataset *dataset) {
    swwae_status status = SWWAE_OK;
    char *made = NULL, plain[64];
    size_t size = 0;
    FILE *to = open_memstream(&made, &size);
    CHECK(to, SWWAE_E_MEMORY, "no memory for the drawn labels");
    snprintf(plain, sizeof plain, "%s", dataset->name);
    for (char *at = plain; *at; at++)
        if (*at < ' ' && *at > 0) *at = '?'; /* one line */
    fprintf(to, "# %zu labelled images of the %zu training images of %s\n# image,class\n", count,
            dataset_total(dataset), plain);
    for (size_t i = 0; i < count; i++)
        fprintf(to, "%zu,%d\n", dataset_number(dataset, images[i]),
                swwae_dataset_label(dataset, images[i]));
    bool good = !ferror(to);
    good = !fclose(to) && good;
    CHECK(good, SWWAE_E_MEMORY, "no memory for the drawn labels");
    *text = made;
    made = NULL;
fail:
    free(made);
    return status;
}
