/* input.c - opening the files a user names and telling what they hold; see input.h. */
#include "data/input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

swwae_status input_open(FILE **file, uint64_t *size, const char *path) {
    /* O_NONBLOCK: opening a pipe nobody writes to must not hang before fstat refuses it */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    swwae_status status = SWWAE_OK;
    CHECK(descriptor >= 0, SWWAE_E_IO, "cannot open %s: %s", path, strerror(errno));
    struct stat about;
    CHECK(fstat(descriptor, &about) == 0, SWWAE_E_IO, "cannot examine %s: %s", path,
          strerror(errno));
    CHECK(!S_ISDIR(about.st_mode), SWWAE_E_IO, "%s is a folder, expected a file", path);
    CHECK(S_ISREG(about.st_mode), SWWAE_E_IO, "%s is not a regular file", path);
    FILE *stream = fdopen(descriptor, "rb");
    CHECK(stream, SWWAE_E_IO, "cannot open %s: %s", path, strerror(errno));
    *file = stream;
    if (size) *size = (uint64_t)about.st_size;
    return SWWAE_OK;
fail:
    if (descriptor >= 0) close(descriptor);
    return status;
}

static int ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcasecmp(text + n - m, end) == 0;
}

swwae_status input_recognise(enum input_kind *kind, FILE *file, const char *path) {
    static const struct {
        const char *bytes;
        size_t count;
        enum input_kind kind;
    } starts[] = {{"\x89PNG\r\n\x1a\n", 8, INPUT_PNG},
                  {"\xff\xd8\xff", 3, INPUT_JPEG},
                  {"\x93NUMPY", 6, INPUT_NPY},
                  {"\x1f\x8b", 2, INPUT_IDX},
                  {"\0\0\x08", 3, INPUT_IDX}};
    static const struct {
        const char *end;
        enum input_kind kind;
    } ends[] = {{".png", INPUT_PNG}, {".jpg", INPUT_JPEG}, {".jpeg", INPUT_JPEG},
                {".npy", INPUT_NPY}, {"ubyte", INPUT_IDX}, {".gz", INPUT_IDX},
                {".idx", INPUT_IDX}};
    char start[8];
    size_t n = fread(start, 1, sizeof start, file);
    if (ferror(file) || fseek(file, 0, SEEK_SET) != 0)
        return status_set(SWWAE_E_IO, "cannot read %s: %s", path, strerror(errno));
    *kind = INPUT_UNKNOWN;
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (n >= starts[i].count && memcmp(start, starts[i].bytes, starts[i].count) == 0) {
            *kind = starts[i].kind;
            return SWWAE_OK;
        }
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (ends_with(path, ends[i].end)) {
            *kind = ends[i].kind;
            return SWWAE_OK;
        }
    return SWWAE_OK;
}

const char *input_base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}
