/* fuzz_options.c - a config.json of options. */
#include "fuzz.h"
#include "train/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    /* jansson's values, and each option's text three times over */
    const size_t most = 64 * KIB + 64 * size;
    const char *path = fuzz_file("config.json", data, size);
    swwae_options *options = NULL, *again = NULL;
    char *json = NULL, *second = NULL;
    fuzz_must(swwae_options_create(&options) == SWWAE_OK, "options");
    fuzz_begin();
    swwae_status status = swwae_options_load(options, path);
    fuzz_end("swwae_options_load", most, status);
    if (status == SWWAE_OK) {
        fuzz_must(options_json(&json, options, true) == SWWAE_OK, "options are written");
        path = fuzz_file("again.json", (const uint8_t *)json, strlen(json));
        fuzz_must(swwae_options_create(&again) == SWWAE_OK &&
                      swwae_options_load(again, path) == SWWAE_OK,
                  "what was written is read");
        fuzz_must(options_json(&second, again, true) == SWWAE_OK && !strcmp(json, second),
                  "what was written stays");
    }
    free(json);
    free(second);
    swwae_options_free(options);
    swwae_options_free(again);
    return 0;
}
