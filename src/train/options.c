/* options.c - the table of options, and reading them from text; see options.h.
 *
 * Everything about an option stands in one row of the table: what help prints, how text is read,
 * what is allowed and where the value goes. */
#include "train/options.h"

#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train/number.h"
#include "train/recipes.h"

enum kind {
    TEXT,   /* char[512] */
    ARCH,   /* char[NOTATION_TEXT] that notation_parse accepts */
    CHOICE, /* an enum: the argument's words in order */
    REAL,   /* double */
    REALS,  /* struct reals; its word stands for 0 */
    WHOLE,  /* int */
    FLAGS,  /* unsigned: the words of a list with commas as bits, none for 0 */
    COUNT,  /* long; the argument's words stand for -1, 0 (see words) */
    SEED,   /* uint64_t */
    EVERY   /* struct every */
};

enum bound { CLOSED, ABOVE, BELOW, BETWEEN }; /* which ends of the range are excluded */

struct option {
    swwae_option_info info;
    enum kind kind;
    size_t offset;
    double low, high; /* high 0: no upper bound */
    enum bound bound;
    const char *words; /* COUNT: what stands for -1 and for 0, "all|none" or "auto"; REALS: for 0;
                          FLAGS: all, in order of their bits */
    const char *place; /* REALS: what there may be a number for each of */
};

#define AT(member) offsetof(struct settings, member)

static const struct option table[] = {
    {{"recipe", "none|plain|plus", "none",
      "settings found best for few labels, for all options that are not given: plain, one net and "
      "one loss; plus, with changed images, pseudo-labels and consistency"},
     .kind = CHOICE,
     .offset = AT(recipe)},
    {{"data", "NAME|DIR", "fashion-mnist",
      "data set: shapes, mnist, fashion-mnist, cifar10, cifar100, or a folder: of class folders of "
      "pictures, of IDX files or of CIFAR's"},
     .kind = TEXT,
     .offset = AT(data)},
    {{"contrast", "none|image", "none",
      "contrast normalisation of natural images; image: each to mean 0 and deviation 1"},
     .kind = CHOICE,
     .offset = AT(contrast)},
    {{"arch", "NOTATION", "(64)5c-2p-(64)3c-2p-(64)3c-2p-10fc",
      "architecture in the paper's notation"},
     .kind = ARCH,
     .offset = AT(arch)},
    {{"labels", "N|all|none", "all", "how many labels the loss may use, the same number a class"},
     .kind = COUNT,
     .offset = AT(labels),
     .low = 1,
     .words = "all|none"},
    {{"label-seed", "N|auto", "auto",
      "start of the draw of labelled and validation images; auto: the same as --seed"},
     .kind = COUNT,
     .offset = AT(label_seed),
     .words = "auto"},
    {{"label-file", "FILE|none", "none",
      "use the labels of exactly the images this index file lists (swwae labels, or a run's "
      "labels.csv)"},
     .kind = TEXT,
     .offset = AT(label_file)},
    {{"test-count", "N", "0",
      "training images, the same number a class, held out as test images where the data has none; "
      "0: its own"},
     .kind = COUNT,
     .offset = AT(test_count),
     .high = 4294967295.0},
    {{"pad", "SIDE", "0", "zero-pad images to SIDE x SIDE; 0: as they are"},
     .kind = WHOLE,
     .offset = AT(pad),
     .high = 4096},
    {{"validation", "N|auto", "auto",
      "training images whose labels choose the best model and teach nothing; auto: 1 of 12, at "
      "most 5000"},
     .kind = COUNT,
     .offset = AT(validation),
     .words = "auto"},
    {{"lambda-nll", "X", "1", "weight of the classification term (0 without labels or fc layers)"},
     .kind = REAL,
     .offset = AT(lambda_nll)},
    {{"lambda-rec", "X", "1", "weight of the reconstruction term"},
     .kind = REAL,
     .offset = AT(lambda_rec)},
    {{"lambda-m", "X[,X...]", "1",
      "weight of the intermediate terms: one for all, or one per inner boundary"},
     .kind = REALS,
     .offset = AT(lambda_m),
     .place = "inner boundary"},
    {{"rec-layers", "all|input|layerwise", "all",
      "what is rebuilt; input: only the image; layerwise: each stage from the encoder's own what"},
     .kind = CHOICE,
     .offset = AT(layers)},
    {{"lambda-l1", "X", "0", "weight of the sparsity term: the size of every what"},
     .kind = REAL,
     .offset = AT(lambda_l1)},
    {{"reduction", "mean|sum|norm", "mean", "how a reconstruction error becomes one number"},
     .kind = CHOICE,
     .offset = AT(reduction)},
    {{"beta", BETA_HARD "|X[,X...]", BETA_HARD,
      "sharpness of soft pooling (paper section 3.1), one for all stages or one per stage; hard: "
      "max "
      "pooling"},
     .kind = REALS,
     .offset = AT(beta),
     .high = BETA_MOST,
     .bound = ABOVE,
     .words = BETA_HARD,
     .place = "stage"},
    {{"unpool", "switches|upsample|fixed|average", "switches",
      "where the decoder puts values: at the where, in every cell, in the first, spread evenly"},
     .kind = CHOICE,
     .offset = AT(unpooling)},
    {{"decoder-top", "features|classes", "features",
      "where the decoder starts: from the top what, or from the classes, which are the label where "
      "there is one and the classifier's answer elsewhere"},
     .kind = CHOICE,
     .offset = AT(classes_top)},
    {{"tied", "no|yes", "no", "decoder weights are the encoder's, transposed"},
     .kind = CHOICE,
     .offset = AT(tied)},
    {{"norm", "none|batch", "none", "batch normalisation after every convolution"},
     .kind = CHOICE,
     .offset = AT(norm)},
    {{"output", "linear|sigmoid", "linear", "last step of the decoder"},
     .kind = CHOICE,
     .offset = AT(output)},
    {{"dropout", "X", "0", "share of each fully connected layer's inputs that a step leaves out"},
     .kind = REAL,
     .offset = AT(dropout),
     .high = 1,
     .bound = BELOW},
    {{"dropout-conv", "X", "0", "the same for the convolutions of the encoder but the first"},
     .kind = REAL,
     .offset = AT(dropout_conv),
     .high = 1,
     .bound = BELOW},
    {{"noise", "X", "0",
      "standard deviation of normal noise on the encoder's image, whose pixels are 0 to 1"},
     .kind = REAL,
     .offset = AT(noise)},
    {{"where-noise", "X", "0", "share of the where that the decoder gets moved to a random cell"},
     .kind = REAL,
     .offset = AT(where_noise),
     .high = 1},
    {{"augment", "none|LIST", "none",
      "random changes of training images: affine (turned by 15 degrees, scaled by 15 %, sheared by "
      "0.2, moved by 2 pixels of 32, at most), shift (by whole pixels, 2 of 32), mirror, elastic "
      "(bent, by 2 pixels of 32 at most); several with commas between them"},
     .kind = FLAGS,
     .offset = AT(augment),
     .words = "affine|shift|mirror|elastic"},
    {{"augment-images", "all|labelled|unlabelled", "all", "which images are changed"},
     .kind = CHOICE,
     .offset = AT(augmented)},
    {{"augment-strength", "X", "1", "what multiplies the sizes of affine, shift and elastic"},
     .kind = REAL,
     .offset = AT(augment_strength),
     .high = 4,
     .bound = ABOVE},
    {{"average", "X", "0",
      "share that a moving average of the weights keeps each step (0.99 to 0.999); the average is "
      "what is validated, saved, and gives pseudo-labels; 0: no average"},
     .kind = REAL,
     .offset = AT(average),
     .high = 1,
     .bound = BELOW},
    {{"pseudo-labels", "X", "0",
      "learn images without a label by the model's own answer to them unaugmented, where its "
      "probability is at least X; 0: do not"},
     .kind = REAL,
     .offset = AT(pseudo_labels),
     .high = 1},
    {{"pseudo-weight", "X", "1", "weight of pseudo-labels beside --lambda-nll's labels"},
     .kind = REAL,
     .offset = AT(pseudo_weight),
     .bound = ABOVE},
    {{"consistency", "X", "0",
      "weight of the squared difference of the probabilities of an image without a label from "
      "the model's answer to it unaugmented"},
     .kind = REAL,
     .offset = AT(consistency)},
    {{"agreement-ramp", "X", "0.25",
      "share of the training in which the weights of pseudo-labels and consistency grow from 0"},
     .kind = REAL,
     .offset = AT(ramp),
     .high = 1},
    {{"balance", "no|yes", "no",
      "pseudo-labels of a class that is named too often need to be surer (classes are as frequent "
      "among the unlabelled images)"},
     .kind = CHOICE,
     .offset = AT(balance)},
    {{"init-from", "none|MODEL", INIT_RANDOM,
      "start from the weights of a model file or run that fit by name and shape; the convolutions "
      "of the encoder have to; none: random weights"},
     .kind = TEXT,
     .offset = AT(init_from)},
    {{"freeze", "none|encoder", "none", "weights that stay as they begin"},
     .kind = CHOICE,
     .offset = AT(freeze)},
    {{"epochs", "X", "10",
      "passes over the unlabelled images; over the labelled ones where only they are used"},
     .kind = REAL,
     .offset = AT(epochs),
     .high = 1e9,
     .bound = ABOVE},
    {{"steps", "N", "0", "batches to train on, instead of epochs; 0: as epochs say"},
     .kind = COUNT,
     .offset = AT(steps),
     .high = 1e12},
    {{"batch", "N", "64", "images a step"},
     .kind = WHOLE,
     .offset = AT(batch),
     .low = 1,
     .high = 65536},
    {{"labelled-share", "X", "0.25", "labelled part of a batch when not all images are labelled"},
     .kind = REAL,
     .offset = AT(labelled_share),
     .high = 1,
     .bound = BETWEEN},
    {{"optimizer", "adam|sgd", "adam", "how the gradient moves the weights"},
     .kind = CHOICE,
     .offset = AT(optimizer)},
    {{"lr", "X", "0.001", "learning rate at the start"},
     .kind = REAL,
     .offset = AT(lr),
     .bound = ABOVE},
    {{"momentum", "X", "0.9", "momentum of sgd"},
     .kind = REAL,
     .offset = AT(momentum),
     .high = 1,
     .bound = BELOW},
    {{"weight-decay", "X", "0", "weight decay, of weights only; decoupled in adam"},
     .kind = REAL,
     .offset = AT(weight_decay)},
    {{"clip-norm", "X", "0",
      "largest Euclidean norm of a step's gradient; a longer one is scaled down to it; 0: none"},
     .kind = REAL,
     .offset = AT(clip_norm)},
    {{"on-nan", "stop|rewind", "stop",
      "when a step is not finite: stop there, or go back to the last checkpoint with half the "
      "learning rate"},
     .kind = CHOICE,
     .offset = AT(on_nan)},
    {{"schedule", "constant|step|cosine", "cosine", "how the learning rate falls"},
     .kind = CHOICE,
     .offset = AT(schedule)},
    {{"lr-step-every", "X", "10", "epochs between the drops of --schedule step"},
     .kind = REAL,
     .offset = AT(lr_step_every),
     .bound = ABOVE},
    {{"lr-step-factor", "X", "0.1", "what a drop multiplies the learning rate by"},
     .kind = REAL,
     .offset = AT(lr_step_factor),
     .bound = ABOVE},
    {{"seed", "N", "1", "start of every random draw"}, .kind = SEED, .offset = AT(seed)},
    {{"threads", "N", "0",
      "threads, at most 8 are used; 0: one per processor; the result is the same"},
     .kind = WHOLE,
     .offset = AT(threads),
     .high = 256},
    {{"precision", "fp32|bf16", "fp32",
      "what dense convolutions of a training step multiply; bf16: half the bits, needs "
      "avx512_bf16"},
     .kind = CHOICE,
     .offset = AT(precision)},
    {{"checkpoint-every", "N|Xs|Xm|Xh", "5m",
      "save the state after N steps, or after seconds, minutes or hours; also after a validation"},
     .kind = EVERY,
     .offset = AT(save_every)},
    {{"out", "RUN", "auto", "folder of the run; auto: runs/DATA-N, N the first free number"},
     .kind = TEXT,
     .offset = AT(out)},
};

#define OPTIONS (sizeof table / sizeof *table)
_Static_assert(sizeof table / sizeof *table <= OPTIONS_LIMIT, "OPTIONS_LIMIT is too small");
_Static_assert(OPTIONS_LIMIT <= 64, "swwae_options.given has 64 bits");

const swwae_option_info *swwae_option_info_at(size_t i) {
    return i < OPTIONS ? &table[i].info : NULL;
}

/* ---- Names ------------------------------------------------------------------------------ */

/* Edits (insert, remove, replace a character) from a to b; long texts count as far. */
static int distance(const char *a, const char *b) {
    int row[64];
    int length = (int)strlen(b);
    if (length >= 64 || strlen(a) >= 64) return 64;
    for (int j = 0; j <= length; j++) row[j] = j;
    for (int i = 1; a[i - 1]; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= length; j++) {
            int best = diagonal + (a[i - 1] != b[j - 1]);
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[length];
}

static size_t find(const char *name) {
    size_t i = 0;
    while (i < OPTIONS && strcmp(table[i].info.name, name) != 0) i++;
    return i;
}

static swwae_status unknown(const char *name) {
    int best = 4;
    const char *closest = NULL;
    if (!*name)
        return status_set(SWWAE_E_ARGUMENT,
                          "an option without a name found; `swwae train --help` lists all");
    for (size_t i = 0; i < OPTIONS; i++) {
        int edits = distance(name, table[i].info.name);
        if (edits >= best) continue;
        best = edits;
        closest = table[i].info.name;
    }
    if (closest)
        return status_set(SWWAE_E_ARGUMENT, "unknown option --%.100s; did you mean --%s?", name,
                          closest);
    return status_set(SWWAE_E_ARGUMENT, "unknown option --%.100s; `swwae train --help` lists all",
                      name);
}

/* ---- Values ----------------------------------------------------------------------------- */

/* "a number of at least 0", "a whole number from 1 to 65536"; of the kind REALS for one number. */
static void expect_one(char *text, size_t size, const struct option *option) {
    bool whole = option->kind != REAL && option->kind != REALS;
    char low[NUMBER_TEXT], high[NUMBER_TEXT], words[32] = "";
    if (option->kind == SEED) { /* more digits than a double holds */
        snprintf(text, size, "a whole number from 0 to %lld", (long long)INT64_MAX);
        return;
    }
    if (option->kind == EVERY) {
        snprintf(text, size,
                 "a whole number of steps from 1, or a time above 0 such as 30s, 5m, 1h");
        return;
    }
    number_print(low, option->low);
    number_print(high, option->high);
    if (option->kind == COUNT && option->words)
        snprintf(words, sizeof words, strchr(option->words, '|') ? "all, none or " : "auto or ");
    const char *noun = whole ? "a whole number" : "a number";
    switch (option->bound) {
    case BETWEEN: snprintf(text, size, "%s above %s and below %s", noun, low, high); return;
    case BELOW: snprintf(text, size, "%s of at least %s and below %s", noun, low, high); return;
    case ABOVE:
        if (option->high > 0)
            snprintf(text, size, "%s above %s and at most %s", noun, low, high);
        else
            snprintf(text, size, "%s above %s", noun, low);
        return;
    case CLOSED: break;
    }
    if (option->high > 0)
        snprintf(text, size, "%s%s from %s to %s", words, noun, low, high);
    else
        snprintf(text, size, "%s%s of at least %s", words, noun, low);
}

static void expectation(char *text, size_t size, const struct option *option) {
    char one[128];
    expect_one(one, sizeof one, option);
    if (option->kind == FLAGS)
        snprintf(text, size, "none, or some of %s with commas between them", option->words);
    else if (option->kind == REALS)
        snprintf(text, size, "%s%s%s, or one for each %s with commas between them",
                 option->words ? option->words : "", option->words ? " or " : "", one,
                 option->place);
    else
        snprintf(text, size, "%s", one);
}

static swwae_status refuse(const struct option *option, const char *value, const char *expected) {
    return status_set(SWWAE_E_ARGUMENT, "option --%s: \"%.200s\" found, expected %s",
                      option->info.name, value, expected);
}

static bool in_range(const struct option *option, double value) {
    bool open_low = option->bound == ABOVE || option->bound == BETWEEN;
    bool open_high = option->bound == BELOW || option->bound == BETWEEN;
    if (open_low ? value <= option->low : value < option->low) return false;
    return !(option->high > 0) || (open_high ? value < option->high : value <= option->high);
}

static bool read_real(double *value, const struct option *option, const char *text) {
    double read;
    if (!number_parse(&read, text) || !in_range(option, read)) return false;
    *value = read;
    return true;
}

static bool read_reals(struct reals *reals, const struct option *option, const char *text) {
    struct reals read = {.count = 0};
    if (!number_parse_list(read.value, &read.count, NOTATION_STAGES, text, option->words))
        return false;
    for (int i = 0; i < read.count; i++) {
        bool word = option->words && read.value[i] == 0;
        if (!word && !in_range(option, read.value[i])) return false;
    }
    *reals = read;
    return true;
}

/* The place of text among the words of "a|b|c", -1 for none. */
static int word_index(const char *words, const char *text) {
    size_t length = strlen(text);
    for (int i = 0; *words; i++) {
        size_t word = strcspn(words, "|");
        if (word == length && !memcmp(words, text, length)) return i;
        words += word + (words[word] == '|');
    }
    return -1;
}

/* A bit for each word of the list; a word twice or an empty one is no list. */
static bool read_flags(unsigned *flags, const struct option *option, const char *text) {
    unsigned read = 0;
    char word[32];
    if (!strcmp(text, "none")) return *flags = 0, true;
    for (;; text++) {
        const size_t length = strcspn(text, ",");
        if (length >= sizeof word) return false;
        snprintf(word, sizeof word, "%.*s", (int)length, text);
        const int index = word_index(option->words, word);
        if (index < 0 || read >> index & 1) return false;
        read |= 1u << index;
        text += length;
        if (!*text) break;
    }
    *flags = read;
    return true;
}

static bool read_whole(int64_t *value, const struct option *option, const char *text) {
    int word = option->kind == COUNT && option->words ? word_index(option->words, text) : -1;
    if (word >= 0) {
        *value = word - 1; /* all, auto: -1; none: 0 */
        return true;
    }
    int64_t read;
    if (!number_parse_whole(&read, text, false) || !in_range(option, (double)read)) return false;
    *value = read;
    return true;
}

static swwae_status read_text(char *to, size_t size, const struct option *option,
                              const char *value) {
    swwae_status status = SWWAE_OK;
    CHECK(*value, SWWAE_E_ARGUMENT, "option --%s: nothing found, expected %s", option->info.name,
          option->info.argument);
    CHECK(strlen(value) < size, SWWAE_E_ARGUMENT,
          "option --%s: a text of %zu bytes found, expected at most %zu", option->info.name,
          strlen(value), size - 1);
    if (option->kind == ARCH) {
        struct notation notation;
        status = notation_parse(&notation, value);
        if (status != SWWAE_OK) return status_prefix(status, "option --%s", option->info.name);
    }
    snprintf(to, size, "%s", value);
fail:
    return status;
}

/* Reads value into settings. */
static swwae_status assign(struct settings *settings, const struct option *option,
                           const char *value) {
    char *to = (char *)settings + option->offset, expected[256];
    double real;
    int64_t whole;
    expectation(expected, sizeof expected, option);
    switch (option->kind) {
    case TEXT: return read_text(to, sizeof settings->data, option, value);
    case ARCH: return read_text(to, sizeof settings->arch, option, value);
    case CHOICE: {
        int chosen = word_index(option->info.argument, value);
        if (chosen < 0) return refuse(option, value, option->info.argument);
        memcpy(to, &chosen, sizeof chosen);
        return SWWAE_OK;
    }
    case FLAGS:
        if (!read_flags((unsigned *)(void *)to, option, value))
            return refuse(option, value, expected);
        return SWWAE_OK;
    case REAL:
        if (!read_real(&real, option, value)) return refuse(option, value, expected);
        memcpy(to, &real, sizeof real);
        return SWWAE_OK;
    case REALS:
        if (!read_reals((struct reals *)(void *)to, option, value))
            return refuse(option, value, expected);
        return SWWAE_OK;
    case EVERY:
        if (!every_parse((struct every *)(void *)to, value)) return refuse(option, value, expected);
        return SWWAE_OK;
    case WHOLE:
    case COUNT:
    case SEED:
        if (!read_whole(&whole, option, value)) return refuse(option, value, expected);
        if (option->kind == WHOLE) *(int *)(void *)to = (int)whole;
        if (option->kind == COUNT) *(long *)(void *)to = (long)whole;
        if (option->kind == SEED) *(uint64_t *)(void *)to = (uint64_t)whole;
        return SWWAE_OK;
    }
    return status_set(SWWAE_E_INTERNAL, "option --%s has no kind", option->info.name);
}

/* ---- The public functions --------------------------------------------------------------- */

swwae_status swwae_options_create(swwae_options **options) {
    swwae_status status = SWWAE_OK;
    swwae_options *made = NULL;
    CHECK(options, SWWAE_E_ARGUMENT, "swwae_options_create: options is NULL");
    made = calloc(1, sizeof *made);
    CHECK(made, SWWAE_E_MEMORY, "no memory for the options");
    for (size_t i = 0; i < OPTIONS; i++)
        TRY(assign(&made->settings, &table[i], table[i].info.fallback));
    *options = made;
    return SWWAE_OK;
fail:
    swwae_options_free(made);
    return status;
}

void swwae_options_free(swwae_options *options) {
    if (!options) return;
    for (size_t i = 0; i < OPTIONS; i++) free(options->text[i]);
    free(options);
}

/* A value without `given`: a default, or a recipe's. text NULL: the default. */
static swwae_status fill(swwae_options *options, size_t i, const char *text) {
    swwae_status status = SWWAE_OK;
    char *copy = text ? strdup(text) : NULL;
    CHECK(copy || !text, SWWAE_E_MEMORY, "no memory for option --%s", table[i].info.name);
    TRY(assign(&options->settings, &table[i], text ? text : table[i].info.fallback));
    free(options->text[i]);
    options->text[i] = copy;
    return SWWAE_OK;
fail:
    free(copy);
    return status;
}

/* Everything that was not given becomes what the recipe says, or its default. */
static swwae_status follow_recipe(swwae_options *options) {
    swwae_status status = SWWAE_OK;
    for (size_t i = 0; i < OPTIONS; i++)
        if (!(options->given >> i & 1))
            TRY(fill(options, i, recipes_value(options->settings.recipe, table[i].info.name)));
fail:
    return status;
}

swwae_status swwae_options_set(swwae_options *options, const char *name, const char *value) {
    swwae_status status = SWWAE_OK;
    char *text = NULL;
    CHECK(options && name && value, SWWAE_E_ARGUMENT, "swwae_options_set: %s is NULL",
          !options ? "options"
          : !name  ? "name"
                   : "value");
    size_t i = find(name);
    if (i == OPTIONS) return unknown(name);
    text = strdup(value);
    CHECK(text, SWWAE_E_MEMORY, "no memory for option --%s", name);
    TRY(assign(&options->settings, &table[i], value));
    free(options->text[i]);
    options->text[i] = text;
    options->given |= UINT64_C(1) << i;
    if (table[i].offset == AT(recipe)) return follow_recipe(options);
    return SWWAE_OK;
fail:
    free(text);
    return status;
}

const char *swwae_options_get(const swwae_options *options, const char *name) {
    size_t i = options && name ? find(name) : OPTIONS;
    if (i == OPTIONS) return NULL;
    return options->text[i] ? options->text[i] : table[i].info.fallback;
}

bool options_given(const swwae_options *options, const char *name) {
    size_t i = find(name);
    return i < OPTIONS && (options->given >> i & 1);
}

bool options_free_text(const char *name) {
    size_t i = find(name);
    return i < OPTIONS && table[i].kind == TEXT;
}

swwae_status options_copy(swwae_options **copy, const swwae_options *options) {
    swwae_status status = SWWAE_OK;
    swwae_options *made = calloc(1, sizeof *made);
    CHECK(made, SWWAE_E_MEMORY, "no memory for the options");
    made->settings = options->settings;
    made->given = options->given;
    for (size_t i = 0; i < OPTIONS; i++) {
        if (!options->text[i]) continue;
        made->text[i] = strdup(options->text[i]);
        CHECK(made->text[i], SWWAE_E_MEMORY, "no memory for the options");
    }
    *copy = made;
    return SWWAE_OK;
fail:
    swwae_options_free(made);
    return status;
}
