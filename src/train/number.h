/* number.h - numbers as text, the same whatever the program's locale. */
#ifndef SWWAE_TRAIN_NUMBER_H
#define SWWAE_TRAIN_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NUMBER_TEXT 32 /* room for a printed number and its terminating zero */

/* Reads a decimal number that fills the whole text: digits with an optional sign, fraction and
 * exponent. False, and *value untouched, for anything else: spaces, hexadecimal, "nan", "inf", a
 * value too large for a double. */
bool number_parse(double *value, const char *text);

/* Reads a whole number of 0..INT64_MAX, digits only, or of any sign where `sign` says so. */
bool number_parse_whole(int64_t *value, const char *text, bool sign);

/* Reads "1" or "1,0.5,0", at most `most` numbers as number_parse reads them. Where word is not NULL
 * it may stand for a number, and gives 0; a number itself is then not 0. */
bool number_parse_list(double *values, int *count, int most, const char *text, const char *word);

/* The shortest text that reads back as exactly value, which is finite; "" for NaN, so that a value
 * that was not measured is an empty cell. */
void number_print(char text[NUMBER_TEXT], double value);

/* The same with at most 7 significant digits, for tables that are read by people. */
void number_print_short(char text[NUMBER_TEXT], double value);

/* values as number_parse_list reads them back. text[count * NUMBER_TEXT]. */
void number_print_list(char *text, const double *values, int count, const char *word);

#endif
