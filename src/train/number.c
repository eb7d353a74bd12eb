/* number.c - numbers as text; see number.h.
 *
 * A program that uses the library may have set a locale whose decimal sign is a comma; options
 * and tables are files for other programs, so they are read and written in the "C" locale. */
#include "train/number.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The "C" locale for this thread, until leave. */
static locale_t enter(locale_t *before) {
    locale_t plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    *before = plain ? uselocale(plain) : (locale_t)0;
    return plain;
}

static void leave(locale_t plain, locale_t before) {
    if (!plain) return;
    uselocale(before);
    freelocale(plain);
}

static bool digit(char c) { return c >= '0' && c <= '9'; }

/* Only the characters of a decimal number, with at least one digit at its start: what is left for
 * strtod to refuse is their order. */
static bool decimal(const char *text) {
    const char *at = text + (*text == '-' || *text == '+');
    return *at && (digit(at[0]) || (at[0] == '.' && digit(at[1]))) &&
           strspn(at, "0123456789.eE+-") == strlen(at);
}

bool number_parse(double *value, const char *text) {
    if (!decimal(text)) return false;
    char *end;
    locale_t before, plain = enter(&before);
    double read = strtod(text, &end);
    leave(plain, before);
    if (*end || !isfinite(read)) return false;
    *value = read;
    return true;
}

bool number_parse_whole(int64_t *value, const char *text, bool sign) {
    const char *at = text + (sign && (*text == '-' || *text == '+'));
    if (!*at || strspn(at, "0123456789") != strlen(at)) return false;
    errno = 0;
    long long read = strtoll(text, NULL, 10);
    if (errno) return false;
    *value = read;
    return true;
}

bool number_parse_list(double *values, int *count, int most, const char *text, const char *word) {
    for (int n = 0; n < most; text++) {
        char part[NUMBER_TEXT * 2];
        const size_t length = strcspn(text, ",");
        if (length >= sizeof part) return false;
        memcpy(part, text, length);
        part[length] = 0;
        if (word && !strcmp(part, word))
            values[n] = 0;
        else if (!number_parse(&values[n], part) || (word && values[n] == 0))
            return false;
        *count = ++n;
        text += length;
        if (!*text) return true;
    }
    return false;
}

/* The first precision from `from` to `to` that reads back as value, else `to`. */
static void print(char *text, double value, int from, int to) {
    char number[NUMBER_TEXT] = "";
    locale_t before, plain = enter(&before);
    for (int digits = from; digits <= to && !isnan(value); digits++) {
        snprintf(number, sizeof number, "%.*g", digits, value);
        if (strtod(number, NULL) == value) break;
    }
    leave(plain, before);
    memcpy(text, number, sizeof number);
}

void number_print(char text[NUMBER_TEXT], double value) { print(text, value, 6, 17); }

void number_print_short(char text[NUMBER_TEXT], double value) { print(text, value, 7, 7); }

void number_print_list(char *text, const double *values, int count, const char *word) {
    for (int i = 0; i < count; i++) {
        char number[NUMBER_TEXT];
        number_print(number, values[i]);
        text += snprintf(text, NUMBER_TEXT, "%s%s", i ? "," : "",
                         word && values[i] == 0 ? word : number);
    }
}
