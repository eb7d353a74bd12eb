/* fuzz_jpeg.c - JPEG pictures. */
#include "data/image.h"
#include "fuzz_files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    /* pixels, and the coefficients of a progressive one */
    const size_t most = 512 * KIB + IMAGE_PIXELS_A_BYTE * 10 * size;
    const char *path = fuzz_file("picture.jpg", data, size);
    fuzz_picture(path, most);
    return 0;
}
