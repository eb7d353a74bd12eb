/* fuzz_idx.c - IDX files, as they are. */
#include "data/idx.h"
#include "fuzz_files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const size_t most = 80 * KIB + size;
    const char *path = fuzz_file("images-idx3-ubyte", data, size);
    struct idx idx = {0};
    /* gzip has a target of its own */
    if (size >= 2 && data[0] == 0x1f && data[1] == 0x8b) return 0;
    fuzz_begin();
    swwae_status status = idx_read(&idx, path);
    fuzz_end("idx_read", most, status);
    if (status == SWWAE_OK) {
        size_t n = idx.size[0] * idx.size[1] * idx.size[2] * idx.size[3];
        fuzz_must(n && n < size, "fewer values than bytes");
        idx_free(&idx);
    }
    fuzz_open(path, most);
    return 0;
}
