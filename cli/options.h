/* options.h - the library's options on the command line of commands that train, or tell what a
 * training would take. */
#ifndef SWWAE_CLI_OPTIONS_H
#define SWWAE_CLI_OPTIONS_H

#include "args.h"
#include "swwae.h"

/* The library's option of this name; NULL: it has none. */
const swwae_option_info *option_info_of(const char *name);
struct arg option_arg(const swwae_option_info *info);

/* Sets what the file of --config says, then what the command line gives. False after telling what
 * failed; *outcome is then the exit status. */
bool options_take(swwae_options *options, const struct args *args, enum outcome *outcome);

#endif
