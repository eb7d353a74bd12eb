/* args.h - the command line: long options, what their help says, and how mistakes are told.
 *
 * `--name value`, `--name=value`, `--flag`; `-h` is `--help`; `--` ends the options. Names are
 * never abbreviated, so that a script means the same with every later version. */
#ifndef SWWAE_CLI_ARGS_H
#define SWWAE_CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>

/* Exit statuses; also what every command returns. */
enum outcome { OUTCOME_DONE = 0, OUTCOME_FAILED = 1, OUTCOME_MISUSED = 2 };

/* One option of a command, or, where name is NULL, the heading help in the list of them. */
struct arg {
    const char *name;     /* without dashes */
    const char *argument; /* how the value is written in help; NULL: a flag */
    const char *fallback; /* the default as text; may be NULL: none is shown */
    const char *help;     /* one sentence; NULL: taken, but not listed in help */
    const char *value;    /* what was given last, "" for a flag; NULL: not given */
};

struct args {
    const char *command;  /* "train" */
    const char *usage;    /* what follows "swwae" in the usage lines, one a line */
    const char *about;    /* a paragraph */
    const char *examples; /* the end of the help, printed as it is */
    struct arg *options;  /* (option_count) */
    size_t option_count;
    char **operands; /* (operand_count), in argv, which is permuted */
    int operand_count;
};

/* Reads argv[1..argc-1] into the values and operands. True: go on. False: *outcome is the exit
 * status of a command that has nothing left to do, help or a mistake having been printed. */
bool args_parse(struct args *args, int argc, char **argv, enum outcome *outcome);

/* The value given to an option of the table; NULL: not given. */
const char *args_value(const struct args *args, const char *name);
bool args_given(const struct args *args, const char *name);

/* *number: the option's value, or fallback where it was not given. False after telling that
 * the value is not a whole number from low to high. */
bool args_number(const struct args *args, const char *name, long low, long high, long fallback,
                 long *number);

/* The index of the option's value among `count` choices; fallback where it was not given, -1
 * after telling what is allowed. */
int args_choice(const struct args *args, const char *name, const char *const *choices, int count,
                int fallback);

/* The candidate that a mistyped word most likely means; NULL if none is near. */
const char *args_closest(const char *word, const char *const *candidates, size_t count);

/* "swwae train: <sentence>" on stderr, control characters replaced. Returns OUTCOME_FAILED.
 * command may be NULL: "swwae: ...". */
enum outcome report_failed(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same for a mistake on the command line, with where to find help. OUTCOME_MISUSED. */
enum outcome report_misused(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* swwae_last_error() as a failure. */
enum outcome report_library(const char *command);

/* Copies text with control characters replaced by '?': names out of files must not steer the
 * terminal. Cut at size - 1 bytes, never inside a UTF-8 character. Returns to. */
char *plain_text(char *to, size_t size, const char *text);

/* Characters of a UTF-8 text, for aligning columns. */
int text_width(const char *text);

/* text as one word of a shell command. Cut at size - 1 bytes. Returns to. */
char *shell_word(char *to, size_t size, const char *text);

#endif
