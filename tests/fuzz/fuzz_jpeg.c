/* fuzz_jpeg.c - JPEG pictures. */
#include "data/image.h"
#include "fuzz_files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    /* pixels, and the coefficients of a progressive one */
    const size_t most = 512 * KIB + IMAGE_PIXELS_A_BYTE * 10 * size;
    const char *path = fuzz_file("picture.jpg", data, size);
    for (int channels = 1; channels <= 3; channels += 2) {
        struct image image = {0};
        fuzz_begin();
        swwae_status status = image_read(&image, path, channels);
        fuzz_end("image_read", most, status);
        image_free(&image);
    }
    fuzz_open(path, most);
    return 0;
}
