/* every.c - reading how often; see every.h. */
#include "train/every.h"

#include <limits.h>
#include <string.h>

#include "train/number.h"

bool every_parse(struct every *every, const char *text) {
    static const char units[] = "smh";
    static const double unit_seconds[] = {1, 60, 3600};
    char number[NUMBER_TEXT];
    const size_t length = strlen(text);
    double amount;
    int64_t steps;
    if (number_parse_whole(&steps, text, false)) {
        if (steps < 1 || steps > LONG_MAX) return false;
        *every = (struct every){.steps = (long)steps};
        return true;
    }
    if (length < 2 || length > sizeof number) return false;
    const char *unit = strchr(units, text[length - 1]);
    memcpy(number, text, length - 1);
    number[length - 1] = 0;
    if (!unit || !number_parse(&amount, number) || !(amount > 0)) return false;
    *every = (struct every){.seconds = amount * unit_seconds[unit - units]};
    return true;
}
