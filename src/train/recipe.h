/* recipe.h - from the options and the data to what a training does. */
#ifndef SWWAE_TRAIN_RECIPE_H
#define SWWAE_TRAIN_RECIPE_H

#include "data/dataset.h"
#include "data/labels.h"
#include "train/model.h"
#include "train/options.h"
#include "train/report.h"

/* The variant of the model that the options ask for. SWWAE_E_ARGUMENT unless --beta has one value,
 * or one for each stage of --arch. */
swwae_status recipe_variant(struct variant *variant, const swwae_options *options);

/* The untrained model a training starts from: architecture, variant, initial weights and reduction
 * of the options. */
swwae_status recipe_model(struct swwae_model **model, const swwae_options *options, int channels,
                          int height, int width);

/* Settles what the options leave open, in options itself, so that config.json shows what was done:
 * lambda-nll is 0 without labels or without fully connected layers, labels are none where no term
 * looks at them, lambda-m is 0 in a net without inner boundary and where only the image is rebuilt.
 * Labels are looked at by the classification term and by a decoder that starts from the classes, by
 * both or by neither: with lambda-nll 0 no label reaches a step. A weight that was given and cannot
 * work is SWWAE_E_ARGUMENT; one that has no effect is told to the reporter. Fills objective. */
swwae_status recipe_objective(struct objective *objective, swwae_options *options,
                              const struct network *network, struct reporter *reporter);

/* SWWAE_E_DATA unless the data's classes are the net's, where classification is trained. */
swwae_status recipe_check_classes(const struct objective *objective, const struct network *network,
                                  const struct swwae_dataset *dataset);

/* Takes the weights that --init-from names. A tensor of the encoder must be there with the same
 * shape (SWWAE_E_ARGUMENT); one of the decoder or classifier is taken if it is. Tells the reporter
 * what was taken. SWWAE_E_IO, SWWAE_E_FORMAT. */
swwae_status recipe_init(struct swwae_model *model, const swwae_options *options,
                         struct reporter *reporter);

/* The seed of that draw: --label-seed, or --seed. */
uint64_t recipe_label_seed(const struct settings *settings);

/* Opens the training images, without those held out for testing. */
swwae_status recipe_open(struct swwae_dataset **dataset, const swwae_options *options);

/* Puts as many answers as there are classes, two or more, at the end of --arch. */
swwae_status recipe_end_in(swwae_options *options, int classes);

/* What the data decides, before anything that a recipe sets is looked at. An --arch that was not
 * given ends in its classes. --recipe auto depends on the number of labels: with --label-file
 * --labels becomes the number of images that it lists, and of data where some images have no label
 * the number of the others counts; and on whether the images are in colour. copy: as below. */
swwae_status recipe_fit(swwae_options *options, const struct swwae_dataset *dataset,
                        const char *copy);

/* Draws the roles of the images, by settled options. With --label-file the labelled images are
 * those it lists, and --labels becomes their number. copy: where a run has its own copy of the
 * file, which is read instead; NULL: not (yet) there. */
swwae_status recipe_draw(struct label_draw *draw, swwae_options *options,
                         const struct swwae_dataset *dataset, const char *copy);

/* The index file of the labelled images that a training with the options would draw; malloc'ed. */
swwae_status recipe_draw_text(char **text, const swwae_options *options);

#endif
