/* options_json.c - options as JSON: config.json and other files of options; see options.h. */
#include "train/options.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "io/file.h"
#include "train/number.h"

#define CONFIG_LIMIT (1 << 20) /* bytes of a JSON file of options */

/* Sets the option `name` from a JSON value. */
static swwae_status set_json(swwae_options *options, const char *name, const json_t *value) {
    char number[NUMBER_TEXT];
    if (json_is_string(value)) return swwae_options_set(options, name, json_string_value(value));
    if (json_is_integer(value)) {
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
        return swwae_options_set(options, name, number);
    }
    if (json_is_real(value)) {
        number_print(number, json_real_value(value));
        return swwae_options_set(options, name, number);
    }
    if (!swwae_options_get(options, name))
        return swwae_options_set(options, name, ""); /* says so */
    return status_set(SWWAE_E_FORMAT, "option --%s: %s found, expected a number or a text", name,
                      json_is_array(value)    ? "an array"
                      : json_is_object(value) ? "an object"
                      : json_is_null(value)   ? "null"
                                              : "true or false");
}

swwae_status swwae_options_load(swwae_options *options, const char *path) {
    swwae_status status = SWWAE_OK;
    char *data = NULL;
    size_t size = 0;
    json_t *root = NULL;
    json_error_t fault;
    swwae_options *copy = NULL, old;
    const char *name;
    json_t *value;
    CHECK(options && path, SWWAE_E_ARGUMENT, "swwae_options_load: %s is NULL",
          options ? "path" : "options");
    TRY(file_read(path, CONFIG_LIMIT, &data, &size));
    root = json_parse(data, size, JSON_REJECT_DUPLICATES, &fault);
    CHECK(root || json_at_fault(&fault), SWWAE_E_MEMORY, "%.400s: no memory to read it", path);
    CHECK(root, SWWAE_E_FORMAT, "%.400s: not JSON (line %d: %s), expected an object of options",
          path, fault.line, fault.text);
    CHECK(json_is_object(root), SWWAE_E_FORMAT,
          "%.400s: JSON, but not an object, expected {\"option\": value, ...}", path);
    TRY(options_copy(&copy, options)); /* all or nothing */
    json_object_foreach(root, name, value) {
        status = set_json(copy, name, value);
        if (status == SWWAE_OK) continue;
        status = status_prefix(status, "%.400s", path);
        goto fail;
    }
    if (copy) {
        old = *options;
        *options = *copy;
        *copy = old;
    }
fail:
    swwae_options_free(copy);
    json_decref(root);
    free(data);
    return status;
}

/* Numbers are printed by us: jansson's 17 digits would turn 0.1 into 0.10000000000000001. */
static bool print_value(FILE *to, const swwae_options *options, const char *name) {
    const char *text = swwae_options_get(options, name);
    double number;
    if (!options_free_text(name) && number_parse(&number, text)) {
        char digits[NUMBER_TEXT];
        int64_t whole;
        bool exact = number_parse_whole(&whole, text, false); /* a seed has up to 63 bits */
        if (exact)
            snprintf(digits, sizeof digits, "%lld", (long long)whole);
        else
            number_print(digits, number);
        return fputs(digits, to) >= 0;
    }
    json_t *string = json_string(text);
    char *quoted = json_text(string, JSON_ENCODE_ANY);
    bool good = quoted && fputs(quoted, to) >= 0;
    free(quoted);
    json_decref(string);
    return good;
}

/* Whether an option changes anything about the model. */
static bool shapes_model(const char *name) {
    return strcmp(name, "out") != 0 && strcmp(name, "threads") != 0 &&
           strcmp(name, "checkpoint-every") != 0;
}

swwae_status options_json(char **json, const swwae_options *options, bool everything) {
    swwae_status status = SWWAE_OK;
    char *text = NULL;
    size_t size = 0;
    const char *separator = "{\n";
    bool good = true;
    FILE *to = open_memstream(&text, &size);
    CHECK(to, SWWAE_E_MEMORY, "no memory for the options as JSON");
    const swwae_option_info *info;
    for (size_t i = 0; (info = swwae_option_info_at(i)); i++) {
        const char *name = info->name;
        if (!everything && !shapes_model(name)) continue;
        good = good && fprintf(to, "%s  \"%s\": ", separator, name) > 0 &&
               print_value(to, options, name);
        CHECK(good, SWWAE_E_ARGUMENT, "option --%s is not UTF-8 or there is no memory for it",
              name);
        separator = ",\n";
    }
    good = fputs("\n}\n", to) >= 0;
    good = !fclose(to) && good && text;
    to = NULL;
    CHECK(good, SWWAE_E_MEMORY, "no memory for the options as JSON");
    *json = text;
    return SWWAE_OK;
fail:
    if (to) fclose(to);
    free(text);
    return status;
}
