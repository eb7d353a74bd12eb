/* image.c - decoding PNG and JPEG; see image.h.
 *
 * Both libraries report errors by longjmp. Whatever the decoder holds lives in a struct of the
 * caller, so that nothing a jump could clobber is used after it. */
#include "data/image.h"

#include "data/input.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>
#include <png.h>

#define SIDE_LIMIT 16384
#define PIXEL_LIMIT 64000000
/* A small progressive JPEG may ask for endless work: passes, and pixels times passes. */
#define SCAN_LIMIT 500
#define SCAN_PIXEL_LIMIT (10 * (uint64_t)PIXEL_LIMIT)

struct decoder {
    FILE *file;
    uint64_t size; /* bytes of the file */
    const char *path;
    struct image image;
    uint8_t *rows; /* interleaved pixels: one row, or all of an interlaced PNG */
    swwae_status status;
    char message[200]; /* the library's words */
    jmp_buf jump;
};

/* Books the pixels of a picture whose size the file's header gives. */
static swwae_status decoder_allocate(struct decoder *d, unsigned long height, unsigned long width) {
    swwae_status status = SWWAE_OK;
    CHECK(height > 0 && width > 0, SWWAE_E_FORMAT, "%s has no pixels", d->path);
    CHECK(height <= SIDE_LIMIT && width <= SIDE_LIMIT && height * width <= PIXEL_LIMIT,
          SWWAE_E_FORMAT,
          "%s is %lu x %lu pixels (height x width), the limit is %d a side and %d in all", d->path,
          height, width, SIDE_LIMIT, PIXEL_LIMIT);
    CHECK(height * width / IMAGE_PIXELS_A_BYTE <= d->size, SWWAE_E_FORMAT,
          "%s promises %lu x %lu pixels (height x width), which its %llu bytes cannot hold; it is "
          "damaged",
          d->path, height, width, (unsigned long long)d->size);
    d->image.height = (int)height;
    d->image.width = (int)width;
    d->image.pixels = malloc((size_t)d->image.channels * height * width);
    CHECK(d->image.pixels, SWWAE_E_MEMORY, "not enough memory for the pixels of %s", d->path);
fail:
    return status;
}

/* Stores row y given as interleaved pixels of 3 (RGB) or 4 (RGBA) bytes. */
static void decoder_store(struct decoder *d, int y, const uint8_t *row, int bytes) {
    size_t width = (size_t)d->image.width, plane = width * (size_t)d->image.height;
    uint8_t *out = d->image.pixels + (size_t)y * width;
    for (size_t x = 0; x < width; x++, row += bytes) {
        unsigned alpha = bytes == 4 ? row[3] : 255, colour[3] = {row[0], row[1], row[2]};
        for (int c = 0; c < 3 && alpha < 255; c++) colour[c] = (row[c] * alpha + 127) / 255;
        if (colour[0] != colour[1] || colour[1] != colour[2]) d->image.gray = false;
        if (d->image.channels == 1) {
            out[x] = image_luma(colour[0], colour[1], colour[2]);
        } else {
            for (size_t c = 0; c < 3; c++) out[c * plane + x] = (uint8_t)colour[c];
        }
    }
}

/* ---- PNG ---- */

static void on_png_error(png_structp png, png_const_charp message) {
    struct decoder *d = png_get_error_ptr(png);
    snprintf(d->message, sizeof d->message, "%s", message);
    longjmp(d->jump, 1);
}

static void on_png_warning(png_structp png, png_const_charp message) {
    (void)png, (void)message; /* the library never prints */
}

static bool png_decode(struct decoder *d, png_structp png, png_infop info) {
    if (setjmp(d->jump)) return false;
    png_init_io(png, d->file);
    /* texts and profiles, which may unpack to megabytes each, are skipped */
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_read_info(png, info);
    unsigned long height = png_get_image_height(png, info);
    unsigned long width = png_get_image_width(png, info);
    d->status = decoder_allocate(d, height, width);
    if (d->status != SWWAE_OK) return false;
    png_set_expand(png); /* palettes, fewer than 8 bits, tRNS */
    png_set_scale_16(png);
    png_set_gray_to_rgb(png);
    png_set_add_alpha(png, 0xffff, PNG_FILLER_AFTER);
    int passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    size_t stride = 4 * (size_t)width;
    if (stride == 0 || png_get_rowbytes(png, info) != stride)
        png_error(png, "unexpected row length");
    d->rows = calloc(passes > 1 ? height : 1, stride);
    if (!d->rows) {
        d->status = status_set(SWWAE_E_MEMORY, "not enough memory to decode %s", d->path);
        return false;
    }
    for (int pass = 0; pass < passes; pass++)
        /* the analyser loses sight of d->rows, which image_read frees */
        for (unsigned long y = 0; y < height; y++) { /* NOLINT(clang-analyzer-unix.Malloc) */
            size_t at = passes > 1 ? y * stride : 0;
            png_read_row(png, d->rows + at, NULL);
            if (pass == passes - 1) decoder_store(d, (int)y, d->rows + at, 4);
        }
    png_read_end(png, NULL);
    return true;
}

static swwae_status png_read(struct decoder *d) {
    png_structp png =
        png_create_read_struct(PNG_LIBPNG_VER_STRING, d, on_png_error, on_png_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info) {
        png_destroy_read_struct(&png, NULL, NULL);
        return status_set(SWWAE_E_MEMORY, "not enough memory to decode %s", d->path);
    }
    bool good = png_decode(d, png, info);
    png_destroy_read_struct(&png, &info, NULL);
    if (!good && d->status == SWWAE_OK)
        return status_set(SWWAE_E_FORMAT, "%s is a damaged PNG (%s)", d->path, d->message);
    return d->status;
}

/* ---- JPEG ---- */

struct jpeg {
    struct jpeg_decompress_struct cinfo; /* first: libjpeg hands its address to the callbacks */
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    struct decoder *decoder;
};

static void on_jpeg_error(j_common_ptr cinfo) {
    struct decoder *d = ((struct jpeg *)cinfo)->decoder;
    char text[JMSG_LENGTH_MAX];
    cinfo->err->format_message(cinfo, text);
    snprintf(d->message, sizeof d->message, "%.*s", (int)sizeof d->message - 1, text);
    longjmp(d->jump, 1);
}

/* libjpeg only warns about missing data and goes on with gray; a picture that lost something
 * must not pass for whole. */
static void on_jpeg_message(j_common_ptr cinfo, int level) {
    if (level >= 0) return;
    switch (cinfo->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC: on_jpeg_error(cinfo); break;
    default: break;
    }
}

static void on_jpeg_progress(j_common_ptr cinfo) {
    struct decoder *d = ((struct jpeg *)cinfo)->decoder;
    uint64_t scans = (uint64_t)((j_decompress_ptr)cinfo)->input_scan_number;
    uint64_t pixels = (uint64_t)d->image.height * (uint64_t)d->image.width;
    if (scans <= SCAN_LIMIT && scans * pixels <= SCAN_PIXEL_LIMIT) return;
    snprintf(d->message, sizeof d->message, "%llu scans and more, too many for its size",
             (unsigned long long)scans - 1);
    longjmp(d->jump, 1);
}

static bool jpeg_decode(struct decoder *d, struct jpeg *jpeg) {
    j_decompress_ptr cinfo = &jpeg->cinfo;
    if (setjmp(d->jump)) return false;
    jpeg_create_decompress(cinfo);
    cinfo->progress = &jpeg->progress;
    jpeg_stdio_src(cinfo, d->file);
    jpeg_read_header(cinfo, TRUE);
    if (cinfo->jpeg_color_space == JCS_CMYK || cinfo->jpeg_color_space == JCS_YCCK) {
        d->status = status_set(
            SWWAE_E_FORMAT, "%s is a CMYK JPEG, expected gray or RGB; convert it first", d->path);
        return false;
    }
    if (cinfo->arith_code) {
        d->status = status_set(SWWAE_E_FORMAT,
                               "%s is an arithmetic-coded JPEG, expected a Huffman-coded one; "
                               "convert it first",
                               d->path);
        return false;
    }
    d->status = decoder_allocate(d, cinfo->image_height, cinfo->image_width);
    if (d->status != SWWAE_OK) return false;
    cinfo->out_color_space = JCS_RGB;
    jpeg_start_decompress(cinfo);
    d->rows = malloc(3 * (size_t)cinfo->output_width);
    if (!d->rows) {
        d->status = status_set(SWWAE_E_MEMORY, "not enough memory to decode %s", d->path);
        return false;
    }
    while (cinfo->output_scanline < cinfo->output_height) {
        int y = (int)cinfo->output_scanline;
        JSAMPROW row = d->rows;
        if (jpeg_read_scanlines(cinfo, &row, 1) == 1) decoder_store(d, y, d->rows, 3);
    }
    jpeg_finish_decompress(cinfo);
    return true;
}

static swwae_status jpeg_read(struct decoder *d) {
    struct jpeg jpeg;
    memset(&jpeg, 0, sizeof jpeg);
    jpeg.decoder = d;
    jpeg.cinfo.err = jpeg_std_error(&jpeg.errors);
    jpeg.errors.error_exit = on_jpeg_error;
    jpeg.errors.emit_message = on_jpeg_message;
    jpeg.progress.progress_monitor = on_jpeg_progress;
    bool good = jpeg_decode(d, &jpeg);
    jpeg_destroy_decompress(&jpeg.cinfo);
    if (!good && d->status == SWWAE_OK)
        return status_set(SWWAE_E_FORMAT, "%s is a damaged JPEG (%s)", d->path, d->message);
    return d->status;
}

/* Decodes the file of a decoder that has its path and number of channels. */
static swwae_status decode(struct decoder *d) {
    swwae_status status = SWWAE_OK;
    enum input_kind kind;
    CHECK(d->image.channels == 1 || d->image.channels == 3, SWWAE_E_ARGUMENT,
          "pictures can be read as 1 or 3 channels, not %d", d->image.channels);
    TRY(input_recognise(&kind, d->file, d->path));
    d->image.gray = true; /* until a pixel is not */
    if (kind == INPUT_PNG)
        TRY(png_read(d));
    else if (kind == INPUT_JPEG)
        TRY(jpeg_read(d));
    else
        CHECK(false, SWWAE_E_FORMAT, "%s is neither a PNG nor a JPEG picture", d->path);
fail:
    free(d->rows);
    d->rows = NULL;
    if (status != SWWAE_OK) image_free(&d->image);
    return status;
}

swwae_status image_read(struct image *image, const char *path, int channels) {
    struct decoder decoder = {.path = path, .image = {.channels = channels}};
    swwae_status status = input_open(&decoder.file, &decoder.size, path);
    if (status != SWWAE_OK) return status;
    status = decode(&decoder);
    fclose(decoder.file);
    if (status == SWWAE_OK) *image = decoder.image;
    return status;
}

swwae_status image_decode(struct image *image, const void *bytes, size_t size, const char *name,
                          int channels) {
    swwae_status status = SWWAE_OK;
    struct decoder decoder = {.path = name, .size = size, .image = {.channels = channels}};
    CHECK(size, SWWAE_E_FORMAT, "%s is empty", name); /* which fmemopen need not take */
    decoder.file = fmemopen((void *)(uintptr_t)bytes, size, "rb");
    CHECK(decoder.file, SWWAE_E_MEMORY, "not enough memory to decode %s", name);
    TRY(decode(&decoder));
    *image = decoder.image;
fail:
    if (decoder.file) fclose(decoder.file);
    return status;
}

void image_free(struct image *image) {
    if (!image) return;
    free(image->pixels);
    *image = (struct image){0};
}
