/* bench_steps.c - whole training steps and forward passes against PyTorch, side by side.
 *
 *   bench_steps [--reps N] [--nets N1,N2,N3,P,C,S] [--threads N] [--csv FILE]
 *
 * Each PyTorch runs in a process of its own (peer.h), which waits at a pipe while another side is
 * timed: A B C A B C in one run, so that all meet the same machine. A row's ratio is against the
 * peer that is fastest there: the ratio of the medians, and the extremes of the repetitions' own
 * ratios. All sides start from the same parameters, images and labels, and their first losses are
 * compared.
 *
 * Environment: SWWAE_ISA picks our kernels, SWWAE_SPARSE=0 their dense ones, SWWAE_PYTHON the
 * interpreters (/usr/bin/python3; a list: see peers_find in peer.h). */
#include "../tests/golden/generator.h"
#include "base/cpu.h"
#include "engine/engine.h"
#include "peer.h"
#include "train/optimizer.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MOST_BATCH 128
#define WARM_UPS 2
#define MOST_REPS 1001
#define LR 1e-3
#define IMAGE_OFFSET 10000000u /* of peer_torch.py too */
#define AGREE 1e-4             /* of first losses, relative */

enum mode { SUPERVISED, UNSUPERVISED, SEMI };
static const char *const mode_names[] = {"supervised", "unsupervised", "semi"};

#define MNIST_NET "(64)5c-2p-(64)3c-2p-(64)3c-2p-10fc"
#define CIFAR_NET                                                                       \
    "(128)3c-(256)3c-2p-(256)3c-(512)3c-2p-(512)3c-(512)3c-2p-(512)3c-(512)3c-2p-128fc" \
    "-10fc"
#define STL_NET                                                                               \
    "(64)3c-4p-(64)3c-3p-(128)3c-(128)3c-2p-(256)3c-(256)3c-(256)3c-(512)3c-(512)3c-(512)3c-" \
    "2p-10fc"

static const struct bench {
    const char *name, *arch;
    int channels, side;
    enum mode mode;
    bool norm; /* batch normalisation after every convolution */
    int batch, reps;
} benches[] = {
    {"N1", "(16)5c-(32)3c-7p", 1, 28, UNSUPERVISED, false, 128, 21},
    {"N2", "(64)5c-2p-(64)3c-2p-(128)3c-2p-10fc", 1, 32, SEMI, false, 128, 11},
    {"N3", "(128)5c-2p-(128)3c-2p-(256)3c-(256)3c-2p-10fc", 3, 32, SEMI, false, 128, 7},
    {"P", MNIST_NET, 1, 32, SEMI, false, 128, 15}, /* the paper's nets: MNIST */
    {"P", MNIST_NET, 1, 32, SUPERVISED, false, 128, 21},
    {"C", CIFAR_NET, 3, 32, SEMI, false, 16, 5}, /* CIFAR */
    {"C", CIFAR_NET, 3, 32, SEMI, true, 16, 5},
    {"S", STL_NET, 3, 96, SEMI, false, 16, 11}, /* STL-10 */
    {"S", STL_NET, 3, 96, SEMI, true, 16, 11},
};
#define BENCHES (sizeof benches / sizeof *benches)
#define ALL_NETS "N1,N2,N3,P,C,S"

static _Noreturn void die(const char *sentence) {
    fprintf(stderr, "bench_steps: %s\n", sentence);
    exit(1);
}

static void *take(size_t count, size_t size) {
    void *memory = calloc(count, size);
    if (!memory) die("not enough memory");
    return memory;
}

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

/* After a parallel region both sides' idle threads spin for a few milliseconds; the other must not
 * start beside them. */
static void settle(void) {
    const struct timespec t = {.tv_nsec = 20 * 1000 * 1000};
    nanosleep(&t, NULL);
}

/* ---- our side ---- */

enum pass { TRAIN, FORWARD };
static const char *const pass_names[] = {"train", "forward"};

struct ours {
    struct network network;
    struct engine *training, *inference;
    struct optimizer adam;
    float *parameters, *gradient, *images, *logits, *reconstruction;
    int32_t labels[MOST_BATCH];
    struct losses losses;
    enum mode mode;
    int batch, threads;
};

/* The weights of `Net` in peer_torch.py. */
static struct objective objective_of(enum mode mode, int stages) {
    struct objective o = {.nll = mode != UNSUPERVISED, .reduction = REDUCTION_SUM};
    if (mode == SUPERVISED) return o;
    o.rec = 1;
    for (int s = 0; s + 1 < stages; s++) o.m[s] = 0.1;
    return o;
}

static void ours_create(struct ours *o, const struct bench *bench, int threads, enum cpu_isa isa) {
    memset(o, 0, sizeof *o);
    o->mode = bench->mode;
    o->batch = bench->batch;
    o->threads = threads;
    const struct variant variant = {.norm = bench->norm};
    if (network_build(&o->network, bench->arch, bench->channels, bench->side, bench->side,
                      &variant))
        die(swwae_last_error());
    const struct objective objective = objective_of(bench->mode, o->network.stages);
    const struct settings settings = {.optimizer = OPTIMIZER_ADAM};
    struct engine_options options = {.objective = &objective,
                                     .batch = bench->batch,
                                     .threads = threads,
                                     .isa = (int)isa,
                                     .dense = !cpu_sparse(),
                                     .direct = !cpu_winograd()};
    if (engine_create(&o->training, &o->network, &options)) die(swwae_last_error());
    options.objective = NULL;
    if (engine_create(&o->inference, &o->network, &options)) die(swwae_last_error());
    if (optimizer_create(&o->adam, &o->network, &settings)) die(swwae_last_error());
    const size_t pixels =
        (size_t)bench->batch * (size_t)bench->channels * (size_t)bench->side * (size_t)bench->side;
    const int classes = bench->mode == UNSUPERVISED ? 0 : o->network.classes;
    o->parameters = take(o->network.parameters, sizeof(float));
    o->gradient = take(o->network.parameters, sizeof(float));
    o->images = take(pixels, sizeof(float));
    if (classes) o->logits = take((size_t)bench->batch * (size_t)classes, sizeof(float));
    if (bench->mode != SUPERVISED) o->reconstruction = take(pixels, sizeof(float));
    generate_parameters(o->parameters, &o->network);
    for (size_t i = 0; i < pixels; i++) o->images[i] = (float)hashed(i, IMAGE_OFFSET);
    const int labelled = bench->mode == SUPERVISED ? bench->batch
                         : bench->mode == SEMI     ? bench->batch / 2
                                                   : 0;
    for (int i = 0; i < bench->batch; i++) o->labels[i] = i < labelled ? i % classes : -1;
}

static void ours_free(struct ours *o) {
    engine_free(o->training);
    engine_free(o->inference);
    optimizer_free(&o->adam);
    network_clear(&o->network);
    free(o->parameters);
    free(o->gradient);
    free(o->images);
    free(o->logits);
    free(o->reconstruction);
}

static double ours_train(struct ours *o) {
    const struct batch batch = {.images = o->images, .labels = o->labels, .n = o->batch};
    const double begin = now_ms();
    if (engine_step(o->training, &o->losses, o->gradient, o->parameters, &batch))
        die(swwae_last_error());
    optimizer_step(&o->adam, o->parameters, o->gradient, LR, engine_pool(o->training));
    return now_ms() - begin;
}

static double ours_forward(struct ours *o) {
    const struct forward forward = {.logits = o->logits, .reconstruction = o->reconstruction};
    const double begin = now_ms();
    if (engine_forward(o->inference, &forward, o->parameters, o->images, o->batch))
        die(swwae_last_error());
    return now_ms() - begin;
}

/* MiB of the training engine, and of parameters, gradient and Adam's two moments. */
static double ours_memory(const struct ours *o) {
    return ((double)engine_memory(o->training) +
            4.0 * sizeof(float) * (double)o->network.parameters) /
           (1 << 20);
}

/* Multiply-adds x 2 of a batch, as a dense implementation does them: forward, then twice that for
 * the gradients, less the gradient of the image, which nobody wants. */
static void flops(double flop[2], const struct ours *o) {
    const struct network *n = &o->network;
    const struct conv_layer *first = &n->stage[0].encoder[0];
    double sum = network_flops_encoder(n);
    if (o->mode == UNSUPERVISED)
        for (int j = 0; j < n->fcs; j++) sum -= 2.0 * n->fc[j].in * n->fc[j].out;
    if (o->mode != SUPERVISED) sum += network_flops_decoder(n);
    const double image =
        2.0 * first->in * first->out * first->kernel * first->kernel * first->height * first->width;
    flop[FORWARD] = o->batch * sum;
    flop[TRAIN] = o->batch * (3 * sum - image);
}

/* ---- the comparison ---- */

struct setting {
    char cpu[128];
    enum cpu_isa isa;
    int threads, reps; /* reps 0: each net's own */
    struct peer peers[PEERS];
    int peer_count;
    FILE *csv;
};

#define SIDES (1 + PEERS) /* ours, then the peers */

/* MB of one net: ours; a peer's peak, and its peak less what PyTorch took before the net. */
struct memory {
    const struct bench *bench;
    double ours, peak[PEERS], net[PEERS];
};

static void cpu_read(char cpu[128]) {
    snprintf(cpu, 128, "unknown processor");
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[256];
    while (file && fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon || !colon[1]) continue;
        line[strcspn(line, "\n")] = 0;
        snprintf(cpu, 128, "%.120s", colon + 2);
        break;
    }
    if (file) fclose(file);
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *values, int count) {
    double sorted[MOST_REPS];
    memcpy(sorted, values, (size_t)count * sizeof *sorted);
    qsort(sorted, (size_t)count, sizeof *sorted, ascending);
    return count % 2 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

static int width_of(const struct peer *peer) {
    const int width = (int)strlen(peer->name) + 1;
    return width > 9 ? width : 9;
}

static void print_head(const struct setting *s) {
    printf("%-4s %-13s %-8s %9s", "net", "mode", "pass", "ours ms");
    for (int p = 0; p < s->peer_count; p++)
        printf(" %*s", width_of(&s->peers[p]), s->peers[p].name);
    printf(" %7s %14s %8s %9s\n", "ratio", "(min..max)", "GFLOP/s", "fastest's");
}

static const char *mode_text(const struct bench *bench, char text[32]) {
    snprintf(text, 32, "%s%s", mode_names[bench->mode], bench->norm ? "+norm" : "");
    return text;
}

/* One row of the table; and of each peer, one of the CSV file. */
static void report(const struct bench *bench, enum pass pass, double *const times[SIDES], int reps,
                   double flop, const struct memory *memory, const struct setting *s) {
    double middle[SIDES], low[SIDES], high[SIDES];
    char mode[32];
    int best = 0; /* the fastest peer; 0: none */
    for (int side = 0; side <= s->peer_count; side++) {
        middle[side] = median(times[side], reps);
        low[side] = INFINITY, high[side] = 0;
        for (int r = 0; r < reps; r++) {
            low[side] = fmin(low[side], times[side][r] / times[0][r]);
            high[side] = fmax(high[side], times[side][r] / times[0][r]);
        }
        if (side && (!best || middle[side] < middle[best])) best = side;
    }
    printf("%-4s %-13s %-8s %9.2f", bench->name, mode_text(bench, mode), pass_names[pass],
           middle[0]);
    for (int side = 1; side <= s->peer_count; side++)
        printf(" %*.2f%c", width_of(&s->peers[side - 1]) - 1, middle[side],
               side == best ? '*' : ' ');
    if (best)
        printf(" %7.2f (%5.2f..%5.2f) %8.0f %9.0f\n", middle[best] / middle[0], low[best],
               high[best], flop / middle[0] / 1e6, flop / middle[best] / 1e6);
    else
        printf(" %7s %14s %8.0f %9s\n", "-", "-", flop / middle[0] / 1e6, "-");
    fflush(stdout);
    for (int side = 0; s->csv && side <= s->peer_count; side++)
        fprintf(s->csv, "%s,%s,%d,%s,%d,%d,%d,%s,\"%s\",%s,%.4f,%.4f,%.4f,%.4f,%.4f,%.1f,%.1f\n",
                bench->name, mode_names[bench->mode], bench->norm, pass_names[pass], bench->batch,
                reps, s->threads, cpu_isa_name(s->isa), s->cpu,
                side ? s->peers[side - 1].name : "swwae", middle[side], middle[side] / middle[0],
                low[side], high[side], flop / 1e9, side ? memory->net[side - 1] : memory->ours,
                side ? memory->peak[side - 1] : NAN);
    if (s->csv) fflush(s->csv);
}

static void print_memory(const struct memory *memory, int count, const struct setting *s) {
    char mode[32];
    printf("\nMB (2^20 bytes) of a training step. ours: the arrays of our engine and of Adam. A "
           "peer's first: its peak resident\n"
           "set less what was resident before the net was built (PyTorch itself); its second: the "
           "peak resident set whole.\n"
           "A peer's numbers cover forward passes too, and where it is compiled the compiling.\n");
    printf("%-4s %-13s %9s", "net", "mode", "ours");
    for (int p = 0; p < s->peer_count; p++) printf(" %17s", s->peers[p].name);
    printf("\n");
    for (int i = 0; i < count; i++) {
        printf("%-4s %-13s %9.1f", memory[i].bench->name, mode_text(memory[i].bench, mode),
               memory[i].ours);
        for (int p = 0; p < s->peer_count; p++)
            printf(" %8.0f %8.0f", memory[i].net[p], memory[i].peak[p]);
        printf("\n");
    }
}

static void compare_losses(const struct bench *bench, const struct ours *ours, struct peer *peers,
                           int count) {
    for (int p = 0; p < count; p++) {
        char mode[32];
        const double loss = peer_number(&peers[p], "loss");
        if (!(fabs(loss - ours->losses.total) <= AGREE * fabs(loss)))
            printf("%s %s: the first losses differ, ours %.7g, that of PyTorch %s %.7g: not the "
                   "same work\n",
                   bench->name, mode_text(bench, mode), ours->losses.total, peers[p].name, loss);
    }
}

static void run(struct memory *memory, const struct bench *bench, struct setting *s) {
    struct ours ours;
    char text[512], reply[PEER_REPLY];
    const int reps = s->reps ? s->reps : bench->reps;
    snprintf(text, sizeof text, "net %s %d %d %d %d %s %d", bench->arch, bench->channels,
             bench->side, bench->side, bench->batch, mode_names[bench->mode], bench->norm);
    for (int p = 0; p < s->peer_count; p++) {
        peer_start(&s->peers[p], s->threads);
        if (!peer_ask(&s->peers[p], reply, text)) die(reply);
    }
    ours_create(&ours, bench, s->threads, s->isa);
    double *memory_of_times = take(2 * SIDES * (size_t)reps, sizeof(double)), *times[2][SIDES];
    for (size_t i = 0; i < (size_t)2 * SIDES; i++)
        times[i / SIDES][i % SIDES] = memory_of_times + i * (size_t)reps;
    for (int r = -WARM_UPS; r < reps; r++) {
        const int at = r < 0 ? 0 : r; /* a warm-up's times are written over */
        for (enum pass pass = TRAIN; pass <= FORWARD; pass++) {
            times[pass][0][at] = pass == TRAIN ? ours_train(&ours) : ours_forward(&ours);
            settle();
            for (int p = 0; p < s->peer_count; p++) {
                times[pass][p + 1][at] = peer_number(&s->peers[p], pass_names[pass]);
                settle();
            }
            if (r == -WARM_UPS && pass == TRAIN)
                compare_losses(bench, &ours, s->peers, s->peer_count);
        }
    }
    double flop[2];
    flops(flop, &ours);
    *memory = (struct memory){.bench = bench, .ours = ours_memory(&ours)};
    for (int p = 0; p < s->peer_count; p++) {
        double mb[2];
        peer_numbers(&s->peers[p], mb, 2, "memory");
        memory->peak[p] = mb[0], memory->net[p] = mb[1];
        peer_stop(&s->peers[p]);
    }
    report(bench, TRAIN, times[TRAIN], reps, flop[TRAIN], memory, s);
    report(bench, FORWARD, times[FORWARD], reps, flop[FORWARD], memory, s);
    ours_free(&ours);
    free(memory_of_times);
}

/* ---- the command ---- */

static _Noreturn void usage(FILE *to) {
    fputs("usage: bench_steps [--reps N] [--nets " ALL_NETS "] [--threads N] [--csv FILE]\n"
          "  --reps N      timed repetitions after 2 warm-ups, 1 to 1001 (5 to 21, by net)\n"
          "  --nets LIST   which networks (all)\n"
          "  --threads N   of all sides, 1 to 256 (2)\n"
          "  --csv FILE    the same numbers as comma-separated values\n"
          "SWWAE_PYTHON: the peers' interpreters, separated by colons; \"compile:\" before one\n"
          "asks for torch.compile (/usr/bin/python3).\n",
          to);
    exit(to == stdout ? 0 : 2);
}

static bool listed(const char *list, const char *name) {
    const size_t length = strlen(name);
    for (; list; list = strchr(list, ',') ? strchr(list, ',') + 1 : NULL)
        if (strncmp(list, name, length) == 0 && (list[length] == ',' || !list[length])) return true;
    return false;
}

static int number(const char *text, int most) {
    char *end;
    const long n = strtol(text, &end, 10);
    if (end == text || *end || n < 1 || n > most) usage(stderr);
    return (int)n;
}

int main(int argc, char **argv) {
    static struct setting s = {.threads = 2};
    const char *nets = ALL_NETS, *csv_path = NULL, *complaint, *pythons = getenv("SWWAE_PYTHON");
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) usage(stdout);
        if (i + 1 == argc) usage(stderr);
        if (strcmp(argv[i], "--reps") == 0)
            s.reps = number(argv[++i], MOST_REPS);
        else if (strcmp(argv[i], "--nets") == 0)
            nets = argv[++i];
        else if (strcmp(argv[i], "--threads") == 0)
            s.threads = number(argv[++i], 256);
        else if (strcmp(argv[i], "--csv") == 0)
            csv_path = argv[++i];
        else
            usage(stderr);
    }
    s.isa = cpu_choose(&complaint);
    if (complaint) fprintf(stderr, "bench_steps: %s\n", complaint);
    signal(SIGPIPE, SIG_IGN); /* a peer that dies is noticed when its answer is read */
    cpu_read(s.cpu);
    s.peer_count =
        peers_find(s.peers, pythons && *pythons ? pythons : "/usr/bin/python3", s.threads);
    if (!s.peer_count)
        printf("PyTorch is missing: our side only. On Debian: apt install python3-torch\n");
    printf("%s, %s kernels%s, %d threads; medians of interleaved runs\n", s.cpu,
           cpu_isa_name(s.isa), cpu_sparse() ? "" : " (dense)", s.threads);
    printf("columns of versions: PyTorch's ms, * the fastest, which the ratio is against; GFLOP/s "
           "count what a dense implementation computes\n");
    if (csv_path) {
        s.csv = fopen(csv_path, "w");
        if (!s.csv) die("cannot write the CSV file");
        fputs("net,mode,norm,pass,batch,reps,threads,isa,cpu,side,ms,ratio,ratio_min,ratio_max,"
              "gflop,net_mb,peak_mb\n",
              s.csv);
    }
    struct memory memory[BENCHES];
    int done = 0;
    print_head(&s);
    for (size_t i = 0; i < BENCHES; i++)
        if (listed(nets, benches[i].name)) run(&memory[done++], &benches[i], &s);
    if (!done) die("--nets names no network, expected some of " ALL_NETS);
    print_memory(memory, done, &s);
    if (s.csv && fclose(s.csv)) die("cannot write the CSV file");
    return 0;
}
