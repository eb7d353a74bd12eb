/* status.c - status codes, their names, and the last error of each thread. */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>

/* The only state outside objects: one sentence a thread, so that messages can be precise
 * without every function passing a buffer. */
static _Thread_local char last_error[1024];

const char *swwae_last_error(void) { return last_error; }

const char *swwae_version(void) {
#define TEXT(x) #x
#define NUMBER(x) TEXT(x)
    return NUMBER(SWWAE_VERSION_MAJOR) "." NUMBER(SWWAE_VERSION_MINOR) "." NUMBER(
        SWWAE_VERSION_PATCH);
#undef NUMBER
#undef TEXT
}

const char *swwae_status_text(swwae_status status) {
    switch (status) {
    case SWWAE_OK: return "ok";
    case SWWAE_E_ARGUMENT: return "bad argument";
    case SWWAE_E_NOTATION: return "bad architecture";
    case SWWAE_E_IO: return "input/output error";
    case SWWAE_E_FORMAT: return "bad file format";
    case SWWAE_E_DATA: return "data does not fit";
    case SWWAE_E_MEMORY: return "out of memory";
    case SWWAE_E_NUMERIC: return "not a finite number";
    case SWWAE_E_INTERRUPTED: return "interrupted";
    case SWWAE_E_INTERNAL: return "internal error";
    }
    return "unknown status";
}

/* Texts may quote hostile files: no control character, such as a terminal's escape, gets through.
 */
static void store(const char *text) {
    size_t i = 0;
    for (; text[i] && i + 1 < sizeof last_error; i++) {
        const unsigned char c = (unsigned char)text[i];
        last_error[i] = c < 0x20 || c == 0x7f ? '?' : text[i];
    }
    last_error[i] = 0;
}

swwae_status status_set(swwae_status code, const char *format, ...) {
    char text[sizeof last_error]; /* arguments may point into last_error */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    store(text);
    return code;
}

swwae_status status_prefix(swwae_status code, const char *format, ...) {
    char context[sizeof last_error], text[sizeof last_error];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(context, sizeof context, format, arguments);
    va_end(arguments);
    snprintf(text, sizeof text, "%.400s: %.600s", context, last_error);
    store(text);
    return code;
}
