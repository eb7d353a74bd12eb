/* soak.c - trains, interrupts, resumes, reloads and uses models for hours in one process and
 * watches its memory (tools/soak). Public calls only. Usage: soak FOLDER SECONDS
 *
 * Every cycle leaves a row of FOLDER/soak.csv: what the process holds once everything of the cycle
 * is freed. After a tenth of the time as warm-up, what the heap holds, open files and threads may
 * not grow, nor the resident memory by more than a tenth. glibc counts freed pieces that a thread
 * keeps for itself as held: run with GLIBC_TUNABLES=glibc.malloc.tcache_count=0. */
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "swwae.h"
#include "temporary.h"

#define TEST_IMAGES 64

/* Each takes another way through the engine. */
static const char *const variants[][2] = {
    {"labels", "300"}, {"beta", "hard,20"}, {"norm", "batch"},          {"decoder-top", "classes"},
    {"tied", "yes"},   {"dropout", "0.3"},  {"rec-layers", "layerwise"}};
#define VARIANTS (sizeof variants / sizeof *variants)

struct held {
    size_t heap;     /* bytes in use, whether from the heap or mapped */
    size_t resident; /* bytes */
    int files, threads;
};

static _Noreturn void give_up(const char *what) {
    fprintf(stderr, "soak: %s: %s\n", what, swwae_last_error());
    exit(1);
}

static void well(swwae_status status, const char *what) {
    if (status != SWWAE_OK) give_up(what);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int entries(const char *folder) {
    int n = 0;
    DIR *list = opendir(folder);
    while (list && readdir(list)) n++;
    if (list) closedir(list);
    return n;
}

static struct held held_now(void) {
    struct mallinfo2 heap = mallinfo2();
    struct held held = {.heap = heap.uordblks + heap.hblkhd};
    unsigned long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%lu %lu", &pages, &resident) != 2) give_up("/proc/self/statm");
    fclose(file);
    held.resident = resident * (size_t)sysconf(_SC_PAGESIZE);
    held.files = entries("/proc/self/fd") - 3;     /* ".", ".." and the folder itself */
    held.threads = entries("/proc/self/task") - 2; /* "." and ".." */
    return held;
}

/* Interrupts at the second report: the first comes after a step, the next a tenth of a second
 * later, which is long before the last of the steps. */
static int stop_early(const swwae_progress *p, void *user) {
    int *reports = user;
    return strcmp(p->what, "train") == 0 && ++*reports == 2;
}

static swwae_options *options_of(size_t variant, uint64_t seed, const char *out) {
    char number[32];
    swwae_options *options = NULL;
    snprintf(number, sizeof number, "%" PRIu64, seed);
    const char *const set[][2] = {{"data", "shapes"},
                                  {"arch", "(8)5c-2p-(16)3c-4p-10fc"},
                                  {"steps", "400"},
                                  {"batch", "32"},
                                  {"threads", "1"},
                                  {"validation", "200"},
                                  {"seed", number},
                                  {"out", out},
                                  {variants[variant][0], variants[variant][1]}};
    well(swwae_options_create(&options), "options");
    for (size_t i = 0; i < sizeof set / sizeof *set; i++)
        well(swwae_options_set(options, set[i][0], set[i][1]), set[i][0]);
    return options;
}

static void use_model(const char *run, const swwae_dataset *test) {
    swwae_model *model = NULL;
    swwae_evaluation evaluation;
    char path[600], *json = NULL;
    int channels, height, width;
    well(swwae_model_load(&model, run), "load");
    well(swwae_model_set_threads(model, 1), "threads");
    swwae_model_image_size(model, &channels, &height, &width);
    size_t pixels = (size_t)channels * (size_t)height * (size_t)width;
    float *images = malloc(TEST_IMAGES * pixels * sizeof *images);
    float *out = malloc(TEST_IMAGES * pixels * sizeof *out); /* more than the classes take */
    if (!images || !out) give_up("memory");
    for (size_t i = 0; i < TEST_IMAGES; i++)
        well(swwae_dataset_image(test, i, images + i * pixels), "image");
    well(swwae_model_predict(model, images, TEST_IMAGES, out), "predict");
    for (int where = SWWAE_WHERE_OWN; where <= SWWAE_WHERE_OTHER; where++)
        well(swwae_model_reconstruct(model, images, TEST_IMAGES, (swwae_where)where, out),
             "reconstruct");
    well(swwae_evaluate(model, test, NULL, NULL, &evaluation), "evaluate");
    swwae_evaluation_clear(&evaluation);
    snprintf(path, sizeof path, "%s/codes", run);
    well(swwae_encode(model, test, 0, path, NULL, NULL), "encode");
    snprintf(path, sizeof path, "%s/picture.png", run);
    well(swwae_picture_write(path, out, TEST_IMAGES, channels, height, width, 8, 2), "picture");
    well(swwae_model_describe(model, &json), "describe");
    swwae_text_free(json);
    free(images);
    free(out);
    swwae_model_free(model);
}

/* A damaged file must be refused without a loss: the model's first half. */
static void refuse_damaged(const char *run) {
    char from[600], to[600];
    swwae_model *model = NULL;
    snprintf(from, sizeof from, "%s/model.safetensors", run);
    snprintf(to, sizeof to, "%s/damaged.safetensors", run);
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    if (!in || !out || fseek(in, 0, SEEK_END)) give_up(from);
    long half = ftell(in) / 2;
    rewind(in);
    for (long i = 0; i < half; i++) putc(getc(in), out);
    if (fclose(in) || fclose(out)) give_up(to);
    if (swwae_model_load(&model, to) != SWWAE_E_FORMAT) give_up("a damaged model was loaded");
}

static void cycle(size_t variant, uint64_t seed, const char *folder) {
    char run[512];
    swwae_dataset *test = NULL;
    snprintf(run, sizeof run, "%s/run", folder);
    swwae_options *options = options_of(variant, seed, run);
    int reports = 0;
    if (swwae_train(options, stop_early, &reports) != SWWAE_E_INTERRUPTED)
        give_up("a training was not interrupted");
    well(swwae_resume(run, NULL, NULL, NULL), "resume");
    well(swwae_dataset_open(&test, "shapes", SWWAE_SPLIT_TEST, 0), "data");
    use_model(run, test);
    refuse_damaged(run);
    swwae_dataset_free(test);
    swwae_options_free(options);
    temporary_remove_tree(run);
}

static int judge(const struct held *first, const struct held *last) {
    /* a word or two of the C library's own may come late; a leak of 64 bytes a cycle would not hide
     */
    bool good = last->heap <= first->heap + 4096 && last->files <= first->files &&
                last->threads <= first->threads &&
                last->resident <= first->resident + first->resident / 10;
    printf("heap %zu -> %zu bytes, resident %zu -> %zu bytes, files %d -> %d, threads %d -> %d\n",
           first->heap, last->heap, first->resident, last->resident, first->files, last->files,
           first->threads, last->threads);
    puts(good ? "flat" : "NOT flat");
    return good ? 0 : 1;
}

int main(int count, char **argument) {
    if (count != 3) {
        fprintf(stderr, "usage: soak FOLDER SECONDS\n");
        return 2;
    }
    const char *folder = argument[1];
    double limit = strtod(argument[2], NULL), start = now();
    struct held first = {0}, last = {0};
    bool warm = false;
    char path[512];
    snprintf(path, sizeof path, "%s/soak.csv", folder);
    FILE *csv = fopen(path, "w");
    if (!csv) {
        perror(path);
        return 1;
    }
    fputs("cycle,seconds,heap,resident,files,threads\n", csv);
    uint64_t n = 0;
    /* whole rounds, so that first and last are of the same variant; at least one after warm-up */
    for (; n % VARIANTS || !warm || now() - start < limit; n++) {
        if (n && n % VARIANTS == 0 && !warm && now() - start >= limit / 10) {
            warm = true;
            first = last;
        }
        cycle(n % VARIANTS, n + 1, folder);
        last = held_now();
        fprintf(csv, "%" PRIu64 ",%.1f,%zu,%zu,%d,%d\n", n + 1, now() - start, last.heap,
                last.resident, last.files, last.threads);
        fflush(csv);
    }
    if (fclose(csv)) return 1;
    printf("%" PRIu64 " cycles in %.0f s\n", n, now() - start);
    return judge(&first, &last);
}
