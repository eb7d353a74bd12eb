/* fuzz_cifar.c - CIFAR's records; and, for an input that begins with 'n', CIFAR-100's file of class
 * names beside a whole test.bin. */
#include <unistd.h>

#include "data/cifar.h"
#include "fuzz.h"

static void decode(enum cifar_kind kind, const uint8_t *data, size_t size) {
    const size_t count = size / cifar_record(kind);
    const int32_t classes = kind == CIFAR_10 ? 10 : 100;
    uint8_t *images = malloc(count * CIFAR_PIXELS + 1);
    int32_t *labels = malloc((count + 1) * sizeof *labels);
    fuzz_must(images && labels, "memory");
    size_t good = cifar_decode(images, labels, data, count, kind);
    fuzz_must(good <= count, "no more records than there are");
    for (size_t i = 0; i < good; i++)
        fuzz_must(labels[i] >= 0 && labels[i] < classes &&
                      !memcmp(images + i * CIFAR_PIXELS,
                              data + (i + 1) * cifar_record(kind) - CIFAR_PIXELS, CIFAR_PIXELS),
                  "a record's label and image");
    free(images);
    free(labels);
}

static void read_names(const uint8_t *data, size_t size) {
    const size_t records = 10000 * cifar_record(CIFAR_100);
    struct swwae_dataset *d = NULL;
    FILE *file = fopen(fuzz_path("test.bin"), "a");
    fuzz_must(file && ftruncate(fileno(file), (off_t)records) == 0 && fclose(file) == 0,
              "test.bin");
    fuzz_file("fine_label_names.txt", data, size);
    fuzz_begin();
    swwae_status status = cifar_read(&d, fuzz_path(""), SWWAE_SPLIT_TEST);
    fuzz_end("cifar_read", 4 * MIB + 2 * records, status);
    swwae_dataset_free(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size && data[0] == 'n') {
        read_names(data + 1, size - 1);
    } else if (size) {
        decode(CIFAR_10, data, size);
        decode(CIFAR_100, data, size);
    }
    return 0;
}
