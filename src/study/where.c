/* where.c - the study "where": is the where necessary (paper section 4.1)?
 *
 * One stage whose pool grows, X = 2, 4, 8, 16, trained to rebuild images twice: the decoder puts
 * each value back at its switch (unpooling), or copies it to the whole window (upsampling). The
 * larger the window, the more only the where can tell. The paper shows pictures (figure 2); here
 * the error on test images is measured as well, over several seeds. */
#include "study/study.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "study/plot.h"
#include "study/table.h"
#include "train/options.h"

#define POOLS 4
#define UNPOOLS 2
#define QUICK_TRAIN 4000
#define QUICK_TEST 1000
#define COLUMNS 10 /* images in the picture */
#define ZOOM 2

static const int pools[POOLS] = {2, 4, 8, 16};
static const char *const unpools[UNPOOLS] = {"switches", "upsample"};
static const char *const unpool_names[UNPOOLS] = {"unpooling", "upsampling"};

struct where {
    struct study *study;
    swwae_dataset *test;
    double *rec;     /* (POOLS, UNPOOLS, seeds): test error */
    double *psnr;    /* the same shape, dB */
    double *seconds; /* the same shape */
};

static size_t at(const struct where *where, int pool, int unpool, int seed) {
    return ((size_t)pool * UNPOOLS + (size_t)unpool) * (size_t)where->study->seeds + (size_t)seed;
}

static void run_name(char name[64], int pool, int unpool, uint64_t seed) {
    snprintf(name, 64, "x%d-%s-seed%llu", pools[pool], unpools[unpool], (unsigned long long)seed);
}

/* ---- Trainings -------------------------------------------------------------------------- */

/* The architecture with its last pool made `pool`: "(16)5c-(32)3c-2p" becomes "...-8p". */
static swwae_status with_pool(char *text, size_t size, const char *arch, int pool) {
    const char *end = strrchr(arch, 'p'), *begin = end;
    if (!end) return status_set(SWWAE_E_INTERNAL, "%.200s has no pool", arch);
    while (begin > arch && begin[-1] >= '0' && begin[-1] <= '9') begin--;
    snprintf(text, size, "%.*s%d%s", (int)(begin - arch), arch, pool, end);
    return SWWAE_OK;
}

static swwae_status train_one(struct where *where, int pool, int unpool, int s) {
    swwae_status status = SWWAE_OK;
    struct study *study = where->study;
    swwae_options *options = NULL;
    struct training_result result;
    char name[64], arch[NOTATION_TEXT + 8], seed[32];
    run_name(name, pool, unpool, study->seed + (uint64_t)s);
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)study->seed + (unsigned long long)s);
    TRY(options_copy(&options, study->options));
    TRY(with_pool(arch, sizeof arch, swwae_options_get(options, "arch"), pools[pool]));
    TRY(swwae_options_set(options, "arch", arch));
    TRY(swwae_options_set(options, "unpool", unpools[unpool]));
    TRY(swwae_options_set(options, "seed", seed));
    TRY(study_train(study, name, options, where->test, &result));
    where->rec[at(where, pool, unpool, s)] = result.rec;
    where->psnr[at(where, pool, unpool, s)] = -10 * log10(result.rec);
    where->seconds[at(where, pool, unpool, s)] = result.seconds;
fail:
    swwae_options_free(options);
    return status;
}

/* Seed by seed, so that a study that is stopped has compared all it could. */
static swwae_status train_all(struct where *where) {
    swwae_status status = SWWAE_OK;
    struct study *study = where->study;
    study->trainings = POOLS * UNPOOLS * study->seeds;
    for (int s = 0; s < study->seeds; s++)
        for (int p = 0; p < POOLS; p++)
            for (int u = 0; u < UNPOOLS; u++) TRY(train_one(where, p, u, s));
fail:
    return status;
}

/* ---- Tables ----------------------------------------------------------------------------- */

static struct summary rec_of(const struct where *where, int pool, int unpool) {
    return summarise(where->rec + at(where, pool, unpool, 0), where->study->seeds);
}

static swwae_status write_results(const struct where *where) {
    swwae_status status = SWWAE_OK;
    struct page page = {0}, means = {0};
    const struct study *study = where->study;
    TRY(page_begin(&page, study, "results.csv"));
    TRY(page_begin(&means, study, "summary.csv"));
    fputs("X,unpool,seed,test_rec,psnr_db,seconds\n", page.to);
    fputs("X,switches_rec,switches_std,upsample_rec,upsample_std\n", means.to);
    for (int p = 0; p < POOLS; p++) {
        for (int u = 0; u < UNPOOLS; u++)
            for (int s = 0; s < study->seeds; s++) {
                const size_t i = at(where, p, u, s);
                fprintf(page.to, "%d,%s,%llu,", pools[p], unpools[u],
                        (unsigned long long)study->seed + (unsigned long long)s);
                page_row(page.to, (double[]){where->rec[i], where->psnr[i], where->seconds[i]}, 3);
            }
        const struct summary own = rec_of(where, p, 0), none = rec_of(where, p, 1);
        page_row(means.to, (double[]){pools[p], own.mean, own.std, none.mean, none.std}, 5);
    }
    TRY(page_commit(&page));
    TRY(page_commit(&means));
fail:
    page_abandon(&page);
    page_abandon(&means);
    return status;
}

/* One block of curve.dat, the mean over seeds, and its lines of curve.csv. */
static swwae_status write_curve(FILE *csv, FILE *dat, const struct where *where, int pool,
                                int unpool) {
    swwae_status status = SWWAE_OK;
    const struct study *study = where->study;
    const int seeds = study->seeds;
    struct table *tables = calloc((size_t)seeds, sizeof *tables);
    double *values = calloc((size_t)seeds, sizeof *values);
    CHECK(tables && values, SWWAE_E_MEMORY, "no memory for the curves of %d runs", seeds);
    size_t rows = 0;
    for (int s = 0; s < seeds; s++) {
        char name[64], path[STUDY_PATH];
        const uint64_t seed = study->seed + (uint64_t)s;
        run_name(name, pool, unpool, seed);
        TRY(training_path(path, study, name, "metrics.csv"));
        TRY(table_read(&tables[s], path));
        for (size_t r = 0; r < tables[s].rows; r++) {
            fprintf(csv, "%d,%s,%llu,", pools[pool], unpools[unpool], (unsigned long long)seed);
            page_row(csv,
                     (double[]){table_cell(&tables[s], (long)r, "epoch"),
                                table_cell(&tables[s], (long)r, "validation_rec")},
                     2);
        }
        if (tables[s].rows > rows) rows = tables[s].rows;
    }
    fprintf(dat, "# X = %d, %s: epoch, mean and standard deviation of the validation error\n",
            pools[pool], unpool_names[unpool]);
    for (size_t r = 0; r < rows; r++) {
        for (int s = 0; s < seeds; s++)
            values[s] = table_cell(&tables[s], (long)r, "validation_rec");
        const struct summary mean = summarise(values, seeds);
        if (!mean.count) continue;
        page_number(dat, table_cell(&tables[0], (long)r, "epoch"));
        fputc(' ', dat);
        page_number(dat, mean.mean);
        fputc(' ', dat);
        page_number(dat, mean.std);
        fputc('\n', dat);
    }
    fputs("\n\n", dat);
fail:
    for (int s = 0; tables && s < seeds; s++) table_free(&tables[s]);
    free(tables);
    free(values);
    return status;
}

static swwae_status write_curves(const struct where *where) {
    swwae_status status = SWWAE_OK;
    struct page csv = {0}, dat = {0};
    TRY(page_begin(&csv, where->study, "curve.csv"));
    TRY(page_begin(&dat, where->study, "curve.dat"));
    fputs("X,unpool,seed,epoch,validation_rec\n", csv.to);
    for (int u = 0; u < UNPOOLS; u++)
        for (int p = 0; p < POOLS; p++) TRY(write_curve(csv.to, dat.to, where, p, u));
    TRY(page_commit(&csv));
    TRY(page_commit(&dat));
fail:
    page_abandon(&csv);
    page_abandon(&dat);
    return status;
}

/* ---- Pictures --------------------------------------------------------------------------- */

/* Indices of the pictures' images: the first of each class, or the first ones. */
static int choose_images(size_t index[COLUMNS], const swwae_dataset *test) {
    const size_t images = swwae_dataset_count(test);
    const int classes = swwae_dataset_classes(test);
    int count = 0;
    for (int k = 0; k < classes && count < COLUMNS; k++)
        for (size_t i = 0; i < images; i++)
            if (swwae_dataset_label(test, i) == k) {
                index[count++] = i;
                break;
            }
    for (size_t i = 0; count < COLUMNS && i < images && classes < 2; i++) index[count++] = i;
    return count;
}

/* where.png: the originals, then a row for each X and unpooling, as in the paper's figure 2; the
 * models are those of the first seed. */
static swwae_status draw_images(const struct where *where, bool *drawn) {
    swwae_status status = SWWAE_OK;
    swwae_model *model = NULL;
    size_t index[COLUMNS];
    int channels, height, width;
    char path[STUDY_PATH];
    const int count = choose_images(index, where->test);
    swwae_dataset_image_size(where->test, &channels, &height, &width);
    const size_t pixels = (size_t)channels * (size_t)height * (size_t)width;
    const size_t row = (size_t)count * pixels;
    float *images = calloc((1 + POOLS * UNPOOLS) * row + 1, sizeof *images);
    CHECK(images, SWWAE_E_MEMORY, "no memory for %d images", (1 + POOLS * UNPOOLS) * count);
    *drawn = channels == 1 || channels == 3;
    if (!*drawn) goto fail; /* no picture has that many */
    for (int i = 0; i < count; i++)
        TRY(swwae_dataset_image(where->test, index[i], images + (size_t)i * pixels));
    for (int p = 0; p < POOLS; p++)
        for (int u = 0; u < UNPOOLS; u++) {
            char name[64];
            run_name(name, p, u, where->study->seed);
            TRY(study_load(&model, where->study, name));
            TRY(swwae_model_reconstruct(model, images, (size_t)count, SWWAE_WHERE_OWN,
                                        images + (size_t)(1 + p * UNPOOLS + u) * row));
            swwae_model_free(model);
            model = NULL;
        }
    TRY(study_path(path, where->study, "where.png"));
    TRY(swwae_picture_write(path, images, (size_t)(1 + POOLS * UNPOOLS) * (size_t)count, channels,
                            height, width, count, ZOOM));
fail:
    swwae_model_free(model);
    free(images);
    return status;
}

/* The same with its rows named. */
static swwae_status draw_named(const struct where *where) {
    char text[2048];
    size_t index[COLUMNS];
    int channels, height, width;
    const int rows = 1 + POOLS * UNPOOLS, columns = choose_images(index, where->test);
    swwae_dataset_image_size(where->test, &channels, &height, &width);
    /* the picture's pixels, with the lines between its cells */
    const int across = columns * (width * ZOOM + 2) - 2, down = rows * (height * ZOOM + 2) - 2;
    size_t used = (size_t)snprintf(text, sizeof text,
                                   "unset key; unset border; unset xtics; unset colorbox\n"
                                   "set lmargin 22; set rmargin 2; set bmargin 1; set tmargin 3\n"
                                   "set title 'Test images rebuilt with and without the where'\n"
                                   "set ytics scale 0 ('original' %.1f",
                                   down * (1 - 0.5 / rows));
    for (int r = 1; r < rows; r++)
        used += (size_t)snprintf(text + used, sizeof text - used, ", 'X = %d, %s' %.1f",
                                 pools[(r - 1) / UNPOOLS], unpool_names[(r - 1) % UNPOOLS],
                                 down * (1 - (r + 0.5) / rows));
    snprintf(text + used, sizeof text - used,
             ")\nset size ratio -1\nset xrange [0:%d]; set yrange [0:%d]\n"
             "plot 'where.png' binary filetype=png with rgbimage\n",
             across, down);
    return plot_draw(where->study, "where-named", text, across + 200, down + 60);
}

static swwae_status draw_plots(const struct where *where) {
    swwae_status status = SWWAE_OK;
    char body[4096];
    size_t used = (size_t)snprintf(body, sizeof body,
                                   "set title 'Validation error while training'\n"
                                   "set xlabel 'epoch'\n"
                                   "set ylabel 'mean squared error per pixel'\n"
                                   "set logscale y; set format y '10^{%%T}'\n"
                                   "set mytics 10\n"
                                   "set xtics nomirror; set ytics nomirror; set border 3\n"
                                   "set grid ytics lt 1 lw 0.5 lc rgb '#cccccc'\n"
                                   "set key outside right center\n"
                                   "plot ");
    for (int i = 0; i < POOLS * UNPOOLS; i++)
        used += (size_t)snprintf(
            body + used, sizeof body - used,
            "%s'curve.dat' index %d using 1:2 with linespoints lw 2 pt %d ps 0.7 dt %d lc rgb '%s' "
            "title 'X = %d, %s'",
            i ? ", \\\n  " : "", i, i / POOLS ? 6 : 7, i / POOLS ? 2 : 1, plot_colour(i % POOLS),
            pools[i % POOLS], unpool_names[i / POOLS]);
    snprintf(body + used, sizeof body - used, "\n");
    TRY(plot_draw(where->study, "curve", body, 900, 480));
    snprintf(
        body, sizeof body,
        "set datafile separator ','\n"
        "set title 'Reconstruction of test images with and without the where'\n"
        "set xlabel 'X, side of the pooling window in pixels'\n"
        "set ylabel 'mean squared error per pixel'\n"
        "set style data histograms\n"
        "set style histogram errorbars gap 1 lw 1.5\n"
        "set xrange [-0.6:3.6]\n"
        "set style fill solid 0.85 border lt -1\n"
        "set boxwidth 0.9\n"
        "set grid ytics lt 1 lw 0.5 lc rgb '#cccccc'\n"
        "set yrange [0:*]\n"
        "set xtics scale 0; set ytics nomirror; set border 3\n"
        "set key top left\n"
        "plot 'summary.csv' using 2:3:xtic(1) skip 1 lc rgb '%s' title 'unpooling (switches)', "
        "\\\n  '' using 4:5 skip 1 lc rgb '%s' title 'upsampling'\n",
        plot_colour(0), plot_colour(1));
    TRY(plot_draw(where->study, "bars", body, 720, 480));
fail:
    return status;
}

/* ---- The page --------------------------------------------------------------------------- */

static void print_table(FILE *to, const struct where *where) {
    fputs("| X | unpooling | upsampling | upsampling / unpooling | unpooling, dB | upsampling, dB "
          "|\n|---|---|---|---|---|---|\n",
          to);
    for (int p = 0; p < POOLS; p++) {
        const struct summary own = rec_of(where, p, 0), none = rec_of(where, p, 1);
        fprintf(to, "| %d | ", pools[p]);
        page_summary(to, own);
        fputs(" | ", to);
        page_summary(to, none);
        fputs(" | ", to);
        page_summary(to, (struct summary){.mean = none.mean / own.mean, .count = 1});
        for (int u = 0; u < UNPOOLS; u++) {
            fputs(" | ", to);
            page_summary(to, summarise(where->psnr + at(where, p, u, 0), where->study->seeds));
        }
        fputs(" |\n", to);
    }
}

static swwae_status write_page(const struct where *where, bool pictures) {
    swwae_status status = SWWAE_OK;
    struct page page = {0};
    const struct study *study = where->study;
    const swwae_options *o = study->options;
    TRY(page_begin(&page, study, "study.md"));
    fputs(
        "# Is the where necessary?\n\n"
        "After the paper's section 4.1 (arXiv 1506.02351): the same auto-encoder is trained with "
        "a decoder that puts each value back at its switch (*unpooling*) and with one that copies "
        "it to every cell of the pooling window (*upsampling*), for pools of X × X.\n\n",
        page.to);
    fprintf(page.to, "- Network: `%s` with the last pool made X = 2, 4, 8, 16.\n- Data: ",
            swwae_options_get(o, "arch"));
    page_name(page.to, study->data);
    fprintf(page.to,
            "%s.\n- Training: %s %s, labels: %s, batches of %s, %s, learning rate %s (%s).\n"
            "- %d seed%s (%llu to %llu); both decoders of a seed see the same batches and begin "
            "with the same weights.\n- Measured on %zu test images with the model that was best on "
            "the validation images: mean squared error per pixel (values 0 to 1), and the same as "
            "PSNR = -10 log10(error).\n\n",
            study->quick ? ", first images only (quick)" : "",
            o->settings.steps ? "steps" : "epochs",
            swwae_options_get(o, o->settings.steps ? "steps" : "epochs"),
            swwae_options_get(o, "labels"), swwae_options_get(o, "batch"),
            swwae_options_get(o, "optimizer"), swwae_options_get(o, "lr"),
            swwae_options_get(o, "schedule"), study->seeds, study->seeds > 1 ? "s" : "",
            (unsigned long long)study->seed,
            (unsigned long long)study->seed + (unsigned long long)study->seeds - 1,
            swwae_dataset_count(where->test));
    fputs("## Test error\n\n", page.to);
    if (study->seeds > 1) fputs("Mean ± standard deviation over the seeds.\n\n", page.to);
    print_table(page.to, where);
    fputs("\nEach training: [results.csv](results.csv).\n\n", page.to);
    if (!study->no_plots)
        fputs("![Error against X](bars.png)\n\n![Error while training](curve.png)\n\n", page.to);
    if (pictures)
        fprintf(page.to,
                "## Pictures\n\n![Reconstructions](%s)\n\nRows of [where.png](where.png) from the "
                "top: the original; then for X = 2, 4, 8, 16 what unpooling rebuilds and below it "
                "what upsampling does. First seed, first test image of each class.\n\n",
                study->no_plots ? "where.png" : "where-named.png");
    page_colophon(page.to, study);
    TRY(page_commit(&page));
fail:
    page_abandon(&page);
    return status;
}

static swwae_status tell(struct where *where) {
    swwae_status status = SWWAE_OK;
    for (int p = 0; p < POOLS; p++) {
        const struct summary own = rec_of(where, p, 0), none = rec_of(where, p, 1);
        TRY(study_say(where->study,
                      "X = %d: test error per pixel %.4g with the where, %.4g without (%.1f times)",
                      pools[p], own.mean, none.mean, none.mean / own.mean));
    }
fail:
    return status;
}

static swwae_status run(struct study *study) {
    swwae_status status = SWWAE_OK;
    struct where where = {.study = study};
    bool pictures = false;
    const size_t cells = (size_t)POOLS * UNPOOLS * (size_t)study->seeds;
    CHECK(where.rec = calloc(3 * cells, sizeof *where.rec), SWWAE_E_MEMORY,
          "no memory for %zu results", cells);
    where.psnr = where.rec + cells;
    where.seconds = where.psnr + cells;
    if (study->quick) TRY(study_derive_data(study, QUICK_TRAIN, QUICK_TEST, 0));
    TRY(study_open_data(&where.test, study, SWWAE_SPLIT_TEST));
    TRY(train_all(&where));
    TRY(write_results(&where));
    TRY(write_curves(&where));
    TRY(draw_images(&where, &pictures));
    TRY(draw_plots(&where));
    if (pictures) TRY(draw_named(&where));
    TRY(write_page(&where, pictures));
    TRY(tell(&where));
fail:
    swwae_dataset_free(where.test);
    free(where.rec);
    return status;
}

static const struct study_value values[] = {{"arch", "(16)5c-(32)3c-2p", NULL},
                                            {"labels", "none", NULL},
                                            {"epochs", "5", "4"},
                                            {NULL, NULL, NULL}};
static const char *const fixed[] = {"unpool", NULL};

const struct study_kind study_where = {
    .info = {.name = "where",
             .help = "what the where is worth: unpooling against upsampling (paper section 4.1)",
             .about =
                 "Trains an auto-encoder whose pool has the side 2, 4, 8 and 16, each with a "
                 "decoder that puts values back at their switches (unpooling) and with one that "
                 "copies them to the whole window (upsampling), and measures how well test images "
                 "are rebuilt. Its own options: --arch '(16)5c-(32)3c-2p' (the last pool takes "
                 "each side), --labels none, --epochs 5, --seeds 5; with --quick 4,000 training "
                 "images, --epochs 4 and --seeds 2."},
    .seeds = 5,
    .quick_seeds = 2,
    .values = values,
    .fixed = fixed,
    .run = run};
