/* path.c - small questions about the paths a user gives; see path.h. */
#define _XOPEN_SOURCE 700 /* realpath */
#include "data/path.h"

#include "data/input.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

char *path_format(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = n < 0 ? NULL : malloc((size_t)n + 1);
    if (!text) return NULL;
    va_start(arguments, format);
    vsnprintf(text, (size_t)n + 1, format, arguments);
    va_end(arguments);
    return text;
}

bool path_is_folder(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

bool path_is_there(const char *path) {
    struct stat about;
    return stat(path, &about) == 0;
}

void path_folder_name(char name[64], const char *folder) {
    size_t end = strlen(folder);
    while (end > 1 && folder[end - 1] == '/') end--;
    size_t start = end;
    while (start > 0 && folder[start - 1] != '/') start--;
    size_t n = end - start;
    bool dots = (n == 1 && folder[start] == '.') ||
                (n == 2 && folder[start] == '.' && folder[start + 1] == '.');
    char *real = dots ? realpath(folder, NULL) : NULL;
    const char *base = real ? input_base_name(real) : folder + start;
    if (real) n = strlen(base);
    if (n > 63)
        for (n = 63; n > 0 && ((unsigned char)base[n] & 0xc0) == 0x80;) n--; /* no half character */
    memcpy(name, base, n);
    name[n] = '\0';
    free(real);
}
