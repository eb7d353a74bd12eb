/* json.c - JSON to and from text; see json.h.
 *
 * jansson (2.14) reads a token into a buffer that it grows as it goes. Where the buffer cannot grow
 * it goes on without the characters, and may then end the program by an assertion or read past a
 * string that lost its closing quote. So json_parse has it read
 *
 *     ["xxx", TEXT]
 *
 * with the first string longer than any token of the text. That string is fed byte by byte, and
 * reading ends as soon as memory has run out; after it the buffer needs to grow no more. */
#include "base/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Measured, then printed. */
char *json_text(const json_t *json, size_t flags) {
    const size_t length = json ? json_dumpb(json, NULL, 0, flags) : 0;
    char *text = length ? malloc(length + 1) : NULL;
    if (!text) return NULL;
    if (json_dumpb(json, text, length, flags) == length) {
        text[length] = 0;
        return text;
    }
    free(text);
    return NULL;
}

/* At least the bytes of the longest token: the longest stretch without white space or one of the
 * characters that are tokens themselves; of a string, up to its closing quote. */
static size_t longest_token(const char *text, size_t size) {
    static const char apart[] = {' ', '\t', '\r', '\n', '{', '}', '[', ']', ':', ','};
    size_t longest = 0, begin = 0;
    bool string = false;
    for (size_t i = 0; i <= size; i++) {
        if (i < size && string && text[i] == '\\') {
            i++;
            continue;
        }
        const bool quote = i < size && text[i] == '"';
        const bool between = i == size || (!string && memchr(apart, text[i], sizeof apart));
        if (!quote && !between) continue;
        if (i + 1 - begin > longest) longest = i + 1 - begin;
        if (quote) string = !string;
        begin = string ? i : i + 1;
    }
    return longest;
}

/* What is still to be read. */
struct feed {
    size_t opening; /* bytes of the first string, quotes and brackets; sent so far */
    size_t sent;
    const char *text;
    size_t size, used;
    bool closed;
};

static size_t take(void *buffer, size_t room, void *user) {
    struct feed *feed = user;
    char *to = buffer;
    if (errno == ENOMEM) return (size_t)-1;
    if (feed->sent < feed->opening) {
        const size_t left = feed->opening - feed->sent;
        *to = feed->sent == 0 ? '[' : feed->sent == 1 || left == 2 ? '"' : left == 1 ? ',' : 'x';
        feed->sent++;
        return 1;
    }
    if (feed->used == feed->size) {
        if (feed->closed) return 0;
        feed->closed = true;
        *to = ']';
        return 1;
    }
    if (room > feed->size - feed->used) room = feed->size - feed->used;
    memcpy(to, feed->text + feed->used, room);
    feed->used += room;
    return room;
}

json_t *json_parse(const char *text, size_t size, size_t flags, json_error_t *error) {
    const int before = errno;
    size_t length = 32; /* jansson's buffer doubles from 16; the quote is not what makes it grow */
    for (const size_t longest = longest_token(text, size); length < longest + 16;) length *= 2;
    struct feed feed = {.opening = 1 + (length - 8) + 1, .text = text, .size = size};
    errno = 0;
    json_t *both = json_load_callback(take, &feed, flags, error);
    json_t *json = NULL;
    if (json_array_size(both) == 2) json = json_incref(json_array_get(both, 1));
    if (!json && errno == ENOMEM)
        *error->text = 0;
    else if (both && !json) /* "{}, {}" */
        snprintf(error->text, sizeof error->text, "more than one value, or none");
    if (error->line <= 1) error->column -= (int)feed.opening;
    error->position -= (int)feed.opening;
    if (error->position < 0) error->position = 0;
    json_decref(both);
    errno = before;
    return json;
}
