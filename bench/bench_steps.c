/* bench_steps.c - whole training steps and forward passes against PyTorch, side by side.
 *
 *   bench_steps [--reps N] [--nets N1,N2,N3,P,C,S] [--precision fp32,bf16] [--threads N]
 *               [--csv FILE]
 *
 * Each PyTorch runs in a process of its own (peer.h), which waits at a pipe while another side is
 * timed: A B C A B C in one run, so that all meet the same machine, whose rate of multiply-adds
 * alone is measured right before each timing. A timing is of one step or of several, one after
 * another, the same number on all sides; none begins before the last one's threads rest. A row's
 * ratio is against the peer that is fastest there: the ratio of the medians, and the extremes of
 * the repetitions' own ratios. All sides start from the same parameters, images and labels, and
 * their first losses are compared.
 *
 * In bf16 a PyTorch is two peers, with autocast and with a model that is all bf16; the faster one
 * counts. Only training steps are compared there: our forward passes are fp32. A peer that fails at
 * a net is left out there, which a line says.
 *
 * Environment: SWWAE_ISA picks our kernels, SWWAE_SPARSE=0 their dense ones,
 * SWWAE_WINOGRAD=0 their direct ones, SWWAE_PYTHON the interpreters (/usr/bin/python3; a list: see
 * peers_find in peer.h). */
#include "nets.h"
#include "peer.h"
#include "timing.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WARM_UPS 2
#define AGREE 1e-4            /* of first losses, relative */
#define AGREE_BF16 1e-2       /* bf16 keeps 8 bits */
#define SIDES (2 + 3 * PEERS) /* at most */
#define PEER_START 4.0        /* seconds, for the first estimate of what is left */
#define PEER_RATE 150e9       /* FLOP/s, the same */
#define EXPECTED_RATIO 3.0    /* the same */

/* One of those that are timed in turns. */
struct side {
    const char *how; /* precision, as peer_torch.py calls it; ours: fp32 or bf16 */
    bool bf16;
    struct ours *ours;         /* NULL: a peer */
    struct peer peer;          /* a copy: one process a side */
    int column;                /* of a peer: its interpreter */
    double *times[2], *fma[2]; /* (reps) of a pass; times NULL: it has none */
    bool lost;                 /* a peer that failed */
};

struct setting {
    char cpu[128];
    enum cpu_isa isa;
    int threads, reps; /* reps 0: each net's own */
    bool fp32, bf16;
    struct peer peers[PEERS];
    int peer_count;
    struct probe *probe;
    struct progress progress;
    FILE *csv;
};

static int width_of(const struct peer *peer) {
    const int width = (int)strlen(peer->name) + 2;
    return width > 10 ? width : 10;
}

static void print_head(const struct setting *s) {
    printf("%-4s %-13s %-8s %-5s %9s", "net", "mode", "pass", "prec.", "ours ms");
    for (int p = 0; p < s->peer_count; p++)
        printf(" %*s", width_of(&s->peers[p]), s->peers[p].name);
    printf(" %6s %14s %8s %10s %8s\n", "ratio", "(min..max)", "GFLOP/s", "fastest's", "FMA");
}

/* ---- one net's sides ---- */

static void add_peer(struct side *sides, int *count, const struct setting *s, int p,
                     const char *how) {
    struct side *side = &sides[(*count)++];
    *side = (struct side){.how = how, .bf16 = strcmp(how, "fp32") != 0, .peer = s->peers[p]};
    side->column = p;
}

static void add_ours(struct side *sides, int *count, struct ours *ours, bool bf16) {
    sides[(*count)++] = (struct side){.how = bf16 ? "bf16" : "fp32", .bf16 = bf16, .ours = ours};
}

/* Ours first, of each precision. */
static int list_sides(struct side sides[SIDES], const struct bench *bench, const struct setting *s,
                      struct ours ours[2]) {
    int count = 0;
    if (s->fp32) {
        add_ours(sides, &count, &ours[0], false);
        for (int p = 0; p < s->peer_count; p++)
            if (!(bench->deep && s->peers[p].compile)) add_peer(sides, &count, s, p, "fp32");
    }
    if (s->bf16 && !bench->deep) {
        add_ours(sides, &count, &ours[1], true);
        for (int p = 0; p < s->peer_count; p++) {
            add_peer(sides, &count, s, p, "autocast");
            if (!s->peers[p].compile) add_peer(sides, &count, s, p, "cast");
        }
    }
    return count;
}

/* A peer is left out of this net from here on. */
static void lose(struct side *side, const struct bench *bench, const char *why) {
    char mode[32];
    side->lost = true;
    progress_clear();
    printf("%s %s: PyTorch %s %s is left out: %s\n", bench->name, mode_text(bench, mode),
           side->peer.name, side->how, why);
    fflush(stdout);
}

/* The number that answers a command; false: the peer is lost. */
static bool ask(struct side *side, const struct bench *bench, double *number, const char *command) {
    char reply[PEER_REPLY];
    if (side->lost) return false;
    if (peer_numbers(&side->peer, number, 1, reply, command)) return true;
    lose(side, bench, reply);
    return false;
}

static void start_side(struct side *side, const struct bench *bench, const struct setting *s,
                       int reps) {
    for (enum pass pass = TRAIN; pass <= FORWARD; pass++)
        if (pass == TRAIN || !side->bf16) {
            side->times[pass] = take((size_t)reps, sizeof(double));
            side->fma[pass] = take((size_t)reps, sizeof(double));
        }
    if (side->ours) {
        const struct ours_options options = {.batch = bench->batch,
                                             .threads = s->threads,
                                             .isa = s->isa,
                                             .precision =
                                                 side->bf16 ? PRECISION_BF16 : PRECISION_FP32,
                                             .forward = !side->bf16};
        ours_create(side->ours, bench, &options);
        return;
    }
    char text[512], reply[PEER_REPLY];
    snprintf(text, sizeof text, "net %s %d %d %d %d %s %d %s", bench->arch, bench->channels,
             bench->side, bench->side, bench->batch, mode_names[bench->mode], bench->norm,
             side->how);
    if (!peer_start(&side->peer, reply, s->threads) || !peer_ask(&side->peer, reply, text))
        lose(side, bench, reply);
}

static void stop_side(struct side *side) {
    if (side->ours)
        ours_free(side->ours);
    else
        peer_stop(&side->peer);
    for (enum pass pass = TRAIN; pass <= FORWARD; pass++) {
        free(side->times[pass]);
        free(side->fma[pass]);
    }
}

/* Milliseconds of one, of `count` in a row. */
static double timed(struct side *side, const struct bench *bench, enum pass pass, int count) {
    char command[32];
    double ms = NAN;
    if (side->ours)
        return pass == TRAIN ? ours_train(side->ours, count) : ours_forward(side->ours, count);
    snprintf(command, sizeof command, "%s %d", pass_names[pass], count);
    ask(side, bench, &ms, command);
    return ms;
}

/* ---- the comparison ---- */

static const struct side *ours_of(const struct side *sides, bool bf16) {
    while (!sides->ours || sides->bf16 != bf16) sides++;
    return sides;
}

/* The fastest of a column, or of all (column -1); NULL: there is none. */
static const struct side *fastest(const struct side *sides, int count, bool bf16, enum pass pass,
                                  int column, int reps) {
    const struct side *best = NULL;
    for (int i = 0; i < count; i++) {
        const struct side *side = &sides[i];
        if (side->ours || side->lost || side->bf16 != bf16) continue;
        if (column >= 0 && side->column != column) continue;
        if (!best || median(side->times[pass], reps) < median(best->times[pass], reps)) best = side;
    }
    return best;
}

static void extremes(double *low, double *high, const double *over, const double *under, int reps) {
    *low = INFINITY, *high = 0;
    for (int r = 0; r < reps; r++) {
        *low = fmin(*low, over[r] / under[r]);
        *high = fmax(*high, over[r] / under[r]);
    }
}

static void write_csv(const struct side *side, const struct side *ours, const struct bench *bench,
                      enum pass pass, int reps, double flop, const struct setting *s) {
    double low, high;
    const double ms = median(side->times[pass], reps);
    extremes(&low, &high, side->times[pass], ours->times[pass], reps);
    fprintf(s->csv, "%s,%s,%d,%s,%s,%d,%d,%d,%s,\"%s\",%s,%.4f,%.4f,%.4f,%.4f,%.4f,%.1f\n",
            bench->name, mode_names[bench->mode], bench->norm, pass_names[pass], side->how,
            bench->batch, reps, s->threads, cpu_isa_name(s->isa), s->cpu,
            side->ours ? "swwae" : side->peer.name, ms, ms / median(ours->times[pass], reps), low,
            high, flop / 1e9, median(side->fma[pass], reps) / 1e9);
    fflush(s->csv);
}

/* One row of the table; and of each side, one of the CSV file. */
static void report(const struct side *sides, int count, const struct bench *bench, bool bf16,
                   enum pass pass, int reps, double flop, const struct setting *s) {
    char mode[32];
    const struct side *ours = ours_of(sides, bf16),
                      *best = fastest(sides, count, bf16, pass, -1, reps);
    const double ms = median(ours->times[pass], reps);
    progress_clear();
    printf("%-4s %-13s %-8s %-5s %9.2f", bench->name, mode_text(bench, mode), pass_names[pass],
           ours->how, ms);
    for (int p = 0; p < s->peer_count; p++) {
        const struct side *side = fastest(sides, count, bf16, pass, p, reps);
        const int width = width_of(&s->peers[p]) - 2;
        if (side)
            printf(" %*.2f%c%c", width, median(side->times[pass], reps), !bf16 ? ' ' : side->how[0],
                   side == best ? '*' : ' ');
        else
            printf(" %*s  ", width, "-");
    }
    const double fma = median(ours->fma[pass], reps) / 1e9;
    if (best) {
        double low, high;
        const double other = median(best->times[pass], reps);
        extremes(&low, &high, best->times[pass], ours->times[pass], reps);
        printf(" %6.2f (%5.2f..%5.2f) %8.0f %10.0f %4.0f/%.0f\n", other / ms, low, high,
               flop / ms / 1e6, flop / other / 1e6, fma, median(best->fma[pass], reps) / 1e9);
    } else {
        printf(" %6s %14s %8.0f %10s %4.0f\n", "-", "-", flop / ms / 1e6, "-", fma);
    }
    fflush(stdout);
    for (int i = 0; s->csv && i < count; i++)
        if (sides[i].bf16 == bf16 && !sides[i].lost)
            write_csv(&sides[i], ours, bench, pass, reps, flop, s);
}

static void compare_losses(struct side *sides, int count, const struct bench *bench) {
    for (int i = 0; i < count; i++) {
        char mode[32];
        struct side *side = &sides[i];
        double loss;
        if (side->ours || !ask(side, bench, &loss, "loss")) continue;
        const double ours = ours_of(sides, side->bf16)->ours->losses.total;
        if (fabs(loss - ours) <= (side->bf16 ? AGREE_BF16 : AGREE) * fabs(loss)) continue;
        progress_clear();
        printf("%s %s: the first losses differ, ours %.7g, that of PyTorch %s %s %.7g: not the "
               "same work\n",
               bench->name, mode_text(bench, mode), ours, side->peer.name, side->how, loss);
    }
}

static void run(const struct bench *bench, struct setting *s, double cost) {
    struct ours ours[2];
    struct side sides[SIDES] = {{0}};
    char text[32], item[64];
    const int reps = s->reps ? s->reps : bench->reps, count = list_sides(sides, bench, s, ours);
    double flop[2], begin = s->progress.done;
    snprintf(item, sizeof item, "%s %s", bench->name, mode_text(bench, text));
    progress_show(&s->progress, item, 0, reps);
    for (int i = 0; i < count; i++) start_side(&sides[i], bench, s, reps);
    for (int r = -WARM_UPS; r < reps; r++) {
        const int at = r < 0 ? 0 : r; /* a warm-up's times are written over */
        for (enum pass pass = TRAIN; pass <= FORWARD; pass++)
            for (int i = 0; i < count; i++) {
                struct side *side = &sides[i];
                if (!side->times[pass] || side->lost) continue;
                side->fma[pass][at] = probe_rate(s->probe);
                side->times[pass][at] = timed(side, bench, pass, r == -WARM_UPS ? 1 : bench->burst);
                settle(side->ours ? 0 : side->peer.pid);
            }
        if (r == -WARM_UPS) compare_losses(sides, count, bench);
        s->progress.done = begin + cost * (r + 1 + WARM_UPS) / (reps + WARM_UPS);
        progress_show(&s->progress, item, at + 1, reps);
    }
    ours_flops(flop, ours_of(sides, !s->fp32)->ours);
    for (int bf16 = !s->fp32; bf16 <= (s->bf16 && !bench->deep); bf16++)
        for (enum pass pass = TRAIN; pass <= (bf16 ? TRAIN : FORWARD); pass++)
            report(sides, count, bench, bf16, pass, reps, flop[pass], s);
    for (int i = 0; i < count; i++) stop_side(&sides[i]);
}

/* Seconds that a net will take, by guess: 0 where it is left out. */
static double cost_of(const struct bench *bench, const struct setting *s) {
    struct network network;
    struct ours none[2];
    struct side sides[SIDES];
    double seconds = 0;
    const int count = list_sides(sides, bench, s, none), reps = s->reps ? s->reps : bench->reps;
    if (network_build(&network, bench->arch, bench->channels, bench->side, bench->side,
                      &(struct variant){.norm = bench->norm ? NORM_BATCH : NORM_NONE}))
        die(swwae_last_error());
    const double pass = bench->batch * network_flops_encoder(&network) / PEER_RATE *
                        (bench->mode == SUPERVISED ? 1 : 2);
    network_clear(&network);
    for (int i = 0; i < count; i++)
        seconds += (reps * bench->burst + WARM_UPS) * pass * (sides[i].bf16 ? 2 : 4) /
                       (sides[i].ours ? EXPECTED_RATIO : 1) +
                   (sides[i].ours ? 0 : PEER_START);
    return seconds;
}

/* ---- the command ---- */

static _Noreturn void usage(FILE *to) {
    fputs("usage: bench_steps [--reps N] [--nets " ALL_NETS "] [--precision fp32,bf16]\n"
          "                   [--threads N] [--csv FILE]\n"
          "  --reps N          timed repetitions after 2 warm-ups, 1 to 1001 (5 to 21, by net)\n"
          "  --nets LIST       which networks (all)\n"
          "  --precision LIST  fp32, bf16 or both (both; bf16 where the processor has it)\n"
          "  --threads N       of all sides, 1 to 256 (2)\n"
          "  --csv FILE        the same numbers as comma-separated values\n"
          "SWWAE_PYTHON: the peers' interpreters, separated by colons; \"compile:\" before one\n"
          "asks for torch.compile (/usr/bin/python3).\n",
          to);
    exit(to == stdout ? 0 : 2);
}

static int number(const char *text, int most) {
    char *end;
    const long n = strtol(text, &end, 10);
    if (end == text || *end || n < 1 || n > most) usage(stderr);
    return (int)n;
}

static void begin(struct setting *s) {
    const char *complaint, *pythons = getenv("SWWAE_PYTHON");
    s->isa = cpu_choose(&complaint);
    if (complaint) fprintf(stderr, "bench_steps: %s\n", complaint);
    signal(SIGPIPE, SIG_IGN); /* a peer that dies is noticed when its answer is read */
    cpu_read(s->cpu);
    s->peer_count =
        peers_find(s->peers, pythons && *pythons ? pythons : "/usr/bin/python3", s->threads);
    if (!s->peer_count)
        printf("PyTorch is missing: our side only. On Debian: apt install python3-torch\n");
    s->probe = probe_create(s->threads, s->isa);
    if (s->bf16 && !(s->isa == CPU_AVX512 && cpu_has_bf16())) {
        printf("bf16 is left out: this processor or SWWAE_ISA lacks avx512_bf16\n");
        s->bf16 = false;
    }
    if (!s->fp32 && !s->bf16) exit(0); /* the line above says why */
    printf("%s, %s kernels%s, %d threads; ms of a batch, medians of interleaved runs\n", s->cpu,
           cpu_isa_name(s->isa), cpu_sparse() ? "" : " (dense)", s->threads);
    printf("columns of versions: PyTorch's ms, * the fastest, which the ratio is against; in bf16 "
           "a: autocast, c: cast to bf16.\n"
           "GFLOP/s count what a dense implementation computes. FMA: GFLOP/s of multiply-adds "
           "alone on as many threads,\n"
           "before our timings / before the fastest peer's; where they differ, so did the "
           "machine.\n");
}

int main(int argc, char **argv) {
    static struct setting s = {.threads = 2};
    const char *nets = ALL_NETS, *csv_path = NULL, *precision = "fp32,bf16";
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) usage(stdout);
        if (i + 1 == argc) usage(stderr);
        if (strcmp(argv[i], "--reps") == 0)
            s.reps = number(argv[++i], MOST_REPS);
        else if (strcmp(argv[i], "--nets") == 0)
            nets = argv[++i];
        else if (strcmp(argv[i], "--precision") == 0)
            precision = argv[++i];
        else if (strcmp(argv[i], "--threads") == 0)
            s.threads = number(argv[++i], 256);
        else if (strcmp(argv[i], "--csv") == 0)
            csv_path = argv[++i];
        else
            usage(stderr);
    }
    s.fp32 = listed(precision, "fp32");
    s.bf16 = listed(precision, "bf16");
    if (!s.fp32 && !s.bf16) usage(stderr);
    begin(&s);
    if (csv_path) {
        s.csv = fopen(csv_path, "w");
        if (!s.csv) die("bench_steps: cannot write the CSV file");
        fputs("net,mode,norm,pass,precision,batch,reps,threads,isa,cpu,side,ms,ratio,ratio_min,"
              "ratio_max,gflop,fma_gflops\n",
              s.csv);
    }
    for (int i = 0; i < bench_count; i++)
        if (listed(nets, benches[i].name)) s.progress.all += cost_of(&benches[i], &s);
    if (s.progress.all <= 0)
        die("bench_steps: --nets names no network to measure, expected some of " ALL_NETS);
    s.progress.start = now_ms();
    print_head(&s);
    for (int i = 0; i < bench_count; i++) {
        if (!listed(nets, benches[i].name)) continue;
        const double cost = cost_of(&benches[i], &s);
        if (cost > 0) run(&benches[i], &s, cost);
    }
    progress_clear();
    probe_free(s.probe);
    if (s.csv && fclose(s.csv)) die("bench_steps: cannot write the CSV file");
    return 0;
}
