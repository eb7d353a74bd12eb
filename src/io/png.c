/* png.c - pixels to a PNG file through libpng; see png.h. */
#include "io/png.h"

#include "io/file.h"

#include <png.h>
#include <setjmp.h>

/* What libpng's callbacks share with encode(). */
struct encoder {
    struct file_writer *writer;
    swwae_status status;
};

/* libpng reports by long jump; the sentence is set here, where its text is at hand, unless the
 * file already reported. */
static void on_error(png_structp png, png_const_charp message) {
    struct encoder *encoder = png_get_error_ptr(png);
    if (encoder->status == SWWAE_OK)
        encoder->status = status_set(SWWAE_E_IO, "%.400s: cannot be encoded as PNG (%s)",
                                     encoder->writer->path, message);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message) {
    (void)png;
    (void)message; /* the library never prints */
}

static void on_bytes(png_structp png, png_bytep data, size_t size) {
    struct encoder *encoder = png_get_io_ptr(png);
    encoder->status = file_put(encoder->writer, data, size);
    if (encoder->status != SWWAE_OK) png_error(png, "write failed");
}

static void on_flush(png_structp png) { (void)png; /* file_commit flushes */ }

/* setjmp stays alone in this function: no local changes between it and a long jump. */
static swwae_status encode(struct encoder *encoder, png_structp png, png_infop info,
                           const uint8_t *pixels, int height, int width, int channels) {
    if (setjmp(png_jmpbuf(png))) return encoder->status;
    png_set_write_fn(png, encoder, on_bytes, on_flush);
    png_set_IHDR(png, info, (png_uint_32)width, (png_uint_32)height, 8,
                 channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (int y = 0; y < height; y++)
        png_write_row(png, pixels + (size_t)y * (size_t)width * (size_t)channels);
    png_write_end(png, info);
    return SWWAE_OK;
}

swwae_status png_write(const char *path, const uint8_t *pixels, int height, int width,
                       int channels) {
    swwae_status status = SWWAE_OK;
    struct file_writer writer = {0};
    struct encoder encoder = {&writer, SWWAE_OK};
    png_structp png = NULL;
    png_infop info = NULL;
    CHECK(channels == 1 || channels == 3, SWWAE_E_ARGUMENT,
          "%.400s: a picture has 1 or 3 channels, not %d", path, channels);
    CHECK(height >= 1 && height <= PNG_SIDE && width >= 1 && width <= PNG_SIDE, SWWAE_E_ARGUMENT,
          "%.400s: a picture has sides of 1 to %d pixels, not %d x %d", path, PNG_SIDE, height,
          width);
    TRY(file_begin(&writer, path));
    png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &encoder, on_error, on_warning);
    if (png) info = png_create_info_struct(png);
    CHECK(info, SWWAE_E_MEMORY, "%.400s: no memory to encode a picture", path);
    TRY(encode(&encoder, png, info, pixels, height, width, channels));
    TRY(file_commit(&writer));
fail:
    png_destroy_write_struct(&png, &info);
    file_abandon(&writer);
    return status;
}
