/* onednn.c - see onednn.h. Built with SWWAE_ONEDNN where CMake finds the library. */
#include "onednn.h"

#include <stddef.h>

#ifndef SWWAE_ONEDNN

const char *onednn_version(void) { return NULL; }

struct onednn *onednn_create(int out, int in, int kernel, int side, int images) {
    (void)out, (void)in, (void)kernel, (void)side, (void)images;
    return NULL;
}

void onednn_free(struct onednn *onednn) { (void)onednn; }

void onednn_run(struct onednn *onednn, enum onednn_pass pass) { (void)onednn, (void)pass; }

#else

#include <dnnl.h>
#include <omp.h> /* oneDNN's threads */
#include <stdio.h>
#include <stdlib.h>

#define ARGUMENTS 4

struct pass {
    dnnl_primitive_t primitive;
    int count;
    dnnl_exec_arg_t argument[ARGUMENTS];
};

struct onednn {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    struct pass pass[ONEDNN_PASSES];
};

static void check(dnnl_status_t status, const char *what) {
    if (status == dnnl_success) return;
    fprintf(stderr, "bench_kernels: oneDNN: %s failed with status %d\n", what, (int)status);
    exit(1);
}

const char *onednn_version(void) {
    static char text[32];
    const dnnl_version_t *v = dnnl_version();
    snprintf(text, sizeof text, "%d.%d.%d", v->major, v->minor, v->patch);
    return text;
}

/* The next argument: an array as the primitive wants it, values 1/1024 .. 1. */
static void add(struct onednn *o, struct pass *pass, const_dnnl_primitive_desc_t primitive,
                dnnl_query_t query, int argument) {
    const dnnl_memory_desc_t *shape = dnnl_primitive_desc_query_md(primitive, query, 0);
    dnnl_exec_arg_t *next = &pass->argument[pass->count++];
    next->arg = argument;
    check(dnnl_memory_create(&next->memory, shape, o->engine, DNNL_MEMORY_ALLOCATE), "memory");
    void *values;
    check(dnnl_memory_get_data_handle(next->memory, &values), "memory");
    const size_t size = dnnl_memory_desc_get_size(shape) / sizeof(float);
    for (size_t i = 0; i < size; i++) ((float *)values)[i] = (float)(i * 37 % 1024 + 1) / 1024;
}

static void ready(struct pass *pass, dnnl_primitive_desc_t primitive) {
    check(dnnl_primitive_create(&pass->primitive, primitive), "primitive");
    dnnl_primitive_desc_destroy(primitive);
}

/* Its descriptor stays: the gradients ask for it. */
static dnnl_primitive_desc_t describe(struct onednn *o, const dnnl_convolution_desc_t *convolution,
                                      const_dnnl_primitive_attr_t attributes,
                                      const_dnnl_primitive_desc_t forward) {
    dnnl_primitive_desc_t primitive;
    check(dnnl_primitive_desc_create(&primitive, convolution, attributes, o->engine, forward),
          "description");
    return primitive;
}

struct onednn *onednn_create(int out, int in, int kernel, int side, int images) {
    omp_set_num_threads(1);
    struct onednn *o = calloc(1, sizeof *o);
    if (!o) return NULL;
    check(dnnl_engine_create(&o->engine, dnnl_cpu, 0), "engine");
    check(dnnl_stream_create(&o->stream, o->engine, dnnl_stream_default_flags), "stream");
    const dnnl_dims_t x_size = {images, in, side, side}, y_size = {images, out, side, side},
                      w_size = {out, in, kernel, kernel}, b_size = {out}, stride = {1, 1},
                      padding = {kernel / 2, kernel / 2};
    dnnl_memory_desc_t x, y, w, b;
    check(dnnl_memory_desc_init_by_tag(&x, 4, x_size, dnnl_f32, dnnl_format_tag_any), "x");
    check(dnnl_memory_desc_init_by_tag(&y, 4, y_size, dnnl_f32, dnnl_format_tag_any), "y");
    check(dnnl_memory_desc_init_by_tag(&w, 4, w_size, dnnl_f32, dnnl_format_tag_any), "w");
    check(dnnl_memory_desc_init_by_tag(&b, 1, b_size, dnnl_f32, dnnl_format_tag_any), "b");

    dnnl_post_ops_t relu;
    dnnl_primitive_attr_t attributes;
    check(dnnl_post_ops_create(&relu), "post-ops");
    check(dnnl_post_ops_append_eltwise(relu, 1, dnnl_eltwise_relu, 0, 0), "post-ops");
    check(dnnl_primitive_attr_create(&attributes), "attributes");
    check(dnnl_primitive_attr_set_post_ops(attributes, relu), "attributes");

    dnnl_convolution_desc_t convolution;
    check(dnnl_convolution_forward_desc_init(&convolution, dnnl_forward_training,
                                             dnnl_convolution_auto, &x, &w, &b, &y, stride, padding,
                                             padding),
          "forward");
    const dnnl_primitive_desc_t forward = describe(o, &convolution, attributes, NULL);
    struct pass *pass = &o->pass[ONEDNN_FORWARD];
    add(o, pass, forward, dnnl_query_src_md, DNNL_ARG_SRC);
    add(o, pass, forward, dnnl_query_weights_md, DNNL_ARG_WEIGHTS);
    add(o, pass, forward, dnnl_query_dst_md, DNNL_ARG_DST);
    dnnl_exec_arg_t *bias = &pass->argument[pass->count++];
    bias->arg = DNNL_ARG_BIAS;
    check(dnnl_memory_desc_init_by_tag(&b, 1, b_size, dnnl_f32, dnnl_a), "bias");
    check(dnnl_memory_create(&bias->memory, &b, o->engine, DNNL_MEMORY_ALLOCATE), "bias");
    void *values;
    check(dnnl_memory_get_data_handle(bias->memory, &values), "bias");
    for (int i = 0; i < out; i++) ((float *)values)[i] = 0.1F;

    check(dnnl_convolution_backward_data_desc_init(&convolution, dnnl_convolution_auto, &x, &w, &y,
                                                   stride, padding, padding),
          "backward data");
    dnnl_primitive_desc_t back = describe(o, &convolution, NULL, forward);
    pass = &o->pass[ONEDNN_DATA];
    add(o, pass, back, dnnl_query_diff_dst_md, DNNL_ARG_DIFF_DST);
    add(o, pass, back, dnnl_query_weights_md, DNNL_ARG_WEIGHTS);
    add(o, pass, back, dnnl_query_diff_src_md, DNNL_ARG_DIFF_SRC);
    ready(pass, back);

    check(dnnl_convolution_backward_weights_desc_init(&convolution, dnnl_convolution_auto, &x, &w,
                                                      NULL, &y, stride, padding, padding),
          "backward weights");
    back = describe(o, &convolution, NULL, forward);
    pass = &o->pass[ONEDNN_WEIGHTS];
    add(o, pass, back, dnnl_query_src_md, DNNL_ARG_SRC);
    add(o, pass, back, dnnl_query_diff_dst_md, DNNL_ARG_DIFF_DST);
    add(o, pass, back, dnnl_query_diff_weights_md, DNNL_ARG_DIFF_WEIGHTS);
    ready(pass, back);

    ready(&o->pass[ONEDNN_FORWARD], forward);
    dnnl_primitive_attr_destroy(attributes);
    dnnl_post_ops_destroy(relu);
    return o;
}

void onednn_free(struct onednn *o) {
    if (!o) return;
    for (int p = 0; p < ONEDNN_PASSES; p++) {
        for (int i = 0; i < o->pass[p].count; i++)
            dnnl_memory_destroy(o->pass[p].argument[i].memory);
        dnnl_primitive_destroy(o->pass[p].primitive);
    }
    dnnl_stream_destroy(o->stream);
    dnnl_engine_destroy(o->engine);
    free(o);
}

void onednn_run(struct onednn *o, enum onednn_pass pass) {
    struct pass *p = &o->pass[pass];
    check(dnnl_primitive_execute(p->primitive, o->stream, p->count, p->argument), "execution");
    check(dnnl_stream_wait(o->stream), "execution");
}

#endif
