/* fuzz_npy.c - NumPy's .npy files. */
#include "data/npy.h"
#include "fuzz_files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const size_t most = 32 * KIB + 5 * size; /* a float for a byte; the header once more */
    const char *path = fuzz_file("array.npy", data, size);
    struct npy npy = {0};
    fuzz_begin();
    swwae_status status = npy_read(&npy, path);
    fuzz_end("npy_read", most, status);
    if (status == SWWAE_OK) {
        size_t n = npy.size[0] * npy.size[1] * npy.size[2] * npy.size[3];
        fuzz_must(n && n <= size, "no more values than bytes");
        float first = npy.data[0], last = npy.data[n - 1];
        (void)first, (void)last;
        npy_free(&npy);
    }
    fuzz_open(path, most);
    return 0;
}
