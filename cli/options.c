/* options.c - the library's options as arguments; see options.h. */
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const swwae_option_info *option_info_of(const char *name) {
    const swwae_option_info *info;
    for (size_t i = 0; (info = swwae_option_info_at(i)); i++)
        if (strcmp(info->name, name) == 0) return info;
    return NULL;
}

struct arg option_arg(const swwae_option_info *info) {
    return (struct arg){.name = info->name,
                        .argument = info->argument,
                        .fallback = info->fallback,
                        .help = info->help};
}

/* Shows a fault of the notation under the text: the message counts characters from 1. */
static enum outcome misused_value(const struct args *args, swwae_status status, const char *value) {
    static const char at[] = ": at character ";
    char plain[1024];
    const char *message = swwae_last_error(), *place = strstr(message, at);
    size_t character = place ? strtoul(place + sizeof at - 1, NULL, 10) : 0;
    if (status != SWWAE_E_NOTATION || !character || character > strlen(value) + 1 ||
        character > 76 || strlen(value) > 400)
        return report_misused(args->command, "%s", message);
    report_failed(args->command, "%s", message);
    fprintf(stderr, "  %s\n  %*s^\ntry: swwae %s --help\n", plain_text(plain, sizeof plain, value),
            (int)character - 1, "", args->command);
    return OUTCOME_MISUSED;
}

bool options_take(swwae_options *options, const struct args *args, enum outcome *outcome) {
    const char *config = args_value(args, "config");
    if (config && swwae_options_load(options, config) != SWWAE_OK) {
        *outcome = report_library(args->command);
        return false;
    }
    for (size_t i = 0; i < args->option_count; i++) {
        const struct arg *option = &args->options[i];
        if (!option->name || !option->value || !option_info_of(option->name)) continue;
        swwae_status status = swwae_options_set(options, option->name, option->value);
        if (status == SWWAE_OK) continue;
        *outcome = misused_value(args, status, option->value);
        return false;
    }
    return true;
}
