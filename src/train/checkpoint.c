/* checkpoint.c - saving and restoring a training; see checkpoint.h. */
#include "train/checkpoint.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "train/model_file.h"
#include "train/number.h"

/* The state as JSON. Reals have 17 digits, so they read back as the same bits. */
static char *state_json(const struct progress_state *state) {
    const struct sums *s = &state->sums;
    json_t *root =
        json_pack("{s:I, s:b, s:f, s:I, s:I, s:{s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, "
                  "s:f, s:I, s:I}}",
                  "row_step", (json_int_t)state->row_step, "best", state->best, "best_score",
                  state->best_score, "best_step", (json_int_t)state->best_step, "rewinds",
                  (json_int_t)state->rewinds, "sums", "steps", (json_int_t)s->steps, "nll_steps",
                  (json_int_t)s->nll_steps, "labelled", (json_int_t)s->labelled, "wrong",
                  (json_int_t)s->wrong, "loss", s->loss, "nll", s->nll, "rec", s->rec, "m", s->m,
                  "l1", s->l1, "pseudo", s->pseudo, "consistency", s->consistency, "unlabelled",
                  (json_int_t)s->unlabelled, "guessed", (json_int_t)s->guessed);
    char *text = json_text(root, JSON_COMPACT);
    json_decref(root);
    return text;
}

static swwae_status read_state(struct progress_state *state, const char *text, const char *path) {
    swwae_status status = SWWAE_OK;
    json_error_t fault;
    json_t *root = text ? json_parse(text, strlen(text), 0, &fault) : NULL;
    json_int_t row, best_step, steps, nll_steps, labelled, wrong, unlabelled = 0, guessed = 0,
                                                                  rewinds = 0;
    int best;
    struct progress_state read = {.step = state->step};
    struct sums *s = &read.sums;
    /* optional are those that files older than the term lack */
    CHECK(!text || root || json_at_fault(&fault), SWWAE_E_MEMORY, "%.400s: no memory to read it",
          path);
    errno = 0;
    bool good =
        root &&
        !json_unpack(
            root,
            "{s:I, s:b, s:F, s:I, s?I, s:{s:I, s:I, s:I, s:I, s:F, s:F, s:F, s:F, s?F, s?F, "
            "s?F, s?I, s?I}}",
            "row_step", &row, "best", &best, "best_score", &read.best_score, "best_step",
            &best_step, "rewinds", &rewinds, "sums", "steps", &steps, "nll_steps", &nll_steps,
            "labelled", &labelled, "wrong", &wrong, "loss", &s->loss, "nll", &s->nll, "rec",
            &s->rec, "m", &s->m, "l1", &s->l1, "pseudo", &s->pseudo, "consistency", &s->consistency,
            "unlabelled", &unlabelled, "guessed", &guessed);
    CHECK(good || errno != ENOMEM, SWWAE_E_MEMORY, "%.400s: no memory to read it", path);
    good = good && row >= 0 && best_step >= 0 && steps >= 0 && nll_steps >= 0 && labelled >= 0 &&
           wrong >= 0 && unlabelled >= 0 && guessed >= 0 && rewinds >= 0 &&
           (uint64_t)row <= state->step && (uint64_t)best_step <= state->step;
    CHECK(good, SWWAE_E_FORMAT,
          "%.400s: metadata \"state\" is missing or not what a checkpoint holds", path);
    read.row_step = (uint64_t)row;
    read.best = best;
    read.rewinds = (uint64_t)rewinds;
    read.best_step = (uint64_t)best_step;
    s->steps = (uint64_t)steps;
    s->nll_steps = (uint64_t)nll_steps;
    s->labelled = (uint64_t)labelled;
    s->wrong = (uint64_t)wrong;
    s->unlabelled = (uint64_t)unlabelled;
    s->guessed = (uint64_t)guessed;
    *state = read;
fail:
    json_decref(root);
    return status;
}

static struct safetensor flat(const char *name, const float *data, size_t size) {
    struct safetensor tensor = {.rank = 1, .shape = {size}, .data = data};
    snprintf(tensor.name, sizeof tensor.name, "%s", name);
    return tensor;
}

swwae_status checkpoint_check(const struct swwae_model *model, const struct optimizer *optimizer,
                              const struct progress_state *state, const char *path) {
    const struct network *network = &model->network;
    for (size_t i = 0; i < network->view_count; i++) {
        const struct view *view = &network->view[i];
        for (size_t k = 0; k < view->size; k++)
            if (!isfinite(model->parameters[view->offset + k]))
                return status_set(SWWAE_E_NUMERIC,
                                  "step %llu: parameter %s is not finite any more; train with a "
                                  "lower --lr (%s holds the last good state)",
                                  (unsigned long long)state->step, view->name, path);
    }
    for (size_t k = 0; k < optimizer->size; k++)
        if (!isfinite(optimizer->m[k]) || (optimizer->v && !isfinite(optimizer->v[k])) ||
            (optimizer->average && !isfinite(optimizer->average[k])))
            return status_set(SWWAE_E_NUMERIC,
                              "step %llu: the optimizer's state is not finite any more; train with "
                              "smaller weights of the loss (%s holds the last good state)",
                              (unsigned long long)state->step, path);
    return SWWAE_OK;
}

swwae_status checkpoint_write(const char *path, const char *previous,
                              const struct swwae_model *model, const struct optimizer *optimizer,
                              const struct teacher *teacher, const struct progress_state *state) {
    swwae_status status = SWWAE_OK;
    struct model_extra extra = {.previous = previous};
    char *text = state_json(state);
    CHECK(text, SWWAE_E_MEMORY, "%.400s: no memory to write it", path);
    extra.metadata[extra.metadata_count][0] = "state";
    extra.metadata[extra.metadata_count++][1] = text;
    extra.tensors[extra.tensor_count++] = flat("optimizer.m", optimizer->m, optimizer->size);
    if (optimizer->v)
        extra.tensors[extra.tensor_count++] = flat("optimizer.v", optimizer->v, optimizer->size);
    if (optimizer->average)
        extra.tensors[extra.tensor_count++] =
            flat("optimizer.average", optimizer->average, optimizer->size);
    if (teacher->shares)
        extra.tensors[extra.tensor_count++] =
            flat("teacher.shares", teacher->shares, (size_t)teacher->classes);
    TRY(model_write(model, path, &extra));
fail:
    free(text);
    return status;
}

/* values NULL: the tensor must not be there. Second moments are not negative. */
static swwae_status take_flat(float *values, const struct safetensors *file, const char *path,
                              const char *name, size_t size, bool second) {
    const struct safetensor *tensor = safetensors_find(file, name);
    if (!tensor != !values)
        return status_set(
            SWWAE_E_FORMAT,
            "%.400s: tensor %s is %s, so it was written with other options than the run's "
            "config.json says",
            path, name, tensor ? "there" : "missing");
    if (!values) return SWWAE_OK;
    if (tensor->rank != 1 || tensor->shape[0] != size)
        return status_set(SWWAE_E_FORMAT, "%.400s: tensor %s does not have the shape (%zu)", path,
                          name, size);
    for (size_t i = 0; i < size; i++) {
        if (!isfinite(tensor->data[i]) || (second && tensor->data[i] < 0))
            return status_set(SWWAE_E_FORMAT, "%.400s: value %zu of tensor %s is %g", path, i, name,
                              (double)tensor->data[i]);
        values[i] = tensor->data[i];
    }
    return SWWAE_OK;
}

static bool same_variant(const struct network *a, const struct network *b) {
    const struct variant *x = &a->variant, *y = &b->variant;
    for (int s = 0; s < a->stages; s++)
        if (x->beta[s] != y->beta[s]) return false;
    return x->unpooling == y->unpooling && x->output == y->output &&
           x->classes_top == y->classes_top && x->tied == y->tied && x->norm == y->norm;
}

static bool same_network(const struct network *a, const struct network *b) {
    char x[NOTATION_TEXT], y[NOTATION_TEXT];
    notation_print(x, &a->notation);
    notation_print(y, &b->notation);
    return !strcmp(x, y) && a->channels == b->channels && a->height == b->height &&
           a->width == b->width && same_variant(a, b);
}

swwae_status checkpoint_read(struct swwae_model *model, struct optimizer *optimizer,
                             struct teacher *teacher, struct progress_state *state,
                             const char *path) {
    swwae_status status = SWWAE_OK;
    struct safetensors file = {0};
    struct swwae_model *saved = NULL;
    const char *format;
    TRY(safetensors_read(&file, path));
    TRY(model_take(&saved, &file, path));
    format = safetensors_metadata(&file, "format");
    CHECK(strcmp(format, MODEL_FORMAT) != 0, SWWAE_E_FORMAT,
          "%.400s: is a model, expected a checkpoint", path);
    CHECK(same_network(&saved->network, &model->network), SWWAE_E_FORMAT,
          "%.400s: was written for another architecture, variant or image size than the run's "
          "config.json and data say",
          path);
    TRY(take_flat(optimizer->m, &file, path, "optimizer.m", optimizer->size, false));
    TRY(take_flat(optimizer->v, &file, path, "optimizer.v", optimizer->size, true));
    TRY(take_flat(optimizer->average, &file, path, "optimizer.average", optimizer->size, false));
    TRY(take_flat(teacher->shares, &file, path, "teacher.shares", (size_t)teacher->classes, true));
    state->step = saved->step;
    TRY(read_state(state, safetensors_metadata(&file, "state"), path));
    memcpy(model->parameters, saved->parameters,
           model->network.parameters * sizeof *model->parameters);
    model->step = optimizer->step = saved->step;
fail:
    model_free(saved);
    safetensors_free(&file);
    return status;
}

swwae_status checkpoint_restore(struct swwae_model *model, struct optimizer *optimizer,
                                struct teacher *teacher, struct progress_state *state,
                                const char *path, const char *previous, bool *damaged) {
    char reason[1024];
    swwae_status status = checkpoint_read(model, optimizer, teacher, state, path);
    *damaged = false;
    if (status != SWWAE_E_FORMAT && status != SWWAE_E_IO) return status;
    snprintf(reason, sizeof reason, "%s", swwae_last_error());
    *damaged = checkpoint_read(model, optimizer, teacher, state, previous) == SWWAE_OK;
    status = status_set(status, "%s", reason);
    return *damaged ? SWWAE_OK : status;
}
