/* args.c - reading the command line and telling what is wrong with it; see args.h. */
#include "args.h"

#include "swwae.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HELP_WIDTH 80
#define HELP_COLUMN 27 /* where the sentences of the options begin */
#define SENTENCE 2048  /* longer than the library's longest message */
#define WORD 48        /* longest name compared for likeness */

/* ---- Telling ----------------------------------------------------------------------------- */

char *plain_text(char *to, size_t size, const char *text) {
    const unsigned char *from = (const unsigned char *)text;
    size_t used = 0;
    for (; *from && used + 1 < size; from++) {
        /* C1 controls are U+0080..U+009F, in UTF-8 C2 80..C2 9F. */
        if (from[0] == 0xC2 && from[1] >= 0x80 && from[1] <= 0x9F) {
            to[used++] = '?';
            from++;
        } else {
            to[used++] = *from < ' ' || *from == 0x7F ? '?' : (char)*from;
        }
    }
    if (*from && (*from & 0xC0) == 0x80) {
        while (used && ((unsigned char)to[used - 1] & 0xC0) == 0x80) used--;
        if (used) used--;
    }
    to[used] = 0;
    return to;
}

int text_width(const char *text) {
    int width = 0;
    for (; *text; text++) width += ((unsigned char)*text & 0xC0) != 0x80;
    return width;
}

char *shell_word(char *to, size_t size, const char *text) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_./-+:,@%=";
    size_t used = 0;
    if (*text && !text[strspn(text, plain)]) {
        snprintf(to, size, "%s", text);
        return to;
    }
    to[used++] = '\'';
    for (; *text && used + 6 < size; text++) {
        if (*text == '\'') {
            memcpy(to + used, "'\\''", 4);
            used += 4;
        } else {
            to[used++] = *text;
        }
    }
    to[used++] = '\'';
    to[used] = 0;
    return to;
}

__attribute__((format(printf, 2, 0))) static void report(const char *command, const char *format,
                                                         va_list arguments) {
    char sentence[SENTENCE], plain[SENTENCE];
    vsnprintf(sentence, sizeof sentence, format, arguments);
    fflush(stdout); /* what was said before stays before */
    fprintf(stderr, "swwae%s%s: %s\n", command ? " " : "", command ? command : "",
            plain_text(plain, sizeof plain, sentence));
}

enum outcome report_failed(const char *command, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    report(command, format, arguments);
    va_end(arguments);
    return OUTCOME_FAILED;
}

enum outcome report_misused(const char *command, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    report(command, format, arguments);
    va_end(arguments);
    fprintf(stderr, "try: swwae%s%s --help\n", command ? " " : "", command ? command : "");
    return OUTCOME_MISUSED;
}

enum outcome report_library(const char *command) {
    return report_failed(command, "%s", swwae_last_error());
}

/* ---- Likeness ---------------------------------------------------------------------------- */

static int least(int a, int b) { return a < b ? a : b; }

/* Characters to insert, delete, replace or swap with their neighbour to make a into b. */
static int distance(const char *a, const char *b) {
    int rows[3][WORD + 1];
    int *before = rows[0], *last = rows[1], *row = rows[2], *spare;
    size_t a_length = strlen(a), b_length = strlen(b);
    if (a_length > WORD || b_length > WORD) return WORD;
    for (size_t j = 0; j <= b_length; j++) row[j] = (int)j;
    for (size_t i = 1; i <= a_length; i++) {
        spare = before, before = last, last = row, row = spare;
        row[0] = (int)i;
        for (size_t j = 1; j <= b_length; j++) {
            row[j] = least(least(last[j], row[j - 1]) + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
    }
    return row[b_length];
}

const char *args_closest(const char *word, const char *const *candidates, size_t count) {
    const char *closest = NULL;
    size_t length = strlen(word);
    int limit = length < 6 ? 1 + (length > 3) : (int)(length / 3);
    for (size_t i = 0; i < count; i++) {
        size_t other = strlen(candidates[i]);
        int away = distance(word, candidates[i]);
        /* "evaluate" for "eval", "valid" for "validation" */
        if (length >= 3 && other >= 3 &&
            strncmp(word, candidates[i], length < other ? length : other) == 0)
            away = least(away, 1);
        if (away > limit) continue;
        limit = away - 1;
        closest = candidates[i];
    }
    return closest;
}

/* ---- Help -------------------------------------------------------------------------------- */

/* Prints text from column `at`, broken at spaces before HELP_WIDTH, further lines indented. */
static void wrap(const char *text, int indent, int at) {
    while (*text) {
        int length = (int)strcspn(text, " ");
        if (at > indent && at + length > HELP_WIDTH) {
            printf("\n%*s", indent, "");
            at = indent;
        }
        printf("%.*s", length, text);
        at += length;
        text += length;
        if (!*text) break;
        text++;
        if (at + 1 + (int)strcspn(text, " ") > HELP_WIDTH) {
            printf("\n%*s", indent, "");
            at = indent;
        } else {
            putchar(' ');
            at++;
        }
    }
    putchar('\n');
}

static void print_option(const struct arg *option) {
    char text[1024];
    int used = printf("  --%s%s%s", option->name, option->argument ? " " : "",
                      option->argument ? option->argument : "");
    if (used > HELP_COLUMN - 2) {
        putchar('\n');
        used = 0;
    }
    printf("%*s", HELP_COLUMN - used, "");
    bool fallback = option->fallback && *option->fallback;
    snprintf(text, sizeof text, "%s%s%s%s", option->help, fallback ? " [" : "",
             fallback ? option->fallback : "", fallback ? "]" : "");
    wrap(text, HELP_COLUMN, HELP_COLUMN);
}

static void print_help(const struct args *args) {
    const char *line = args->usage;
    for (bool first = true; *line; first = false) {
        int length = (int)strcspn(line, "\n");
        printf("%s swwae %.*s\n", first ? "usage:" : "      ", length, line);
        line += length + (line[length] == '\n');
    }
    putchar('\n');
    wrap(args->about, 0, 0);
    if (!args->option_count || args->options[0].name) puts("\nOptions");
    for (size_t i = 0; i < args->option_count; i++) {
        if (!args->options[i].help) continue;
        if (args->options[i].name)
            print_option(&args->options[i]);
        else
            printf("\n%s\n", args->options[i].help);
    }
    print_option(&(struct arg){.name = "help", .help = "this text"});
    printf("\nExamples\n%s", args->examples);
}

/* ---- Reading ----------------------------------------------------------------------------- */

static struct arg *find(const struct args *args, const char *name, size_t length) {
    for (size_t i = 0; i < args->option_count; i++) {
        struct arg *option = &args->options[i];
        if (option->name && strlen(option->name) == length &&
            memcmp(option->name, name, length) == 0)
            return option;
    }
    return NULL;
}

/* What other programs call an option. */
static const char *const synonyms[][2] = {
    {"learning-rate", "lr"},  {"batch-size", "batch"},     {"iterations", "steps"},
    {"max-steps", "steps"},   {"model", "arch"},           {"architecture", "arch"},
    {"weights", "init-from"}, {"pretrained", "init-from"}, {"output-dir", "out"},
    {"num-labels", "labels"}, {"ema", "average"},          {"workers", "threads"},
};

/* The command's option that others call `word`; NULL: none. */
static const char *elsewhere(const struct args *args, const char *word) {
    for (size_t i = 0; i < sizeof synonyms / sizeof *synonyms; i++)
        if (strcmp(word, synonyms[i][0]) == 0 && find(args, synonyms[i][1], strlen(synonyms[i][1])))
            return synonyms[i][1];
    return NULL;
}

static enum outcome unknown(const struct args *args, const char *text, size_t length) {
    const char *names[128];
    char word[WORD + 2];
    size_t count = 0;
    names[count++] = "help";
    for (size_t i = 0; i < args->option_count && count < sizeof names / sizeof *names; i++)
        if (args->options[i].name) names[count++] = args->options[i].name;
    const char *name = text + strspn(text, "-");
    snprintf(word, sizeof word, "%.*s", (int)(length - (size_t)(name - text)), name);
    const char *closest = elsewhere(args, word);
    if (!closest) closest = args_closest(word, names, count);
    if (closest)
        return report_misused(args->command, "unknown option %.*s; did you mean --%s?", (int)length,
                              text, closest);
    return report_misused(args->command, "unknown option %.*s", (int)length, text);
}

/* One option, argv[*i], taking argv[*i + 1] where its value stands there. */
static bool take_option(struct args *args, int argc, char **argv, int *i, enum outcome *outcome) {
    const char *text = argv[*i], *equals = strchr(text, '=');
    size_t length = equals ? (size_t)(equals - text) : strlen(text);
    struct arg *option = NULL;
    if (length <= INT16_MAX && text[1] == '-') option = find(args, text + 2, length - 2);
    if (!option) {
        *outcome = unknown(args, text, length <= INT16_MAX ? length : INT16_MAX);
    } else if (!option->argument) {
        option->value = "";
        if (!equals) return true;
        *outcome = report_misused(args->command, "option --%s takes no value, \"%s\" found",
                                  option->name, equals + 1);
    } else if (equals) {
        option->value = equals + 1;
        return true;
    } else if (*i + 1 < argc && strncmp(argv[*i + 1], "--", 2) != 0) {
        option->value = argv[++*i];
        return true;
    } else {
        /* A value that begins with two dashes is far more often a forgotten value. */
        if (*i + 1 < argc)
            *outcome = report_misused(args->command, "option --%s needs a value %s, %s found",
                                      option->name, option->argument, argv[*i + 1]);
        else
            *outcome = report_misused(args->command, "option --%s needs a value %s", option->name,
                                      option->argument);
    }
    return false;
}

bool args_parse(struct args *args, int argc, char **argv, enum outcome *outcome) {
    args->operands = argv + 1;
    args->operand_count = 0;
    for (int i = 1; i < argc; i++) {
        char *text = argv[i];
        if (strcmp(text, "--") == 0) {
            while (++i < argc) args->operands[args->operand_count++] = argv[i];
        } else if (strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0) {
            print_help(args);
            *outcome = OUTCOME_DONE;
            return false;
        } else if (text[0] == '-' && text[1]) {
            if (!take_option(args, argc, argv, &i, outcome)) return false;
        } else {
            args->operands[args->operand_count++] = text;
        }
    }
    return true;
}

const char *args_value(const struct args *args, const char *name) {
    const struct arg *option = find(args, name, strlen(name));
    return option ? option->value : NULL;
}

bool args_given(const struct args *args, const char *name) { return args_value(args, name); }

bool args_number(const struct args *args, const char *name, long low, long high, long fallback,
                 long *number) {
    const char *text = args_value(args, name);
    *number = fallback;
    if (!text) return true;
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (end == text || *end || errno || value < low || value > high) {
        report_misused(args->command,
                       "option --%s: \"%s\" found, expected a whole number from "
                       "%ld to %ld",
                       name, text, low, high);
        return false;
    }
    *number = value;
    return true;
}

int args_choice(const struct args *args, const char *name, const char *const *choices, int count,
                int fallback) {
    const char *text = args_value(args, name);
    char allowed[128] = "";
    if (!text) return fallback;
    for (int i = 0; i < count; i++) {
        if (strcmp(text, choices[i]) == 0) return i;
        size_t used = strlen(allowed);
        snprintf(allowed + used, sizeof allowed - used, "%s%s",
                 i == 0           ? ""
                 : i + 1 == count ? " or "
                                  : ", ",
                 choices[i]);
    }
    report_misused(args->command, "option --%s: \"%s\" found, expected %s", name, text, allowed);
    return -1;
}
