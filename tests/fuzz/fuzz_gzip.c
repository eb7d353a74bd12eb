/* fuzz_gzip.c - gzipped IDX files. An input that begins as gzip is the file; of any other the first
 * byte says into how many members the rest is packed and what follows, so that checksums are right.
 */
#include "../idx_bytes.h"
#include "data/idx.h"
#include "fuzz_files.h"

static uint8_t *pack(const uint8_t *data, size_t size, size_t *length) {
    const size_t members = 1 + data[0] % 3u, piece = (size - 1) / members;
    uint8_t *out = malloc(members * (compressBound((uLong)size) + 64) + size);
    fuzz_must(out != NULL, "memory");
    *length = 0;
    for (size_t m = 0; m < members; m++) {
        size_t from = 1 + m * piece, to = m + 1 == members ? size : from + piece;
        *length += gzip_bytes(out + *length, data + from, to - from);
    }
    if (data[0] & 64) out[(*length)++] = 0;              /* rubbish behind */
    if (data[0] & 128) *length -= *length > 4 ? 4u : 0u; /* cut off */
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t *packed = NULL;
    if (size == 0) return 0;
    if (data[0] != 0x1f) data = packed = pack(data, size, &size);
    /* twice: a piece that grows is copied */
    const size_t most = 2 * (IDX_GZIP_FREE + IDX_GZIP_RATIO * size) + 128 * KIB;
    const char *path = fuzz_file("images-idx3-ubyte.gz", data, size);
    struct idx idx = {0};
    fuzz_begin();
    swwae_status status = idx_read(&idx, path);
    fuzz_end("idx_read", most, status);
    idx_free(&idx);
    fuzz_open(path, most);
    free(packed);
    return 0;
}
