/* recipes.c - the settings of the recipes; see recipes.h. */
#include "train/recipes.h"

#include <stddef.h>
#include <string.h>

struct setting {
    const char *name, *value;
};

/* For many labels. */
static const struct setting full[] = {
    {"average", "0.998"}, {"lr", "0.003"}, {"norm", "pooled"}, {NULL, NULL}};

/* The loss of the paper alone: nothing is guessed, no image is changed. */
static const struct setting plain[] = {
    {"average", "0.998"},  {"dropout", "0.8"},  {"labelled-share", "0.5"}, {"weight-decay", "0.1"},
    {"lambda-rec", "0.1"}, {"lambda-m", "0.1"}, {"lr", "0.003"},           {"norm", "pooled"},
    {"steps", "5000"},     {NULL, NULL}};

/* For images of any kind. */
static const struct setting plus[] = {{"augment", "affine,erase"},
                                      {"augment-border", "mirror"},
                                      {"average", "0.995"},
                                      {"pseudo-labels", "0.8"},
                                      {"balance", "yes"},
                                      {"teacher-augment", "0.5"},
                                      {"labelled-share", "0.5"},
                                      {"weight-decay", "0.2"},
                                      {"lambda-rec", "0.1"},
                                      {"lambda-m", "0.1"},
                                      {"lr", "0.003"},
                                      {"norm", "pooled"},
                                      {"steps", "4000"},
                                      {NULL, NULL}};

/* What photographs bear and need; the rest is as plus has it. */
static const struct setting photo[] = {{"augment", "shift,mirror,colour,erase"},
                                       {"average", "0.998"},
                                       {"steps", "10000"},
                                       {NULL, NULL}};

static const char *find(const struct setting *settings, const char *name) {
    while (settings->name && strcmp(settings->name, name) != 0) settings++;
    return settings->value;
}

const char *recipes_value(int recipe, const char *name) {
    if (recipe == RECIPE_NONE) return NULL;
    if (recipe == RECIPE_FULL) return find(full, name);
    if (recipe == RECIPE_PLAIN) return find(plain, name);
    const char *own = recipe == RECIPE_PHOTO ? find(photo, name) : NULL;
    return own ? own : find(plus, name);
}
