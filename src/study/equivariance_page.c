/* equivariance_page.c - tables, plots and page of the study "equivariance". */
#include "study/equivariance.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "study/plot.h"
#include "study/table.h"
#include "train/options.h"

static const char *const net_texts[NETS] = {"soft pooling", "untrained, soft pooling",
                                            "max pooling"};
static const char *const axis_names[AXES] = {"x", "y"};

static unsigned long long seed_of(const struct equivariance *e, int s) {
    return (unsigned long long)e->study->seed + (unsigned long long)s;
}

/* Change of the where, -1..1 over the window, for a pixel of shift. */
static double ideal(const struct probe_stage *stage) {
    return 2.0 / ((stage->pool - 1) * stage->cell);
}

/* ---- Tables ----------------------------------------------------------------------------- */

static swwae_status write_scores(const struct equivariance *e) {
    swwae_status status = SWWAE_OK;
    struct page page = {0};
    TRY(page_begin(&page, e->study, "scores.csv"));
    fputs("net,seed,stage,shift,slope,across,r2,along_to_across,followed,counted,"
          "what_correlation,what_change\n",
          page.to);
    for (int net = 0; net < NETS; net++)
        for (int s = 0; s < e->study->seeds; s++)
            for (int k = 0; k < e->stages; k++)
                for (int axis = 0; axis < AXES; axis++) {
                    const struct probe_scores *p = equivariance_scores(e, net, s, k, axis);
                    fprintf(page.to, "%s,%llu,%d,%s,", equivariance_nets[net], seed_of(e, s),
                            e->stage[k].stage, axis_names[axis]);
                    page_row(page.to,
                             (double[]){p->slope[0], p->slope[1], p->r2, p->ratio, p->followed,
                                        p->counted, p->correlation, p->change},
                             8);
                }
    TRY(page_commit(&page));
fail:
    page_abandon(&page);
    return status;
}

static swwae_status write_readouts(const struct equivariance *e) {
    swwae_status status = SWWAE_OK;
    struct page page = {0};
    TRY(page_begin(&page, e->study, "readout.csv"));
    fputs("net,seed,from,position_px,accuracy\n", page.to);
    for (int net = 0; net < NETS; net++)
        for (int s = 0; s < e->study->seeds; s++)
            for (int i = 0; i < READOUTS; i++) {
                const struct readout *r = &equivariance_readouts(e, net, s)[i];
                fprintf(page.to, "%s,%llu,%s,", equivariance_nets[net], seed_of(e, s),
                        readout_names[i]);
                page_row(page.to, (double[]){r->position, r->accuracy}, 2);
            }
    TRY(page_commit(&page));
fail:
    page_abandon(&page);
    return status;
}

/* Blocks of shift.dat: for each net the mean change at each shift, over seeds and both axes. */
static swwae_status write_shifts(const struct equivariance *e) {
    swwae_status status = SWWAE_OK;
    struct page page = {0};
    const int seeds = e->study->seeds, top = e->stages - 1;
    double *values = calloc((size_t)seeds, sizeof *values);
    CHECK(values, SWWAE_E_MEMORY, "no memory for %d seeds", seeds);
    TRY(page_begin(&page, e->study, "shift.dat"));
    fputs("# top stage, in pixels: shift, change of where along it, deviation over the seeds, "
          "change across, deviation\n",
          page.to);
    for (int net = 0; net < NETS; net++) {
        fprintf(page.to, "# %s\n", net_texts[net]);
        for (int i = 0; i <= 2 * PROBE_MOST; i++) {
            fprintf(page.to, "%d", i - PROBE_MOST);
            for (int k = 0; k < 2; k++) {
                for (int s = 0; s < seeds; s++)
                    values[s] = (equivariance_scores(e, net, s, top, 0)->mean[k][i] +
                                 equivariance_scores(e, net, s, top, 1)->mean[k][i]) /
                                AXES;
                const struct summary mean = summarise(values, seeds);
                fputc(' ', page.to);
                page_number(page.to, mean.count ? mean.mean : 0);
                fputc(' ', page.to);
                page_number(page.to, mean.std);
            }
            fputc('\n', page.to);
        }
        fputs("\n\n", page.to);
    }
    TRY(page_commit(&page));
fail:
    page_abandon(&page);
    free(values);
    return status;
}

/* Places as where: -1..1 over the whole map. */
static double coordinate(const struct probe_stage *stage, float place, int windows) {
    return 2 * (double)place / (stage->cell * (stage->pool * windows - 1)) - 1;
}

static swwae_status write_points(const struct equivariance *e, int net) {
    swwae_status status = SWWAE_OK;
    struct page page = {0};
    char name[64];
    const struct probe_stage *stage = &e->stage[e->stages - 1];
    snprintf(name, sizeof name, "scatter-%s.dat", equivariance_nets[net]);
    TRY(page_begin(&page, e->study, name));
    for (int axis = 0; axis < AXES; axis++) {
        fprintf(page.to,
                "# shift of %d pixels in %s: what before and after, where-x before and after, "
                "where-y before and after\n",
                PROBE_MOST, axis_names[axis]);
        for (size_t i = 0; i < e->point_count[net][axis]; i++) {
            const struct response *r[2] = {&e->points[net][axis][i].before,
                                           &e->points[net][axis][i].after};
            for (int k = 0; k < 6; k++) {
                const struct response *of = r[k % 2];
                page_number(page.to, k < 2   ? (double)of->what
                                     : k < 4 ? coordinate(stage, of->place[0], stage->width)
                                             : coordinate(stage, of->place[1], stage->height));
                fputc(k < 5 ? ' ' : '\n', page.to);
            }
        }
        fputs("\n\n", page.to);
    }
    TRY(page_commit(&page));
fail:
    page_abandon(&page);
    return status;
}

/* ---- Plots ------------------------------------------------------------------------------ */

static swwae_status draw_shifts(const struct equivariance *e) {
    char body[2048];
    size_t used = (size_t)snprintf(
        body, sizeof body,
        "set title 'How where follows a moved image (top stage, mean over units that count)'\n"
        "set xlabel 'shift of the image, pixels'\n"
        "set ylabel 'change of where, pixels'\n"
        "set xrange [-%d.3:%d.3]; set yrange [-%d.5:%d.5]\n"
        "set xtics 1 nomirror; set ytics 1 nomirror; set border 3\n"
        "set grid lt 1 lw 0.5 lc rgb '#cccccc'\n"
        "set key outside right center width -4\n"
        "plot x with lines dt 3 lw 2 lc rgb '#888888' title 'moves with the image'",
        PROBE_MOST, PROBE_MOST, PROBE_MOST, PROBE_MOST);
    for (int net = 0; net < NETS; net++)
        for (int k = 0; k < 2; k++)
            used += (size_t)snprintf(
                body + used, sizeof body - used,
                ", \\\n  'shift.dat' index %d using ($1+%.2f):%d:%d with yerrorlines lw 2 pt %d ps "
                "0.8 dt %d lc rgb '%s' title '%s, %s'",
                net, 0.04 * (net - 1), 2 + 2 * k, 3 + 2 * k, k ? 6 : 7, k ? 2 : 1, plot_colour(net),
                net_texts[net], k ? "across" : "along");
    snprintf(body + used, sizeof body - used, "\n");
    return plot_draw(e->study, "shift", body, 920, 480);
}

/* A little more than the largest what of the points, for the axes. */
static double most_of(const struct equivariance *e, int net, int axis) {
    double most = 1e-6;
    for (size_t i = 0; i < e->point_count[net][axis]; i++) {
        const struct probe_point *p = &e->points[net][axis][i];
        most = fmax(most, fmax((double)p->before.what, (double)p->after.what));
    }
    return 1.05 * most;
}

/* As the paper's figure 3: after against before, for what, where-x and where-y. */
static swwae_status draw_points(const struct equivariance *e, int net) {
    static const char *const panels[3] = {"what", "where, x", "where, y"};
    const struct probe_stage *stage = &e->stage[e->stages - 1];
    const int windows[AXES] = {stage->width, stage->height};
    char body[4096], name[64];
    size_t used = (size_t)snprintf(body, sizeof body,
                                   "set multiplot layout 2,3 margins 0.07,0.98,0.09,0.88 spacing "
                                   "0.085,0.16 title 'What and where of moved images: %s'\n"
                                   "unset key; set size square; set xtics nomirror; set ytics "
                                   "nomirror\n",
                                   net_texts[net]);
    for (int axis = 0; axis < AXES; axis++)
        for (int k = 0; k < 3; k++) {
            /* what has no sign; the axes of where are those of the coordinates */
            const double high = k ? 1.08 : most_of(e, net, axis), low = k ? -1.08 : 0;
            const double move =
                2.0 * PROBE_MOST / (stage->cell * (stage->pool * windows[axis] - 1));
            used += (size_t)snprintf(
                body + used, sizeof body - used,
                "set title '%s; moved %d px %s'\nset xlabel 'before'; set ylabel 'after'\n"
                "set xrange [%.4g:%.4g]; set yrange [%.4g:%.4g]; set xtics %s; set ytics %s\n"
                "plot x + %.6f with lines dt 2 lw 1.5 lc rgb '#D55E00', "
                "'scatter-%s.dat' index %d using %d:%d with points pt 7 ps 0.25 lc rgb "
                "'#600072B2'\n",
                panels[k], PROBE_MOST, axis ? "down" : "right", low, high, low, high,
                k ? "0.5" : "autofreq", k ? "0.5" : "autofreq", k == axis + 1 ? move : 0.0,
                equivariance_nets[net], axis, 1 + 2 * k, 2 + 2 * k);
        }
    snprintf(body + used, sizeof body - used, "unset multiplot\n");
    snprintf(name, sizeof name, "scatter-%s", equivariance_nets[net]);
    return plot_draw(e->study, name, body, 960, 680);
}

/* ---- The page --------------------------------------------------------------------------- */

/* A member of the scores, averaged over both axes, over the seeds. */
static void print_score(FILE *to, const struct equivariance *e, int net, int stage, size_t offset,
                        double factor) {
    double *values = calloc((size_t)e->study->seeds, sizeof *values);
    for (int s = 0; values && s < e->study->seeds; s++)
        for (int axis = 0; axis < AXES; axis++) {
            double value;
            memcpy(&value, (const char *)equivariance_scores(e, net, s, stage, axis) + offset,
                   sizeof value);
            values[s] += factor * value / AXES;
        }
    if (values) page_summary(to, summarise(values, e->study->seeds));
    free(values);
}

static void print_scores(FILE *to, const struct equivariance *e, int stage) {
    static const struct {
        const char *name;
        size_t offset;
        double factor;
    } columns[] = {
        {"where along the shift, px per px (ideal 1)", offsetof(struct probe_scores, slope), 1},
        {"R²", offsetof(struct probe_scores, r2), 1},
        {"where across it, px per px (ideal 0)",
         offsetof(struct probe_scores, slope) + sizeof(double), 1},
        {"mean change along : across", offsetof(struct probe_scores, ratio), 1},
        {"followed, %", offsetof(struct probe_scores, followed), 100},
        {"units that count, %", offsetof(struct probe_scores, counted), 100},
        {"what: correlation", offsetof(struct probe_scores, correlation), 1},
        {"what: change, %", offsetof(struct probe_scores, change), 100}};
    const size_t count = sizeof columns / sizeof *columns;
    fputs("| net |", to);
    for (size_t c = 0; c < count; c++) fprintf(to, " %s |", columns[c].name);
    fputs("\n|---|", to);
    for (size_t c = 0; c < count; c++) fputs("---|", to);
    for (int net = 0; net < NETS; net++) {
        fprintf(to, "\n| %s |", net_texts[net]);
        for (size_t c = 0; c < count; c++) {
            fputc(' ', to);
            print_score(to, e, net, stage, columns[c].offset, columns[c].factor);
            fputs(" |", to);
        }
    }
    fputs("\n\n", to);
}

static void print_readouts(FILE *to, const struct equivariance *e) {
    const int seeds = e->study->seeds;
    double *values = calloc(2 * (size_t)seeds, sizeof *values);
    fputs("| net | from | position error, px | class accuracy, % |\n|---|---|---|---|\n", to);
    for (int net = 0; net < NETS && values; net++)
        for (int i = 0; i < READOUTS; i++) {
            for (int s = 0; s < seeds; s++) {
                const struct readout *r = &equivariance_readouts(e, net, s)[i];
                values[s] = r->position;
                values[seeds + s] = r->accuracy;
            }
            fprintf(to, "| %s | %s | ", net_texts[net], readout_names[i]);
            page_summary(to, summarise(values, seeds));
            fputs(" | ", to);
            page_summary(to, summarise(values + seeds, seeds));
            fputs(" |\n", to);
        }
    free(values);
}

static void print_protocol(FILE *to, const struct equivariance *e) {
    const struct study *study = e->study;
    const swwae_options *o = study->options;
    const struct probe_stage *top = &e->stage[e->stages - 1];
    fputs("# What stays, where moves\n\n"
          "After the paper's section 4.2 and figure 3 (arXiv 1506.02351): when an image is moved, "
          "*what* should hardly change (invariance) and *where* should move with it "
          "(equivariance).\n\n",
          to);
    fprintf(to,
            "- Network: `%s`, soft pooling with beta %s; beside it the same net untrained, and "
            "with max pooling, whose where is the switch's cell as a coordinate.\n- Data: ",
            swwae_options_get(o, "arch"), e->beta);
    page_name(to, study->data);
    fprintf(to,
            "%s; every image of both splits moved once at random by -%d to %d pixels in x and in "
            "y.\n- Training: %s %s, labels: %s, batches of %s, %s, learning rate %s (%s), %d "
            "seed%s from %llu.\n",
            study->quick ? ", first images only (quick)" : "", PROBE_MOST, PROBE_MOST,
            o->settings.steps ? "steps" : "epochs",
            swwae_options_get(o, o->settings.steps ? "steps" : "epochs"),
            swwae_options_get(o, "labels"), swwae_options_get(o, "batch"),
            swwae_options_get(o, "optimizer"), swwae_options_get(o, "lr"),
            swwae_options_get(o, "schedule"), study->seeds, study->seeds > 1 ? "s" : "",
            seed_of(e, 0));
    fprintf(to,
            "- Probes: %zu held-out images as they are%s, moved by ±1 to ±%d pixels in x, and in "
            "y.\n"
            "- A unit is a map; its response is that of its strongest window. It counts where its "
            "what exceeds its answer to a black image by at least a tenth of the most that any "
            "unit of the image does; units that count weigh the same.\n"
            "- Along and across: least-squares slope through 0 of the change of where against the "
            "shift, in pixels. At the top, whose window has %d cells %d pixels apart, a pixel is "
            "2/(%d·%d) = ",
            e->probe_count,
            e->margin ? ", the first with a black border that no shift pushes out" : "", PROBE_MOST,
            top->pool, top->cell, top->pool - 1, top->cell);
    page_number(to, round(ideal(top) * 1e4) / 1e4);
    fputs(" of the where's range -1 to 1. Followed: within half a cell of where the shift would "
          "bring it, along and across.\n"
          "- What: correlation of units that count, after against before; change = ‖m′ − m‖ / ‖m‖ "
          "of all units.\n\n",
          to);
}

static swwae_status write_page(const struct equivariance *e) {
    swwae_status status = SWWAE_OK;
    struct page page = {0};
    const struct study *study = e->study;
    TRY(page_begin(&page, study, "study.md"));
    FILE *to = page.to;
    print_protocol(to, e);
    if (study->seeds > 1) fputs("Tables: mean ± standard deviation over the seeds.\n\n", to);
    fprintf(to, "## Top stage (%d maps of %d × %d)\n\n", e->stage[e->stages - 1].maps,
            e->stage[e->stages - 1].height, e->stage[e->stages - 1].width);
    print_scores(to, e, e->stages - 1);
    fputs(
        "The untrained net tells how much of this is the architecture's alone: what training adds "
        "is the difference to it. Single units jump where two places excite them nearly alike, "
        "which lowers R², the ratio and the share followed, and leaves the slopes.\n\n",
        to);
    if (!study->no_plots) fputs("![Change of where against shift](shift.png)\n\n", to);
    if (e->stages > 1) {
        fprintf(to, "## Lowest stage (%d maps of %d × %d)\n\n", e->stage[0].maps,
                e->stage[0].height, e->stage[0].width);
        print_scores(to, e, 0);
    }
    fputs("Each seed and direction: [scores.csv](scores.csv).\n\n", to);
    if (!study->no_plots) {
        fprintf(
            to,
            "## Moved by %d pixels\n\nOne point a unit of the top stage, first seed; the dashed "
            "line is what perfect invariance, or equivariance, would give.\n\n",
            PROBE_MOST);
        for (int net = 0; net < NETS; net++)
            fprintf(to, "![%s](scatter-%s.png)\n\n", net_texts[net], equivariance_nets[net]);
    }
    fputs("## What the top codes carry\n\nRidge regression from the codes of training images to "
          "the centre of mass (on `shapes` the sprite's true centre) and to the class, measured on "
          "held-out images. Position error: root mean square a coordinate.\n\n",
          to);
    print_readouts(to, e);
    fputs("\nEach seed: [readout.csv](readout.csv).\n\nReconstruction error of the translated test "
          "images per pixel: ",
          to);
    for (int net = 0; net < NETS; net += 2) {
        fprintf(to, "%s%s ", net ? ", " : "", net_texts[net]);
        page_summary(to, summarise(e->rec + net * study->seeds, study->seeds));
    }
    fputs(".\n\n", to);
    page_colophon(to, study);
    TRY(page_commit(&page));
fail:
    page_abandon(&page);
    return status;
}

swwae_status equivariance_write(const struct equivariance *e) {
    swwae_status status = SWWAE_OK;
    TRY(write_scores(e));
    TRY(write_readouts(e));
    TRY(write_shifts(e));
    TRY(draw_shifts(e));
    for (int net = 0; net < NETS; net++) {
        TRY(write_points(e, net));
        TRY(draw_points(e, net));
    }
    TRY(write_page(e));
fail:
    return status;
}
