/* fuzz_png.c - PNG pictures. Each chunk's checksum is put right first, else libpng would refuse
 * nearly every input at its first changed byte. */
#include <zlib.h>

#include "data/image.h"
#include "fuzz_files.h"

static uint32_t big_endian(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put_right(uint8_t *data, size_t size) {
    for (size_t at = 8; at + 12 <= size;) {
        size_t length = big_endian(data + at);
        if (length > size - at - 12) return;
        uint32_t sum = (uint32_t)crc32(0, data + at + 4, (uInt)length + 4);
        for (int i = 0; i < 4; i++) data[at + 8 + length + i] = (uint8_t)(sum >> (24 - 8 * i));
        at += length + 12;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const size_t most = 512 * KIB + IMAGE_PIXELS_A_BYTE * 8 * size;
    uint8_t *copy = malloc(size + 1);
    fuzz_must(copy != NULL, "memory");
    if (size) memcpy(copy, data, size);
    put_right(copy, size);
    const char *path = fuzz_file("picture.png", copy, size);
    fuzz_picture(path, most);
    free(copy);
    return 0;
}
