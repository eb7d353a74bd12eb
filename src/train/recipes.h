/* recipes.h - settings that go together, for --recipe. */
#ifndef SWWAE_TRAIN_RECIPES_H
#define SWWAE_TRAIN_RECIPES_H

/* In the order of --recipe's words. */
enum { RECIPE_AUTO = 0, RECIPE_NONE, RECIPE_FULL, RECIPE_PLAIN, RECIPE_PLUS, RECIPE_PHOTO };

/* What the recipe sets the option `name` to; NULL: the option's own default. Not of RECIPE_AUTO,
 * which is one of the others (options_recipe). */
const char *recipes_value(int recipe, const char *name);

#endif
