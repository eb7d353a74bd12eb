/* describe.c - what is known about a model, as JSON (docs/formats.md). */
#include "train/model.h"

#include <jansson.h>
#include <string.h>

#include "base/cpu.h"
#include "base/json.h"
#include "train/options.h"

/* A layer's own values: a tied one of the decoder has no weight. */
static json_int_t conv_parameters(const struct conv_layer *conv, bool weight) {
    const json_int_t inputs = weight ? (json_int_t)conv->in * conv->kernel * conv->kernel : 0;
    return (json_int_t)conv->out *
           (inputs + (conv->normed ? 4 : 1)); /* bias; scale, mean, variance */
}

static json_t *conv_json(const struct variant *variant, bool decoder, int s, int c,
                         const struct conv_layer *conv) {
    return json_pack("{s:o, s:s, s:i, s:[i,i,i], s:[i,i,i], s:I, s:f}", "name",
                     json_sprintf("%s.%d.%d", decoder ? "decoder" : "encoder", s, c), "kind",
                     "convolution", "kernel", conv->kernel, "input", conv->in, conv->height,
                     conv->width, "output", conv->out, conv->height, conv->width, "parameters",
                     conv_parameters(conv, !(decoder && variant->tied)), "flops",
                     network_flops_conv(conv));
}

/* pool takes the stage's full size to the pooled one, unpool the way back. */
static json_t *pool_json(const char *side, const char *kind, int s, const struct stage *stage,
                         bool up) {
    int fine[2] = {stage->height, stage->width};
    int coarse[2] = {stage->pooled_height, stage->pooled_width};
    const int *in = up ? coarse : fine, *out = up ? fine : coarse;
    return json_pack("{s:o, s:s, s:i, s:[i,i,i], s:[i,i,i], s:i, s:f}", "name",
                     json_sprintf("%s.%d.%s", side, s, kind), "kind", kind, "size", stage->pool,
                     "input", stage->maps, in[0], in[1], "output", stage->maps, out[0], out[1],
                     "parameters", 0, "flops", 0.0);
}

static json_t *fc_json(const char *name, int j, int in, int out, bool weight) {
    return json_pack("{s:o, s:s, s:[i], s:[i], s:I, s:f}", "name", json_sprintf("%s.%d", name, j),
                     "kind", "fully connected", "input", in, "output", out, "parameters",
                     (json_int_t)out * ((weight ? (json_int_t)in : 0) + 1), "flops",
                     2.0 * in * out);
}

/* Layers in the order they run. */
static json_t *layers_json(const struct network *network) {
    const struct variant *variant = &network->variant;
    const struct fc_layer *fc = network->fc;
    json_t *layers = json_array();
    int bad = 0;
    for (int s = 0; s < network->stages; s++) {
        const struct stage *stage = &network->stage[s];
        for (int c = 0; c < stage->convs; c++)
            bad |=
                json_array_append_new(layers, conv_json(variant, false, s, c, &stage->encoder[c]));
        bad |= json_array_append_new(layers, pool_json("encoder", "pool", s, stage, false));
    }
    for (int j = 0; j < network->fcs; j++)
        bad |= json_array_append_new(layers, fc_json("classifier", j, fc[j].in, fc[j].out, true));
    for (int j = network->fcs - 1; variant->classes_top && j >= 0; j--)
        bad |= json_array_append_new(layers,
                                     fc_json("decoder.fc", j, fc[j].out, fc[j].in, !variant->tied));
    for (int s = network->stages - 1; s >= 0; s--) {
        const struct stage *stage = &network->stage[s];
        bad |= json_array_append_new(layers, pool_json("decoder", "unpool", s, stage, true));
        for (int c = stage->convs - 1; c >= 0; c--)
            bad |=
                json_array_append_new(layers, conv_json(variant, true, s, c, &stage->decoder[c]));
    }
    if (!bad) return layers;
    json_decref(layers);
    return NULL;
}

/* What every stage leaves of one image. */
static json_t *codes_json(const struct network *network) {
    json_t *codes = json_array();
    int bad = 0;
    for (int s = 0; s < network->stages; s++) {
        const struct stage *stage = &network->stage[s];
        const int c = stage->maps, h = stage->pooled_height, w = stage->pooled_width;
        const double beta = network->variant.beta[s];
        json_t *what = json_pack("[i,i,i]", c, h, w);
        json_t *where = beta > 0 ? json_pack("[i,i,i,i]", c, h, w, 2) : json_incref(what);
        json_t *sharpness = beta > 0 ? json_real(beta) : json_string(BETA_HARD);
        bad |= json_array_append_new(codes, json_pack("{s:i, s:o, s:o, s:s, s:o, s:s}", "stage", s,
                                                      "beta", sharpness, "what", what, "what_type",
                                                      "float32", "where", where, "where_type",
                                                      beta > 0 ? "float32" : "uint8"));
    }
    if (!bad) return codes;
    json_decref(codes);
    return NULL;
}

/* Bytes of an engine for forward passes; null where no size_t holds them. */
static swwae_status engine_json(json_t **json, const struct swwae_model *model) {
    swwae_status status = SWWAE_OK;
    const char *complaint;
    const struct engine_options options = {.threads = model_threads(model),
                                           .isa = (int)cpu_choose(&complaint),
                                           .dense = !cpu_sparse(),
                                           .direct = !cpu_winograd()};
    size_t bytes;
    TRY(engine_memory_needed(&bytes, &model->network, &options));
    *json = bytes == SIZE_MAX ? json_null() : json_integer((json_int_t)bytes);
fail:
    return status;
}

static json_t *class_names_json(const struct swwae_model *model) {
    json_t *names = json_array();
    for (int k = 0; k < model->network.classes; k++)
        if (json_array_append_new(names, json_string(model->class_names[k]))) {
            json_decref(names);
            return NULL;
        }
    return names;
}

swwae_status model_describe(const struct swwae_model *model, char **json) {
    const struct network *n = &model->network;
    const struct variant *variant = &n->variant;
    char arch[NOTATION_TEXT], beta[MODEL_BETA_TEXT], *text = NULL;
    notation_print(arch, &n->notation);
    model_print_beta(beta, n);
    json_t *engine = NULL, *options = json_null();
    json_error_t fault;
    swwae_status status = engine_json(&engine, model);
    if (status != SWWAE_OK) return status;
    if (model->options) options = json_parse(model->options, strlen(model->options), 0, &fault);
    json_int_t bytes = (json_int_t)sizeof(float) * (json_int_t)n->parameters;
    json_t *root =
        json_pack("{s:s, s:{s:i, s:i, s:i}, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:o, "
                  "s:s, s:I, s:s}",
                  "architecture", arch, "image", "channels", n->channels, "height", n->height,
                  "width", n->width, "pad", model->pad, "normalisation",
                  normalisation_names[model->contrast], "output", output_names[variant->output],
                  "beta", beta, "unpool", unpooling_names[variant->unpooling], "decoder_top",
                  decoder_top_names[variant->classes_top], "tied", tied_names[variant->tied],
                  "norm", norm_names[variant->norm], "reduction", reduction_names[model->reduction],
                  "classes", n->classes, "class_names", class_names_json(model), "data",
                  model->data, "step", (json_int_t)model->step, "library", swwae_version());
    json_t *more =
        json_pack("{s:I, s:{s:f, s:f}, s:{s:I, s:o}, s:o, s:o, s:o}", "parameters",
                  (json_int_t)n->parameters, "flops", "encoder", network_flops_encoder(n),
                  "decoder", network_flops_decoder(n), "memory", "parameters", bytes, "inference",
                  engine, "codes", codes_json(n), "layers", layers_json(n), "options", options);
    if (root && more && !json_object_update(root, more))
        text = json_text(root, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    CHECK(text, SWWAE_E_MEMORY, "no memory to describe the model");
    *json = text;
fail:
    json_decref(root);
    json_decref(more);
    return status;
}
