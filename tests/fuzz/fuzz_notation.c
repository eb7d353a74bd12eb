/* fuzz_notation.c - the architecture notation, and networks built from it. */
#include "fuzz.h"
#include "model/network.h"

#define MOST MIB /* the table of an architecture's tensors; the parser takes a sentence at most */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct notation notation, again;
    struct network network;
    char canonical[NOTATION_TEXT], printed[NOTATION_TEXT];
    char *text = malloc(size + 1);
    fuzz_must(text != NULL, "memory");
    if (size) memcpy(text, data, size);
    text[size] = 0;
    fuzz_begin();
    swwae_status status = notation_parse(&notation, text);
    fuzz_end("notation_parse", 4 * KIB, status);
    if (status == SWWAE_OK) {
        notation_print(canonical, &notation);
        fuzz_must(notation_parse(&again, canonical) == SWWAE_OK, "the canonical text is read");
        notation_print(printed, &again);
        fuzz_must(!strcmp(canonical, printed), "the canonical text stays");
        fuzz_begin();
        status = network_build(&network, text, 3, 45, 32, NULL);
        fuzz_end("network_build", MOST, status);
        if (status == SWWAE_OK) network_clear(&network);
    }
    free(text);
    return 0;
}
