/* fuzz_labels.c - index files of labelled images, against data of which every second image is held
 * out and some have no label. */
#include "data/label_file.h"
#include "fuzz.h"

#define IMAGES 60

static struct swwae_dataset *images(void) {
    static struct swwae_dataset *d;
    if (d) return d;
    fuzz_must(dataset_allocate(&d, IMAGES, 1, 2, 2, 10, true) == SWWAE_OK, "data");
    d->number = malloc(IMAGES * sizeof *d->number);
    fuzz_must(!!d->number, "memory");
    d->total = (size_t)2 * IMAGES;
    for (uint32_t i = 0; i < IMAGES; i++) {
        d->labels[i] = (int32_t)(i % 11) - 1;
        d->number[i] = 2 * i;
    }
    return d;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint32_t *found = NULL, *again = NULL;
    size_t count = 0, same = 0;
    char *text = NULL, *copy = malloc(size ? size : 1);
    fuzz_must(!!copy, "memory");
    memcpy(copy, data, size); /* no zero after it, so that a byte too far is seen */
    const struct swwae_dataset *against = images(); /* made here, so not watched */
    fuzz_begin();
    swwae_status status = label_file_parse(&found, &count, copy, size, "labels", against);
    fuzz_end("label_file_parse", 16 * IMAGES, status);
    if (status == SWWAE_OK) {
        fuzz_must(count > 0 && count <= IMAGES, "images are named");
        for (size_t i = 0; i < count; i++)
            fuzz_must(found[i] < IMAGES && images()->labels[found[i]] >= 0 &&
                          (i == 0 || found[i - 1] < found[i]),
                      "indices are sorted, of images with a label");
        fuzz_must(label_file_text(&text, found, count, images()) == SWWAE_OK &&
                      label_file_parse(&again, &same, text, strlen(text), "again", images()) ==
                          SWWAE_OK &&
                      same == count && !memcmp(found, again, count * sizeof *found),
                  "what was written is read the same");
    }
    free(found);
    free(again);
    free(text);
    free(copy);
    return 0;
}
