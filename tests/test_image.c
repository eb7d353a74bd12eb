/* test_image.c - data/image and data/npy: every kind of good file, and bad ones. */
#include "data/image.h"
#include "data/npy.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <zlib.h>

#include "picture_files.h"
#include "temporary.h"

enum { H = 7, W = 9 };

static uint8_t sample(int y, int x, int c) { return (uint8_t)(y * 31 + x * 17 + c * 71 + x * y); }

/* A smooth colour, which JPEG keeps. */
static uint8_t smooth(int y, int x, int c) { return (uint8_t)(60 + 9 * y + 8 * x + 20 * c); }

static uint8_t luma(double r, double g, double b) {
    return (uint8_t)(0.299 * r + 0.587 * g + 0.114 * b + 0.5);
}

/* Decodes a picture of H x W and compares it with its colours, interleaved RGB. */
static void must_be(const char *path, int channels, const uint8_t *rgb, int tolerance) {
    struct image image;
    if (image_read(&image, path, channels) != SWWAE_OK) fail_msg("%s", swwae_last_error());
    assert_int_equal(image.channels, channels);
    assert_int_equal(image.height, H);
    assert_int_equal(image.width, W);
    for (int p = 0; p < H * W; p++) {
        const uint8_t *q = rgb + p * 3;
        for (int c = 0; c < channels; c++) {
            int expected = channels == 3 ? q[c] : luma(q[0], q[1], q[2]);
            if (abs(image.pixels[c * H * W + p] - expected) > tolerance)
                fail_msg("%s: pixel %d channel %d is %d, expected %d", path, p, c,
                         image.pixels[c * H * W + p], expected);
        }
    }
    image_free(&image);
}

static swwae_status must_fail(const char *path, int channels, const char *words) {
    struct image image = {.height = 77};
    status_set(SWWAE_E_INTERNAL, "nothing");
    swwae_status status = image_read(&image, path, channels);
    assert_int_not_equal(status, SWWAE_OK);
    assert_int_equal(image.height, 77);
    assert_null(image.pixels);
    if (!strstr(swwae_last_error(), words) || !strstr(swwae_last_error(), path))
        fail_msg("\"%s\" says nothing of \"%s\"", swwae_last_error(), words);
    return status;
}

/* Packs samples into a PNG's rows and gives the colours they stand for, alpha over black. */
static void make_png(const char *path, struct png_kind kind, uint8_t *rgb) {
    static const uint8_t palette[4][3] = {{0, 0, 0}, {255, 0, 0}, {0, 255, 0}, {10, 20, 30}};
    enum { STRIDE = W * 8 };
    static uint8_t rows[H * STRIDE];
    memset(rows, 0, sizeof rows);
    bool colour = kind.colour & PNG_COLOR_MASK_COLOR, alpha = kind.colour & PNG_COLOR_MASK_ALPHA;
    bool paletted = kind.colour == PNG_COLOR_TYPE_PALETTE;
    int parts = (colour && !paletted ? 3 : 1) + (alpha ? 1 : 0), most = (1 << kind.depth) - 1;
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            int value[4];
            for (int c = 0; c < parts; c++) {
                uint8_t *row = rows + y * STRIDE, byte = sample(y, x, c);
                int bit = (x * parts + c) * kind.depth;
                if (kind.depth == 16) {
                    row[bit / 8] = byte; /* byte * 257 scales back to byte */
                    row[bit / 8 + 1] = byte;
                    value[c] = byte;
                } else {
                    int v = byte & most;
                    row[bit / 8] |= (uint8_t)(v << (8 - kind.depth - bit % 8));
                    value[c] = paletted ? v : v * 255 / most;
                }
            }
            for (int c = 0; c < 3; c++) {
                int v = paletted ? palette[value[0]][c] : value[colour ? c : 0];
                rgb[(y * W + x) * 3 + c] =
                    (uint8_t)(alpha ? (v * value[parts - 1] * 2 + 255) / 510 : v);
            }
        }
    png_file(path, kind, H, W, rows, STRIDE);
}

static void test_png_kinds(void **state) {
    (void)state;
    static const struct png_kind kinds[] = {
        {PNG_COLOR_TYPE_GRAY, 1, 0},        {PNG_COLOR_TYPE_GRAY, 2, 0},
        {PNG_COLOR_TYPE_GRAY, 4, 0},        {PNG_COLOR_TYPE_GRAY, 8, 0},
        {PNG_COLOR_TYPE_GRAY, 16, 0},       {PNG_COLOR_TYPE_GRAY_ALPHA, 8, 0},
        {PNG_COLOR_TYPE_GRAY_ALPHA, 16, 0}, {PNG_COLOR_TYPE_RGB, 8, 0},
        {PNG_COLOR_TYPE_RGB, 16, 0},        {PNG_COLOR_TYPE_RGB_ALPHA, 8, 0},
        {PNG_COLOR_TYPE_RGB_ALPHA, 16, 0},  {PNG_COLOR_TYPE_PALETTE, 2, 0},
        {PNG_COLOR_TYPE_RGB_ALPHA, 8, 1},   {PNG_COLOR_TYPE_GRAY, 1, 1}};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        uint8_t rgb[H * W * 3];
        const char *path = temporary_path("kind.png");
        make_png(path, kinds[k], rgb);
        must_be(path, 3, rgb, 0);
        must_be(path, 1, rgb, 1); /* the test's luma is floating point */
    }
}

/* Gray must come back exactly as one channel; luma as Pillow 10 computes it. */
static void test_luma(void **state) {
    (void)state;
    for (unsigned v = 0; v < 256; v++) assert_int_equal(image_luma(v, v, v), v);
    assert_int_equal(image_luma(255, 0, 0), 76);
    assert_int_equal(image_luma(0, 255, 0), 150);
    assert_int_equal(image_luma(0, 0, 255), 29);
}

static size_t load(const char *path, uint8_t *bytes, size_t room) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t n = fread(bytes, 1, room, file);
    fclose(file);
    assert_true(n < room);
    return n;
}

/* Cuts a picture at every length and changes every byte: a sentence, or a picture; never worse. */
static void cut_and_flip(const char *name, const char *words) {
    static uint8_t good[8192], bad[8192];
    size_t n = load(temporary_path(name), good, sizeof good);
    for (size_t cut = 0; cut < n; cut++)
        assert_int_equal(must_fail(temporary_write("cut.bin", good, cut), 3, cut < 8 ? "" : words),
                         SWWAE_E_FORMAT);
    static const uint8_t flips[] = {0x10, 0xff};
    for (size_t at = 0; at < n; at++)
        for (size_t f = 0; f < sizeof flips; f++) {
            memcpy(bad, good, n);
            bad[at] ^= flips[f];
            const char *path = temporary_write("flip.bin", bad, n);
            struct image image;
            status_set(SWWAE_E_INTERNAL, "nothing");
            if (image_read(&image, path, 1) != SWWAE_OK)
                assert_non_null(strstr(swwae_last_error(), path));
            else
                image_free(&image);
        }
}

static void test_png_damage(void **state) {
    (void)state;
    uint8_t rgb[H * W * 3];
    make_png(temporary_path("good.png"), (struct png_kind){PNG_COLOR_TYPE_RGB, 8, 0}, rgb);
    cut_and_flip("good.png", "damaged PNG");
    make_png(temporary_path("laced.png"), (struct png_kind){PNG_COLOR_TYPE_PALETTE, 2, 1}, rgb);
    cut_and_flip("laced.png", "damaged PNG");
}

static void make_jpeg(const char *path, int components, int progressive, uint8_t *rgb) {
    uint8_t pixels[H * W * 4];
    for (int p = 0; p < H * W; p++)
        for (int c = 0; c < 4; c++) {
            uint8_t v = smooth(p / W, p % W, components == 1 ? 0 : c);
            if (c < components) pixels[p * components + c] = v;
            if (c < 3) rgb[p * 3 + c] = v;
        }
    jpeg_file(path, H, W, components, progressive, pixels);
}

static void test_jpeg(void **state) {
    (void)state;
    for (int progressive = 0; progressive < 2; progressive++)
        for (int components = 1; components <= 3; components += 2) {
            uint8_t rgb[H * W * 3];
            const char *path = temporary_path("good.jpg");
            make_jpeg(path, components, progressive, rgb);
            must_be(path, 3, rgb, 6); /* what quality 98 loses on this picture, with a margin */
            must_be(path, 1, rgb, 4);
            cut_and_flip("good.jpg", "damaged JPEG");
        }
    uint8_t rgb[H * W * 3];
    make_jpeg(temporary_path("cmyk.jpg"), 4, 0, rgb);
    assert_int_equal(must_fail(temporary_path("cmyk.jpg"), 3, "CMYK"), SWWAE_E_FORMAT);
}

/* The content decides, not the name. */
static void test_recognised(void **state) {
    (void)state;
    uint8_t rgb[H * W * 3];
    make_png(temporary_path("png.jpg"), (struct png_kind){PNG_COLOR_TYPE_GRAY, 8, 0}, rgb);
    must_be(temporary_path("png.jpg"), 3, rgb, 0);
    must_fail(temporary_write("text.png", "no picture", 10), 1, "damaged PNG");
    must_fail(temporary_write("text.txt", "no picture", 10), 1, "neither a PNG nor a JPEG");
    must_fail(temporary_write("empty", "", 0), 1, "neither a PNG nor a JPEG");
    must_fail(temporary_path("missing.png"), 1, "cannot open");
    must_fail(temporary_subfolder("folder.png"), 1, "is a folder");
    struct image image;
    assert_int_equal(image_read(&image, temporary_path("png.jpg"), 2), SWWAE_E_ARGUMENT);
    image_free(NULL);
}

/* The same from bytes in memory, and every cut of them refused. */
static void test_bytes(void **state) {
    (void)state;
    static uint8_t rows[H * W * 3];
    static const char *const names[] = {"bytes.png", "bytes.jpg"};
    for (int p = 0; p < H * W * 3; p++) rows[p] = smooth(p / 3 / W, p / 3 % W, p % 3);
    for (int n = 0; n < 2; n++) {
        uint8_t bytes[8192];
        const char *path = temporary_path(names[n]);
        if (n)
            jpeg_file(path, H, W, 3, 0, rows);
        else
            png_file(path, (struct png_kind){PNG_COLOR_TYPE_RGB, 8, 0}, H, W, rows, W * 3);
        FILE *file = fopen(path, "rb");
        size_t size = fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        struct image a, b;
        assert_int_equal(image_read(&a, path, 3), SWWAE_OK);
        assert_int_equal(image_decode(&b, bytes, size, "memory", 3), SWWAE_OK);
        assert_true(b.channels == 3 && b.height == H && b.width == W && !b.gray && !a.gray);
        assert_memory_equal(a.pixels, b.pixels, H * W * 3);
        image_free(&a);
        image_free(&b);
        for (size_t cut = 0; cut < size - 2; cut++) {
            swwae_status status = image_decode(&b, bytes, cut, "memory", 3);
            if (status != SWWAE_E_FORMAT) fail_msg("%s cut at %zu: %d", names[n], cut, status);
        }
    }
}

static void test_limits(void **state) {
    (void)state;
    static const struct { int height, width; } sizes[] = {{1, 16385}, {16385, 1}, {4000, 16384}};
    for (int s = 0; s < 3; s++) {
        size_t stride = ((size_t)sizes[s].width + 7) / 8;
        uint8_t *rows = calloc((size_t)sizes[s].height, stride);
        const char *path = temporary_path("huge.png");
        png_file(path, (struct png_kind){PNG_COLOR_TYPE_GRAY, 1, 0}, sizes[s].height,
                 sizes[s].width, rows, stride);
        free(rows);
        must_fail(path, 1, "the limit is 16384 a side");
    }
}

/* A JPEG's first marker of a kind. */
static uint8_t *find(uint8_t *bytes, size_t n, uint8_t marker) {
    for (size_t i = 0; i + 1 < n; i++)
        if (bytes[i] == 0xff && bytes[i + 1] == marker) return bytes + i;
    return NULL;
}

static void put_number(uint8_t *to, uint32_t value) {
    for (int i = 0; i < 4; i++) to[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* Files of a few bytes that promise many pixels, or hide what unpacks to much. */
static void test_bombs(void **state) {
    (void)state;
    uint8_t bytes[8192], rgb[H * W * 3];
    make_png(temporary_path("good.png"), (struct png_kind){PNG_COLOR_TYPE_GRAY, 8, 0}, rgb);
    FILE *file = fopen(temporary_path("good.png"), "rb");
    size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    put_number(bytes + 16, 8000); /* width and height in the chunk after the signature */
    put_number(bytes + 20, 8000);
    put_number(bytes + 29, (uint32_t)crc32(0, bytes + 12, 17));
    must_fail(temporary_write("promise.png", bytes, n), 1, "bytes cannot hold");
    make_jpeg(temporary_path("good.jpg"), 1, 0, rgb);
    file = fopen(temporary_path("good.jpg"), "rb");
    n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    uint8_t *frame = find(bytes, n, 0xc0);
    assert_non_null(frame);
    frame[5] = frame[7] = 0x1f; /* 7936 + ... a side, without a bit for each block */
    must_fail(temporary_write("promise.jpg", bytes, n), 1, "bytes cannot hold");
    frame[5] = frame[7] = 0;
    frame[1] = 0xc9; /* the same picture as if arithmetic-coded */
    must_fail(temporary_write("arithmetic.jpg", bytes, n), 1, "arithmetic-coded");
}

/* A progressive JPEG of 600 passes over its one block. */
static void test_many_scans(void **state) {
    (void)state;
    uint8_t rgb[H * W * 3], bytes[32768];
    make_jpeg(temporary_path("good.jpg"), 1, 1, rgb);
    FILE *file = fopen(temporary_path("good.jpg"), "rb");
    size_t n = fread(bytes, 1, 8192, file);
    fclose(file);
    uint8_t *scan = find(bytes, n, 0xda);
    assert_non_null(scan);
    uint8_t *rest = scan + 2;
    while (!(rest[0] == 0xff && rest[1] != 0 && (rest[1] < 0xd0 || rest[1] > 0xd7))) rest++;
    size_t length = (size_t)(rest - scan), head = (size_t)(scan - bytes), at = head;
    uint8_t one[2048];
    assert_true(length <= sizeof one && length * 600 + head + 2 <= sizeof bytes);
    memcpy(one, scan, length);
    for (int i = 0; i < 600; i++, at += length) memcpy(bytes + at, one, length);
    memcpy(bytes + at, "\xff\xd9", 2);
    must_fail(temporary_write("scans.jpg", bytes, at + 2), 1, "500 scans and more");
}

/* ---- .npy ---- */

#define DICT(descr, order, shape) \
    "{'descr': '" descr "', 'fortran_order': " order ", 'shape': " shape ", }     \n"

static swwae_status npy_of(struct npy *npy, int version, const char *header, const void *data,
                           size_t bytes) {
    uint8_t file[1024];
    size_t n = npy_bytes(file, version, header, data, bytes);
    return npy_read(npy, temporary_write("array.npy", file, n));
}

static void test_npy_types(void **state) {
    (void)state;
    static const float f4[6] = {0, 0.5f, -1, 1e30f, 0.25f, 3};
    static const double f8[6] = {0, 0.5, -1, 1e300, 0.25, -1e300};
    static const uint8_t u1[6] = {0, 1, 127, 128, 254, 255};
    struct npy npy;
    for (int version = 1; version <= 3; version++) {
        assert_int_equal(npy_of(&npy, version, DICT("<f4", "False", "(2, 3)"), f4, sizeof f4),
                         SWWAE_OK);
        assert_int_equal(npy.rank, 2);
        assert_int_equal(npy.size[0], 2);
        assert_int_equal(npy.size[1], 3);
        assert_int_equal(npy.size[2], 1);
        assert_memory_equal(npy.data, f4, sizeof f4);
        npy_free(&npy);
        assert_int_equal(npy_of(&npy, version, DICT("<f8", "False", "(6,)"), f8, sizeof f8),
                         SWWAE_OK);
        assert_int_equal(npy.rank, 1);
        for (int i = 0; i < 3; i++) assert_true(npy.data[i] == (float)f8[i]);
        assert_true(isinf(npy.data[3]) && npy.data[3] > 0);
        assert_true(isinf(npy.data[5]) && npy.data[5] < 0);
        npy_free(&npy);
        assert_int_equal(npy_of(&npy, version, DICT("|u1", "False", "(1, 2, 3, 1)"), u1, 6),
                         SWWAE_OK);
        assert_int_equal(npy.rank, 4);
        for (int i = 0; i < 6; i++) assert_true(npy.data[i] == (float)u1[i] / 255.0f);
        npy_free(&npy);
    }
    /* keys in another order, double quotes, Python 2's long, no space */
    assert_int_equal(
        npy_of(&npy, 1, "{\"shape\":(3L,2L),\"fortran_order\":False,\"descr\":\"|u1\"}", u1, 6),
        SWWAE_OK);
    npy_free(&npy);
    npy_free(NULL);
}

static void test_npy_refusals(void **state) {
    (void)state;
    static const uint8_t zeros[64];
    static const struct {
        int version;
        const char *header;
        size_t bytes;
        const char *words;
    } cases[] = {
        {1, DICT("<f4", "True", "(2, 3)"), 24, "Fortran order"},
        {1, DICT(">f4", "False", "(2, 3)"), 24, "type >f4"},
        {1, DICT("<i8", "False", "(2, 3)"), 48, "type <i8"},
        {1, DICT("|O", "False", "(2, 3)"), 48, "type |O"},
        {1, "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}", 8, "records"},
        {1, DICT("<f4", "False", "()"), 4, "0 dimensions"},
        {1, DICT("<f4", "False", "(1, 1, 1, 1, 1)"), 4, "5 dimensions"},
        {1, DICT("<f4", "False", "(2, 0)"), 0, "empty array"},
        {1, DICT("<f4", "False", "(2, 3)"), 23, "its header promises 24"},
        {1, DICT("<f4", "False", "(2, 3)"), 25, "its header promises 24"},
        {1, DICT("<f4", "False", "(65536, 65536, 65536, 65536)"), 24, "4 GiB"},
        {1, DICT("<f4", "False", "(4611686018427387904, 4)"), 24, "4 GiB"},
        {1, DICT("<f4", "False", "(99999999999999999999999)"), 24, "not NumPy's"},
        {1, DICT("<f4", "False", "(-2, 3)"), 24, "not NumPy's"},
        {1, DICT("<f4", "False", "(2 3)"), 24, "not NumPy's"},
        {1, DICT("<f4", "False", "(2, 3") "x", 24, "not NumPy's"},
        {1, DICT("<f4", "Maybe", "(2, 3)"), 24, "not NumPy's"},
        {1, DICT("<f4", "False", "(2, 3)") "more", 24, "not NumPy's"},
        {1, "{'descr': '<f4', 'shape': (2, 3)}", 24, "not NumPy's"},
        {1, "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", 24,
         "not NumPy's"},
        {1, "{'descr': '<f4', 'other': 3, 'fortran_order': False, 'shape': (2, 3)}", 24,
         "not NumPy's"},
        {1, "", 0, "not NumPy's"},
        {4, DICT("<f4", "False", "(2, 3)"), 24, "version 4"},
        {0, DICT("<f4", "False", "(2, 3)"), 24, "version 0"}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct npy npy = {.rank = 77};
        assert_int_equal(npy_of(&npy, cases[c].version, cases[c].header, zeros, cases[c].bytes),
                         SWWAE_E_FORMAT);
        assert_int_equal(npy.rank, 77);
        if (!strstr(swwae_last_error(), cases[c].words) ||
            !strstr(swwae_last_error(), temporary_path("array.npy")))
            fail_msg("\"%s\" says nothing of \"%s\"", swwae_last_error(), cases[c].words);
    }
}

static void test_npy_damage(void **state) {
    (void)state;
    static const uint8_t flips[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x08,
                                    0x10, 0x20, 0x40, 0x80, 0xff};
    uint8_t file[256], bad[256], data[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    for (int version = 1; version <= 2; version++) {
        size_t n = npy_bytes(file, version, DICT("|u1", "False", "(3, 4)"), data, 12);
        struct npy npy;
        for (size_t cut = 0; cut < n; cut++) {
            const char *path = temporary_write("cut.npy", file, cut);
            assert_int_equal(npy_read(&npy, path), SWWAE_E_FORMAT);
            assert_non_null(strstr(swwae_last_error(), path));
        }
        for (size_t at = 0; at < n - 12; at++)
            for (size_t f = 0; f < sizeof flips; f++) {
                memcpy(bad, file, n);
                bad[at] ^= flips[f];
                if (npy_read(&npy, temporary_write("flip.npy", bad, n)) != SWWAE_OK) continue;
                /* "(3, 4)" may become "(1, 4)" only with a file that has so many bytes */
                assert_int_equal(npy.size[0] * npy.size[1] * npy.size[2] * npy.size[3], 12);
                npy_free(&npy);
            }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_png_kinds),    cmocka_unit_test(test_luma),
        cmocka_unit_test(test_png_damage),   cmocka_unit_test(test_jpeg),
        cmocka_unit_test(test_recognised),   cmocka_unit_test(test_limits),
        cmocka_unit_test(test_bytes),        cmocka_unit_test(test_bombs),
        cmocka_unit_test(test_many_scans),   cmocka_unit_test(test_npy_types),
        cmocka_unit_test(test_npy_refusals), cmocka_unit_test(test_npy_damage)};
    return cmocka_run_group_tests_name("image", tests, temporary_make, temporary_remove);
}
