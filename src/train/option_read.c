/* option_read.c - an option's value from text; see option_table.h. */
#include <stdio.h>
#include <string.h>

#include "train/number.h"
#include "train/option_table.h"

/* "a number of at least 0", "a whole number from 1 to 65536"; of the kind REALS for one number. */
static void expect_one(char *text, size_t size, const struct option *option) {
    bool whole = option->kind != REAL && option->kind != REALS;
    char low[NUMBER_TEXT], high[NUMBER_TEXT], words[32] = "";
    if (option->kind == SEED) { /* more digits than a double holds */
        snprintf(text, size, "a whole number from 0 to %lld", (long long)INT64_MAX);
        return;
    }
    if (option->kind == EVERY) {
        snprintf(text, size,
                 "a whole number of steps from 1, or a time above 0 such as 30s, 5m, 1h");
        return;
    }
    number_print(low, option->low);
    number_print(high, option->high);
    if (option->kind == COUNT && option->words)
        snprintf(words, sizeof words, strchr(option->words, '|') ? "all, none or " : "auto or ");
    const char *noun = whole ? "a whole number" : "a number";
    switch (option->bound) {
    case BETWEEN: snprintf(text, size, "%s above %s and below %s", noun, low, high); return;
    case BELOW: snprintf(text, size, "%s of at least %s and below %s", noun, low, high); return;
    case ABOVE:
        if (option->high > 0)
            snprintf(text, size, "%s above %s and at most %s", noun, low, high);
        else
            snprintf(text, size, "%s above %s", noun, low);
        return;
    case CLOSED: break;
    }
    if (option->high > 0)
        snprintf(text, size, "%s%s from %s to %s", words, noun, low, high);
    else
        snprintf(text, size, "%s%s of at least %s", words, noun, low);
}

static void expectation(char *text, size_t size, const struct option *option) {
    char one[128];
    expect_one(one, sizeof one, option);
    if (option->kind == FLAGS)
        snprintf(text, size, "none, or some of %s with commas between them", option->words);
    else if (option->kind == REALS)
        snprintf(text, size, "%s%s%s, or one for each %s with commas between them",
                 option->words ? option->words : "", option->words ? " or " : "", one,
                 option->place);
    else
        snprintf(text, size, "%s", one);
}

static swwae_status refuse(const struct option *option, const char *value, const char *expected) {
    return status_set(SWWAE_E_ARGUMENT, "option --%s: \"%.200s\" found, expected %s",
                      option->info.name, value, expected);
}

static bool in_range(const struct option *option, double value) {
    bool open_low = option->bound == ABOVE || option->bound == BETWEEN;
    bool open_high = option->bound == BELOW || option->bound == BETWEEN;
    if (open_low ? value <= option->low : value < option->low) return false;
    return !(option->high > 0) || (open_high ? value < option->high : value <= option->high);
}

static bool read_real(double *value, const struct option *option, const char *text) {
    double read;
    if (!number_parse(&read, text) || !in_range(option, read)) return false;
    *value = read;
    return true;
}

static bool read_reals(struct reals *reals, const struct option *option, const char *text) {
    struct reals read = {.count = 0};
    if (!number_parse_list(read.value, &read.count, NOTATION_STAGES, text, option->words))
        return false;
    for (int i = 0; i < read.count; i++) {
        bool word = option->words && read.value[i] == 0;
        if (!word && !in_range(option, read.value[i])) return false;
    }
    *reals = read;
    return true;
}

/* The place of text among the words of "a|b|c", -1 for none. */
static int word_index(const char *words, const char *text) {
    size_t length = strlen(text);
    for (int i = 0; *words; i++) {
        size_t word = strcspn(words, "|");
        if (word == length && !memcmp(words, text, length)) return i;
        words += word + (words[word] == '|');
    }
    return -1;
}

/* A bit for each word of the list; a word twice or an empty one is no list. */
static bool read_flags(unsigned *flags, const struct option *option, const char *text) {
    unsigned read = 0;
    char word[32];
    if (!strcmp(text, "none")) return *flags = 0, true;
    for (;; text++) {
        const size_t length = strcspn(text, ",");
        if (length >= sizeof word) return false;
        snprintf(word, sizeof word, "%.*s", (int)length, text);
        const int index = word_index(option->words, word);
        if (index < 0 || read >> index & 1) return false;
        read |= 1u << index;
        text += length;
        if (!*text) break;
    }
    *flags = read;
    return true;
}

static bool read_whole(int64_t *value, const struct option *option, const char *text) {
    int word = option->kind == COUNT && option->words ? word_index(option->words, text) : -1;
    if (word >= 0) {
        *value = word - 1; /* all, auto: -1; none: 0 */
        return true;
    }
    int64_t read;
    if (!number_parse_whole(&read, text, false) || !in_range(option, (double)read)) return false;
    *value = read;
    return true;
}

static swwae_status read_text(char *to, size_t size, const struct option *option,
                              const char *value) {
    swwae_status status = SWWAE_OK;
    CHECK(*value, SWWAE_E_ARGUMENT, "option --%s: nothing found, expected %s", option->info.name,
          option->info.argument);
    CHECK(strlen(value) < size, SWWAE_E_ARGUMENT,
          "option --%s: a text of %zu bytes found, expected at most %zu", option->info.name,
          strlen(value), size - 1);
    if (option->kind == ARCH) {
        struct notation notation;
        status = notation_parse(&notation, value);
        if (status != SWWAE_OK) return status_prefix(status, "option --%s", option->info.name);
    }
    snprintf(to, size, "%s", value);
fail:
    return status;
}

swwae_status option_read(struct settings *settings, const struct option *option,
                         const char *value) {
    char *to = (char *)settings + option->offset, expected[256];
    double real;
    int64_t whole;
    expectation(expected, sizeof expected, option);
    switch (option->kind) {
    case TEXT: return read_text(to, sizeof settings->data, option, value);
    case ARCH: return read_text(to, sizeof settings->arch, option, value);
    case CHOICE: {
        int chosen = word_index(option->info.argument, value);
        if (chosen < 0) return refuse(option, value, option->info.argument);
        memcpy(to, &chosen, sizeof chosen);
        return SWWAE_OK;
    }
    case FLAGS:
        if (!read_flags((unsigned *)(void *)to, option, value))
            return refuse(option, value, expected);
        return SWWAE_OK;
    case REAL:
        if (!read_real(&real, option, value)) return refuse(option, value, expected);
        memcpy(to, &real, sizeof real);
        return SWWAE_OK;
    case REALS:
        if (!read_reals((struct reals *)(void *)to, option, value))
            return refuse(option, value, expected);
        return SWWAE_OK;
    case EVERY:
        if (!every_parse((struct every *)(void *)to, value)) return refuse(option, value, expected);
        return SWWAE_OK;
    case WHOLE:
    case COUNT:
    case SEED:
        if (!read_whole(&whole, option, value)) return refuse(option, value, expected);
        if (option->kind == WHOLE) *(int *)(void *)to = (int)whole;
        if (option->kind == COUNT) *(long *)(void *)to = (long)whole;
        if (option->kind == SEED) *(uint64_t *)(void *)to = (uint64_t)whole;
        return SWWAE_OK;
    }
    return status_set(SWWAE_E_INTERNAL, "option --%s has no kind", option->info.name);
}
