/* json.h - JSON to and from text, safe where memory is out. */
#ifndef SWWAE_BASE_JSON_H
#define SWWAE_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>

/* As json_dumps, but never less than the whole: that loses keys without a word when its buffer
 * cannot grow. malloc'ed; NULL without memory. json NULL: NULL. */
char *json_text(const json_t *json, size_t flags);

/* As json_loadb for an object or an array, but error->text is "" when memory was out, of which
 * jansson makes a fault of the text, or worse (json.c). error may not be NULL. */
json_t *json_parse(const char *text, size_t size, size_t flags, json_error_t *error);

/* After json_parse gave NULL: whether the text is at fault, and not the memory. */
static inline bool json_at_fault(const json_error_t *error) { return *error->text != 0; }

#endif
