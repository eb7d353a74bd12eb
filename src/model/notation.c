/* notation.c - reads and prints the paper's architecture language; see notation.h.
 *
 * A layer is read as text first (kind and numbers, each in its range), then placed: what may
 * stand where depends only on what came before, so one table of expectations serves every
 * message. */
#include "model/notation.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define QUOTE 200 /* characters of the text a message shows; STL-10's net takes 103 */

enum kind { CONV, POOL, FC };

struct layer {
    enum kind kind;
    const char *begin, *end; /* its text */
    int maps;                /* of a convolution */
    int size;                /* kernel size, pool size or units */
};

/* A kind of number: its name, its range, and the range in words. */
struct quantity {
    const char *name, *range;
    int low, high, step;
};

static const struct quantity map_count = {"map count", "a number from 1 to 4096", 1, 4096, 1};
static const struct quantity kernel_size = {"kernel size", "an odd number from 1 to 11", 1, 11, 2};
static const struct quantity pool_size = {"pool size", "a number from 2 to 16", 2, 16, 1};
static const struct quantity unit_count = {"unit count", "a number from 1 to 65536", 1, 65536, 1};

/* The ctype functions depend on the locale. */
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_printable(char c) { return c >= ' ' && c <= '~'; }

static const char *skip_space(const char *at) {
    while (*at == ' ' || (*at >= '\t' && *at <= '\r')) at++;
    return at;
}

__attribute__((format(printf, 3, 4))) static swwae_status fault(const char *text, const char *at,
                                                                const char *format, ...) {
    char quote[QUOTE + 1], sentence[512];
    size_t length = strlen(text), shown = length < QUOTE ? length : QUOTE;
    memcpy(quote, text, shown);
    quote[shown] = 0;
    for (char *c = quote; *c; c++)
        if (!is_printable(*c)) *c = '?';
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    return status_set(SWWAE_E_NOTATION, "architecture \"%s%s\": at character %zu, %s", quote,
                      shown < length ? "..." : "", (size_t)(at - text) + 1, sentence);
}

/* "'x' found, expected <expected>". */
static swwae_status unexpected(const char *text, const char *at, const char *expected) {
    if (!*at) return fault(text, at, "the end of the text found, expected %s", expected);
    if (is_printable(*at)) return fault(text, at, "'%c' found, expected %s", *at, expected);
    return fault(text, at, "byte 0x%02X found, expected %s", (unsigned)(unsigned char)*at,
                 expected);
}

/* The digits at `at`; past INT_MAX the value stays there. Returns what follows. */
static const char *read_digits(int *value, const char *at) {
    *value = 0;
    for (; is_digit(*at); at++)
        if (__builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, *at - '0', value))
            *value = INT_MAX;
    return at;
}

static swwae_status check_range(const char *text, const char *digits, int value,
                                const struct quantity *quantity) {
    if (value >= quantity->low && value <= quantity->high &&
        (value - quantity->low) % quantity->step == 0)
        return SWWAE_OK;
    int length = (int)strspn(digits, "0123456789");
    return fault(text, digits, "%s %.*s%s found, expected %s", quantity->name,
                 length < 20 ? length : 20, digits, length > 20 ? "..." : "", quantity->range);
}

/* A number inside a convolution. */
static swwae_status read_number(int *value, const char **cursor, const char *text,
                                const struct quantity *quantity) {
    const char *at = skip_space(*cursor);
    if (!is_digit(*at)) {
        char expected[80];
        snprintf(expected, sizeof expected, "a %s: %s", quantity->name, quantity->range);
        return unexpected(text, at, expected);
    }
    *cursor = read_digits(value, at);
    return check_range(text, at, *value, quantity);
}

/* Reads the layer at *cursor. expected: what may begin here, in words. */
static swwae_status read_layer(struct layer *layer, const char **cursor, const char *text,
                               const char *expected) {
    swwae_status status = SWWAE_OK;
    const char *at = skip_space(*cursor);
    *layer = (struct layer){.begin = at};
    if (*at == '(') {
        layer->kind = CONV;
        at++;
        TRY(read_number(&layer->maps, &at, text, &map_count));
        at = skip_space(at);
        if (*at != ')') return unexpected(text, at, "')' after the map count");
        at++;
        TRY(read_number(&layer->size, &at, text, &kernel_size));
        at = skip_space(at);
        if (*at != 'c') return unexpected(text, at, "'c' after the kernel size");
        at++;
    } else if (is_digit(*at)) {
        at = skip_space(read_digits(&layer->size, at));
        if (*at == 'p') {
            layer->kind = POOL;
            at++;
        } else if (at[0] == 'f' && at[1] == 'c') {
            layer->kind = FC;
            at += 2;
        } else if (*at == 'c') {
            return fault(text, layer->begin,
                         "a convolution without its map count found, expected it in parentheses, "
                         "such as (64)5c");
        } else {
            return unexpected(text, at, "'p' for a pool or 'fc' for a fully connected layer");
        }
        TRY(check_range(text, layer->begin, layer->size,
                        layer->kind == POOL ? &pool_size : &unit_count));
    } else {
        return unexpected(text, at, expected);
    }
    layer->end = *cursor = at;
fail:
    return status;
}

/* What may come next, in words. */
static const char *expectation(const struct notation *n, bool in_stage) {
    if (n->fcs) return "a fully connected layer such as 10fc";
    if (in_stage) return "a convolution such as (64)5c or a pool such as 2p";
    if (n->stages) return "a convolution such as (64)5c or a fully connected layer such as 10fc";
    return "a convolution such as (64)5c";
}

/* Appends a layer; *in_stage: the last stage has convolutions and no pool yet. */
static swwae_status place(struct notation *n, bool *in_stage, const struct layer *layer,
                          const char *text) {
    static const char *const names[] = {"convolution", "pool", "fully connected layer"};
    const char *rule = NULL;
    if (layer->kind != FC && n->fcs)
        rule = "fully connected layers come last";
    else if (layer->kind == FC && *in_stage)
        rule = "a stage must end with a pool such as 2p";
    else if (layer->kind == FC && !n->stages)
        rule = "fully connected layers come after the last pool";
    else if (layer->kind == POOL && !*in_stage)
        rule = "a stage is one or more convolutions, then a pool";
    if (rule)
        return fault(text, layer->begin, "%s %.*s found, expected %s: %s", names[layer->kind],
                     layer->end - layer->begin < 40 ? (int)(layer->end - layer->begin) : 40,
                     layer->begin, expectation(n, *in_stage), rule);
    if (layer->kind == POOL) {
        n->stage[n->stages++].pool = layer->size;
        *in_stage = false;
        return SWWAE_OK;
    }
    if (layer->kind == FC) {
        if (n->fcs == NOTATION_FCS)
            return fault(text, layer->begin, "fully connected layer %d found, expected at most %d",
                         n->fcs + 1, NOTATION_FCS);
        n->units[n->fcs++] = layer->size;
        return SWWAE_OK;
    }
    if (n->stages == NOTATION_STAGES)
        return fault(text, layer->begin, "stage %d found, expected at most %d stages",
                     n->stages + 1, NOTATION_STAGES);
    int convs = n->stage[n->stages].convs;
    if (convs == NOTATION_CONVS)
        return fault(text, layer->begin, "convolution %d of a stage found, expected at most %d",
                     convs + 1, NOTATION_CONVS);
    n->stage[n->stages].maps[convs] = layer->maps;
    n->stage[n->stages].kernel[convs] = layer->size;
    n->stage[n->stages].convs = convs + 1;
    *in_stage = true;
    return SWWAE_OK;
}

swwae_status notation_parse(struct notation *notation, const char *text) {
    swwae_status status = SWWAE_OK;
    struct notation n = {0};
    struct layer layer;
    bool in_stage = false;
    const char *at = text, *dash;
    /* The canonical text is never longer than what was read, so it fits NOTATION_TEXT. */
    if (strlen(text) >= NOTATION_TEXT)
        return fault(text, text + NOTATION_TEXT - 1,
                     "more text found, expected at most %d characters", NOTATION_TEXT - 1);
    for (;;) {
        TRY(read_layer(&layer, &at, text, expectation(&n, in_stage)));
        TRY(place(&n, &in_stage, &layer, text));
        dash = skip_space(at);
        if (*dash != '-') break;
        at = skip_space(dash + 1);
        if (!*at)
            return fault(text, dash, "a trailing '-' found, expected %s after it",
                         expectation(&n, in_stage));
    }
    if (*dash) return unexpected(text, dash, "'-' between layers");
    if (in_stage)
        return unexpected(text, dash, "'-' and a pool: a stage must end with a pool such as 2p");
    *notation = n;
fail:
    return status;
}

void notation_print(char *text, const struct notation *notation) {
    size_t used = 0;
#define PRINT(...) used += (size_t)snprintf(text + used, NOTATION_TEXT - used, __VA_ARGS__)
    for (int s = 0; s < notation->stages; s++) {
        for (int c = 0; c < notation->stage[s].convs; c++)
            PRINT("(%d)%dc-", notation->stage[s].maps[c], notation->stage[s].kernel[c]);
        PRINT("%dp-", notation->stage[s].pool);
    }
    for (int f = 0; f < notation->fcs; f++) PRINT("%dfc-", notation->units[f]);
#undef PRINT
    text[used - 1] = 0; /* the last '-' */
}
