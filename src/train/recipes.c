/* recipes.c - the settings of the recipes; see recipes.h. */
#include "train/recipes.h"

#include <stddef.h>
#include <string.h>

struct setting {
    const char *name, *value;
};

static const struct setting plain[] = {
    {"dropout", "0.8"}, {"lambda-rec", "100"}, {"lambda-m", "5"}, {"steps", "5000"}, {NULL, NULL}};

/* For images of any kind. */
static const struct setting plus[] = {{"augment", "affine,erase"},
                                      {"augment-border", "mirror"},
                                      {"average", "0.995"},
                                      {"pseudo-labels", "0.8"},
                                      {"balance", "yes"},
                                      {"teacher-augment", "0.5"},
                                      {"labelled-share", "0.5"},
                                      {"weight-decay", "0.2"},
                                      {"lr", "0.003"},
                                      {"norm", "pooled"},
                                      {"steps", "4000"},
                                      {NULL, NULL}};

/* As plus, with the changes that photographs bear. */
static const struct setting photo[] = {{"augment", "shift,mirror,colour,erase"},
                                       {"augment-border", "mirror"},
                                       {"average", "0.998"},
                                       {"pseudo-labels", "0.8"},
                                       {"balance", "yes"},
                                       {"teacher-augment", "0.5"},
                                       {"labelled-share", "0.5"},
                                       {"weight-decay", "0.2"},
                                       {"lr", "0.003"},
                                       {"norm", "pooled"},
                                       {"steps", "10000"},
                                       {NULL, NULL}};

static const struct setting *const recipes[] = {
    [RECIPE_AUTO] = plus, [RECIPE_PLAIN] = plain, [RECIPE_PLUS] = plus, [RECIPE_PHOTO] = photo};

const char *recipes_value(int recipe, const char *name) {
    const struct setting *s = recipes[recipe];
    while (s && s->name && strcmp(s->name, name) != 0) s++;
    return s && s->name ? s->value : NULL;
}
