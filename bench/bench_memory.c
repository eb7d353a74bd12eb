/* bench_memory.c - the most memory that training takes, ours and PyTorch's measured alike.
 *
 *   bench_memory [--nets N1,N2,N3,P,C,S] [--threads N]
 *
 * Each net has a process of its own on each side. There a small network trains first, so that code,
 * threads and what else is loaded once is no part of the figure; then the resident set is noted,
 * the net is made, the kernel is told to forget the peak so far, and two steps run. "net" is the
 * peak of the resident set after that, less what was noted before: parameters, gradients, Adam's
 * moments, images, activations and whatever else. "all" is the peak whole, with libraries and
 * interpreter. PyTorch runs with
 * MALLOC_MMAP_THRESHOLD_=65536, with which it gives back at once what it frees: it takes less then
 * than with the settings that make it fast. "arrays" is what our engine, optimiser and batch have
 * booked; "net" can be less by what is booked and never touched, such as padding.
 *
 * Environment: as bench_steps; peers that compile are left out. */
#include "nets.h"
#include "peer.h"
#include "timing.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEPS 2
#define FULL_BATCH 128 /* besides the one that bench_steps takes */

/* MiB of this process: "VmRSS:" or "VmHWM:", its peak. */
static double resident(const char *key) {
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    double kib = 0;
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, key, strlen(key)) == 0) kib = strtod(line + strlen(key), NULL);
    if (!file) die("bench_memory: /proc/self/status is missing");
    fclose(file);
    return kib / 1024;
}

static void forget_peak(void) {
    FILE *file = fopen("/proc/self/clear_refs", "w");
    if (file) fputs("5", file);
    if (!file || fclose(file))
        fprintf(stderr, "bench_memory: the peak counts the making of the net too\n");
}

/* ---- our process ---- */

static void measure_ours(int index, const struct ours_options *options) {
    static const struct bench small = {
        "small", "(16)5c-2p-(16)3c-2p-10fc", 1, 8, SEMI, false, false, 2, 1, 1};
    struct ours_options few = *options;
    struct ours o;
    few.batch = small.batch;
    ours_create(&o, &small, &few);
    ours_train(&o, STEPS);
    ours_free(&o);
    const double base = resident("VmRSS:");
    ours_create(&o, &benches[index], options);
    forget_peak();
    ours_train(&o, STEPS);
    const double peak = resident("VmHWM:");
    printf("%.2f %.2f %.2f\n", peak - base, peak, ours_memory(&o));
    ours_free(&o);
}

/* The net's, all, arrays. */
static void ask_ours(double mb[3], int index, int batch, int threads) {
    char self[256], command[512], reply[128] = "", *end;
    const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0) die("bench_memory: /proc/self/exe is missing");
    self[length] = 0;
    snprintf(command, sizeof command, "'%s' --ours %d %d %d", self, index, batch, threads);
    fflush(NULL);
    FILE *from = popen(command, "r");
    if (!from || !fgets(reply, sizeof reply, from) || pclose(from))
        die("bench_memory: our process failed");
    mb[0] = strtod(reply, &end);
    mb[1] = strtod(end, &end);
    mb[2] = strtod(end, NULL);
}

/* ---- PyTorch's ---- */

/* The net's and all; false: it failed, and a line says why. */
static bool ask_peer(double mb[2], struct peer *peer, const struct bench *bench, int batch,
                     int threads) {
    char net[512], train[32], mode[32], reply[PEER_REPLY];
    snprintf(net, sizeof net, "net %s %d %d %d %d %s %d fp32", bench->arch, bench->channels,
             bench->side, bench->side, batch, mode_names[bench->mode], bench->norm);
    snprintf(train, sizeof train, "train %d", STEPS);
    const bool done = peer_start(peer, reply, threads) && peer_ask(peer, reply, "base") &&
                      peer_ask(peer, reply, net) && peer_ask(peer, reply, train) &&
                      peer_numbers(peer, mb, 2, reply, "memory");
    peer_stop(peer);
    if (done) return true;
    progress_clear();
    printf("%s %s, batch %d: PyTorch %s is left out: %s\n", bench->name, mode_text(bench, mode),
           batch, peer->name, reply);
    return false;
}

/* ---- the table ---- */

struct setting {
    int threads, peer_count;
    struct peer peers[PEERS];
    struct progress progress;
};

static double flops_of(const struct bench *bench, int batch) {
    struct network network;
    if (network_build(&network, bench->arch, bench->channels, bench->side, bench->side,
                      &(struct variant){0}))
        die(swwae_last_error());
    const double flops = batch * network_flops_encoder(&network);
    network_clear(&network);
    return flops;
}

static void row(int index, int batch, struct setting *s) {
    const struct bench *bench = &benches[index];
    char mode[32];
    double ours[3], peer[PEERS][2], least[2] = {INFINITY, INFINITY};
    progress_show(&s->progress, bench->name, 0, s->peer_count + 1);
    ask_ours(ours, index, batch, s->threads);
    for (int p = 0; p < s->peer_count; p++) {
        progress_show(&s->progress, bench->name, p + 1, s->peer_count + 1);
        if (!ask_peer(peer[p], &s->peers[p], bench, batch, s->threads))
            peer[p][0] = peer[p][1] = NAN;
        for (int k = 0; k < 2; k++) least[k] = fmin(least[k], peer[p][k]);
    }
    progress_clear();
    printf("%-4s %-13s %6d %8.1f %8.1f %8.1f", bench->name, mode_text(bench, mode), batch, ours[0],
           ours[1], ours[2]);
    for (int p = 0; p < s->peer_count; p++) printf(" %8.1f %8.1f", peer[p][0], peer[p][1]);
    for (int k = 0; k < 2 && isfinite(least[k]); k++) printf(" %7.2f", least[k] / ours[k]);
    printf("\n");
    fflush(stdout);
}

static void print_head(const struct setting *s) {
    printf(
        "MB (2^20 bytes) of the resident set, each side in a process of its own. net: from before "
        "the net is made to the\npeak in training steps; all: the peak with code, libraries and "
        "interpreter; arrays: what we booked. ratio: the\nsmallest PyTorch's over ours, of the "
        "net and of all.\n%-25s %26s",
        "", "ours");
    for (int p = 0; p < s->peer_count; p++) printf(" %17s", s->peers[p].name);
    printf(s->peer_count ? " %15s\n" : "\n", "ratio");
    printf("%-4s %-13s %6s %8s %8s %8s", "net", "mode", "batch", "net", "all", "arrays");
    for (int p = 0; p < s->peer_count; p++) printf(" %8s %8s", "net", "all");
    printf(s->peer_count ? " %7s %7s\n" : "\n", "net", "all");
}

/* Runs each pair of net and batch, or with run false adds up what they will cost. */
static void each(const char *nets, struct setting *s, bool run) {
    for (int i = 0; i < bench_count; i++)
        for (int full = 0; full < 2; full++) {
            const int batch = full ? FULL_BATCH : benches[i].batch;
            if (!listed(nets, benches[i].name) || (full && batch == benches[i].batch)) continue;
            const double cost = 2e12 + flops_of(&benches[i], batch); /* 2e12: the processes */
            if (run) row(i, batch, s);
            *(run ? &s->progress.done : &s->progress.all) += cost;
        }
}

static int number(const char *text) {
    char *end;
    const long n = strtol(text, &end, 10);
    if (end == text || *end || n < 0 || n > 4096) die("bench_memory: bad number");
    return (int)n;
}

int main(int argc, char **argv) {
    static struct setting s = {.threads = 2};
    const char *complaint, *nets = ALL_NETS, *pythons = getenv("SWWAE_PYTHON");
    const enum cpu_isa isa = cpu_choose(&complaint);
    if (argc == 5 && strcmp(argv[1], "--ours") == 0) {
        const int index = number(argv[2]);
        if (index >= bench_count) die("bench_memory: no such net");
        measure_ours(index, &(struct ours_options){.batch = number(argv[3]),
                                                   .threads = number(argv[4]),
                                                   .isa = isa,
                                                   .precision = PRECISION_FP32});
        return 0;
    }
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 < argc && strcmp(argv[i], "--nets") == 0)
            nets = argv[i + 1];
        else if (i + 1 < argc && strcmp(argv[i], "--threads") == 0)
            s.threads = number(argv[i + 1]);
        else
            die("usage: bench_memory [--nets " ALL_NETS "] [--threads N]");
    }
    if (s.threads < 1) die("bench_memory: --threads: 0 found, expected 1 or more");
    signal(SIGPIPE, SIG_IGN);
    const int found =
        peers_find(s.peers, pythons && *pythons ? pythons : "/usr/bin/python3", s.threads);
    for (int p = 0; p < found; p++)
        if (!s.peers[p].compile) {
            s.peers[s.peer_count] = s.peers[p];
            s.peers[s.peer_count++].lean = true;
        }
    print_head(&s);
    each(nets, &s, false);
    if (s.progress.all <= 0)
        die("bench_memory: --nets names no network, expected some of " ALL_NETS);
    s.progress.start = now_ms();
    each(nets, &s, true);
    return 0;
}
