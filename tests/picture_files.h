/* picture_files.h - writing PNG, JPEG and .npy files of every kind for tests. */
#ifndef SWWAE_TESTS_PICTURE_FILES_H
#define SWWAE_TESTS_PICTURE_FILES_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <png.h>

struct png_kind {
    int colour; /* PNG_COLOR_TYPE_... */
    int depth;  /* bits a sample */
    int interlace;
};

/* rows: height rows as PNG packs them. palette: 4 colours where the kind wants one. */
static inline void png_file(const char *path, struct png_kind kind, int height, int width,
                            const uint8_t *rows, size_t stride) {
    static const png_color palette[4] = {{0, 0, 0}, {255, 0, 0}, {0, 255, 0}, {10, 20, 30}};
    FILE *file = fopen(path, "wb");
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!file || !info || setjmp(png_jmpbuf(png))) abort();
    png_init_io(png, file);
    png_set_IHDR(png, info, (png_uint_32)width, (png_uint_32)height, kind.depth, kind.colour,
                 kind.interlace ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (kind.colour == PNG_COLOR_TYPE_PALETTE) png_set_PLTE(png, info, palette, 4);
    png_write_info(png, info);
    int passes = png_set_interlace_handling(png);
    for (int pass = 0; pass < passes; pass++)
        for (int y = 0; y < height; y++) png_write_row(png, rows + (size_t)y * stride);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    if (fclose(file) != 0) abort();
}

/* pixels: interleaved, `components` bytes each (1 gray, 3 RGB, 4 CMYK). */
static inline void jpeg_file(const char *path, int height, int width, int components,
                             int progressive, const uint8_t *pixels) {
    FILE *file = fopen(path, "wb");
    struct jpeg_compress_struct cinfo;
    struct jpeg_error_mgr errors;
    if (!file) abort();
    cinfo.err = jpeg_std_error(&errors); /* ends the program on an error */
    jpeg_create_compress(&cinfo);
    jpeg_stdio_dest(&cinfo, file);
    cinfo.image_height = (JDIMENSION)height;
    cinfo.image_width = (JDIMENSION)width;
    cinfo.input_components = components;
    cinfo.in_color_space = components == 1 ? JCS_GRAYSCALE : components == 3 ? JCS_RGB : JCS_CMYK;
    jpeg_set_defaults(&cinfo);
    jpeg_set_quality(&cinfo, 98, TRUE);
    if (progressive) jpeg_simple_progression(&cinfo);
    jpeg_start_compress(&cinfo, TRUE);
    while (cinfo.next_scanline < cinfo.image_height) {
        JSAMPROW row = (JSAMPROW)(uintptr_t)(pixels + (size_t)cinfo.next_scanline * (size_t)width *
                                                          (size_t)components);
        jpeg_write_scanlines(&cinfo, &row, 1);
    }
    jpeg_finish_compress(&cinfo);
    jpeg_destroy_compress(&cinfo);
    if (fclose(file) != 0) abort();
}

/* A .npy file of version 1 to 3 with the header's text as given; its length in `out`. */
static inline size_t npy_bytes(uint8_t *out, int version, const char *header, const void *data,
                               size_t bytes) {
    size_t n = strlen(header), start = version == 1 ? 10 : 12;
    memcpy(out, "\x93NUMPY", 6);
    out[6] = (uint8_t)version;
    out[7] = 0;
    for (size_t i = 8; i < start; i++) out[i] = (uint8_t)(n >> (8 * (i - 8)));
    memcpy(out + start, header, n);
    memcpy(out + start + n, data, bytes);
    return start + n + bytes;
}

#endif
