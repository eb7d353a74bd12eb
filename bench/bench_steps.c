/* bench_steps.c - whole training steps and forward passes against PyTorch, side by side.
 *
 *   bench_steps [--reps N] [--nets N1,N2,N3,P] [--threads N] [--csv FILE]
 *
 * PyTorch runs in a process of its own (peer_torch.py), which waits at a pipe while our side is
 * timed and the other way round: A B A B in one run, so that both meet the same machine. A ratio is
 * taken of each such pair; the table shows the ratio of the medians, and the pairs' extremes. Both
 * sides start from the same parameters, images and labels, and their first losses are compared.
 *
 * Environment: SWWAE_ISA picks our kernels, SWWAE_PYTHON the interpreter (/usr/bin/python3). */
#include "../tests/golden/generator.h"
#include "base/cpu.h"
#include "engine/engine.h"
#include "train/optimizer.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BATCH 128
#define WARM_UPS 2
#define MOST_REPS 1001
#define LR 1e-3
#define IMAGE_OFFSET 10000000u /* of peer_torch.py too */

#ifndef SWWAE_SOURCE_DIR
#define SWWAE_SOURCE_DIR "."
#endif

enum mode { SUPERVISED, UNSUPERVISED, SEMI };
static const char *const mode_names[] = {"supervised", "unsupervised", "semi"};

static const struct bench {
    const char *name, *arch;
    int channels, side;
    enum mode mode;
} benches[] = {
    {"N1", "(16)5c-(32)3c-7p", 1, 28, UNSUPERVISED},
    {"N2", "(64)5c-2p-(64)3c-2p-(128)3c-2p-10fc", 1, 32, SEMI},
    {"N3", "(128)5c-2p-(128)3c-2p-(256)3c-(256)3c-2p-10fc", 3, 32, SEMI},
    {"P", "(64)5c-2p-(64)3c-2p-(64)3c-2p-10fc", 1, 32, SEMI}, /* the paper's MNIST net */
    {"P", "(64)5c-2p-(64)3c-2p-(64)3c-2p-10fc", 1, 32, SUPERVISED},
};
#define BENCHES (sizeof benches / sizeof *benches)

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

/* ---- the peer ---- */

struct peer {
    pid_t pid; /* 0: none */
    FILE *to, *from;
};

static void peer_stop(struct peer *peer) {
    if (!peer->pid) return;
    fputs("quit\n", peer->to);
    fclose(peer->to);
    fclose(peer->from);
    waitpid(peer->pid, NULL, 0);
    peer->pid = 0;
}

/* Reads a line into reply[256]; false, with why not in reply: the peer is gone or could not. */
static bool peer_read(struct peer *peer, char *reply) {
    if (!fgets(reply, 256, peer->from)) {
        snprintf(reply, 256, "the process ended");
        return false;
    }
    reply[strcspn(reply, "\n")] = 0;
    if (strncmp(reply, "error ", 6) != 0) return true;
    memmove(reply, reply + 6, strlen(reply + 6) + 1);
    return false;
}

static bool peer_ask(struct peer *peer, char *reply, const char *command) {
    fprintf(peer->to, "%s\n", command);
    fflush(peer->to);
    return peer_read(peer, reply);
}

static double peer_number(struct peer *peer, const char *command) {
    char reply[256];
    if (!peer_ask(peer, reply, command)) {
        fprintf(stderr, "bench_steps: PyTorch did not answer \"%s\": %s\n", command, reply);
        exit(1);
    }
    return strtod(reply, NULL);
}

/* False, with the reason in reply[256]: no PyTorch here. */
static bool peer_start(struct peer *peer, char *reply, int threads) {
    int there[2], back[2];
    if (pipe(there) || pipe(back)) die("cannot make a pipe");
    fflush(NULL);
    peer->pid = fork();
    if (peer->pid < 0) die("cannot start a process");
    if (peer->pid == 0) {
        const char *python = getenv("SWWAE_PYTHON");
        if (!python || !*python) python = "/usr/bin/python3";
        char text[16];
        snprintf(text, sizeof text, "%d", threads);
        dup2(there[0], STDIN_FILENO);
        dup2(back[1], STDOUT_FILENO);
        close(there[0]), close(there[1]), close(back[0]), close(back[1]);
        setenv("SWWAE_THREADS", text, 1);
        setenv("MALLOC_MMAP_MAX_", "0", 1); /* page faults cost an untuned peer up to 1.5 times */
        setenv("MALLOC_TRIM_THRESHOLD_", "20000000000", 1);
        setenv("MALLOC_TOP_PAD_", "268435456", 1);
        execlp(python, python, SWWAE_SOURCE_DIR "/bench/peer_torch.py", (char *)NULL);
        printf("error %s cannot be run: %s\n", python, strerror(errno));
        fflush(stdout);
        _exit(1);
    }
    close(there[0]);
    close(back[1]);
    peer->to = fdopen(there[1], "w");
    peer->from = fdopen(back[0], "r");
    if (!peer->to || !peer->from) die("cannot open a pipe");
    if (peer_read(peer, reply)) return true;
    peer_stop(peer);
    return false;
}

/* ---- our side ---- */

struct ours {
    struct network network;
    struct engine *training, *inference;
    struct optimizer adam;
    float *parameters, *gradient, *images, *logits, *reconstruction;
    int32_t labels[BATCH];
    struct losses losses;
    enum mode mode;
    int threads;
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
    o->threads = threads;
    if (network_build(&o->network, bench->arch, bench->channels, bench->side, bench->side, NULL))
        die(swwae_last_error());
    const struct objective objective = objective_of(bench->mode, o->network.stages);
    const struct settings settings = {.optimizer = OPTIMIZER_ADAM};
    struct engine_options options = {
        .objective = &objective, .batch = BATCH, .threads = threads, .isa = (int)isa};
    if (engine_create(&o->training, &o->network, &options)) die(swwae_last_error());
    options.objective = NULL;
    if (engine_create(&o->inference, &o->network, &options)) die(swwae_last_error());
    if (optimizer_create(&o->adam, &o->network, &settings)) die(swwae_last_error());
    const size_t pixels =
        (size_t)BATCH * (size_t)bench->channels * (size_t)bench->side * (size_t)bench->side;
    const int classes = bench->mode == UNSUPERVISED ? 0 : o->network.classes;
    o->parameters = take(o->network.parameters, sizeof(float));
    o->gradient = take(o->network.parameters, sizeof(float));
    o->images = take(pixels, sizeof(float));
    if (classes) o->logits = take((size_t)BATCH * (size_t)classes, sizeof(float));
    if (bench->mode != SUPERVISED) o->reconstruction = take(pixels, sizeof(float));
    generate_parameters(o->parameters, &o->network);
    for (size_t i = 0; i < pixels; i++) o->images[i] = (float)hashed(i, IMAGE_OFFSET);
    const int labelled = bench->mode == SUPERVISED ? BATCH : bench->mode == SEMI ? BATCH / 2 : 0;
    for (int i = 0; i < BATCH; i++) o->labels[i] = i < labelled ? i % classes : -1;
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
    const struct batch batch = {.images = o->images, .labels = o->labels, .n = BATCH};
    const double begin = now_ms();
    if (engine_step(o->training, &o->losses, o->gradient, o->parameters, &batch))
        die(swwae_last_error());
    optimizer_step(&o->adam, o->parameters, o->gradient, LR, engine_pool(o->training));
    return now_ms() - begin;
}

static double ours_forward(struct ours *o) {
    const struct forward forward = {.logits = o->logits, .reconstruction = o->reconstruction};
    const double begin = now_ms();
    if (engine_forward(o->inference, &forward, o->parameters, o->images, BATCH))
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
static void flops(double *train, double *forward, const struct network *n, enum mode mode) {
    const struct conv_layer *first = &n->stage[0].encoder[0];
    double sum = network_flops_encoder(n);
    if (mode == UNSUPERVISED)
        for (int j = 0; j < n->fcs; j++) sum -= 2.0 * n->fc[j].in * n->fc[j].out;
    if (mode != SUPERVISED) sum += network_flops_decoder(n);
    const double image =
        2.0 * first->in * first->out * first->kernel * first->kernel * first->height * first->width;
    *forward = BATCH * sum;
    *train = BATCH * (3 * sum - image);
}

/* ---- the comparison ---- */

struct machine {
    char cpu[128], torch[64]; /* torch empty: no peer */
    const char *isa;
    int threads;
};

static void machine_read(struct machine *machine) {
    snprintf(machine->cpu, sizeof machine->cpu, "unknown processor");
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[256];
    while (file && fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon || !colon[1]) continue;
        line[strcspn(line, "\n")] = 0;
        snprintf(machine->cpu, sizeof machine->cpu, "%.120s", colon + 2);
        break;
    }
    if (file) fclose(file);
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count) {
    qsort(values, (size_t)count, sizeof *values, ascending);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* One row of the table. */
static void report(const struct bench *bench, const char *pass, double *ours, double *torch,
                   int reps, double flop, const double memory[2], const struct machine *machine,
                   FILE *csv) {
    double low = INFINITY, high = 0;
    for (int r = 0; torch && r < reps; r++) {
        low = fmin(low, torch[r] / ours[r]);
        high = fmax(high, torch[r] / ours[r]);
    }
    const double a = median(ours, reps), b = torch ? median(torch, reps) : NAN;
    printf("%-4s %-13s %-8s %9.2f", bench->name, mode_names[bench->mode], pass, a);
    if (torch)
        printf(" %9.2f %7.2f (%5.2f..%5.2f) %8.0f %8.0f", b, b / a, low, high, flop / a / 1e6,
               flop / b / 1e6);
    else
        printf(" %9s %7s %14s %8.0f %8s", "-", "-", "-", flop / a / 1e6, "-");
    printf(" %7.0f", memory[0]);
    if (torch)
        printf(" %7.0f\n", memory[1]);
    else
        printf(" %7s\n", "-");
    fflush(stdout);
    if (!csv) return;
    fprintf(csv, "%s,%s,%s,%.4f,", bench->name, mode_names[bench->mode], pass, a);
    if (torch)
        fprintf(csv, "%.4f,%.4f,%.4f,%.4f,", b, b / a, low, high);
    else
        fputs(",,,,", csv);
    fprintf(csv, "%.4f,%.2f,", flop / 1e9, flop / a / 1e6);
    if (torch) fprintf(csv, "%.2f", flop / b / 1e6);
    fprintf(csv, ",%.1f,", memory[0]);
    if (torch) fprintf(csv, "%.1f", memory[1]);
    fprintf(csv, ",%d,%d,%d,%s,\"%s\",%s\n", BATCH, reps, machine->threads, machine->isa,
            machine->cpu, machine->torch);
    fflush(csv);
}

static void run(const struct bench *bench, const struct machine *machine, enum cpu_isa isa,
                int reps, FILE *csv) {
    struct ours ours;
    struct peer peer = {0};
    char text[512], reply[256];
    if (*machine->torch) {
        snprintf(text, sizeof text, "net %s %d %d %d %d %s", bench->arch, bench->channels,
                 bench->side, bench->side, BATCH, mode_names[bench->mode]);
        if (!peer_start(&peer, reply, machine->threads) || !peer_ask(&peer, reply, text))
            die(reply);
    }
    ours_create(&ours, bench, machine->threads, isa);
    double *times = take(4 * (size_t)reps, sizeof *times);
    double *train[2] = {times, times + reps};
    double *forward[2] = {times + 2 * (size_t)reps, times + 3 * (size_t)reps};
    for (int r = -WARM_UPS; r < reps; r++) {
        const int at = r < 0 ? 0 : r; /* a warm-up's times are written over */
        train[0][at] = ours_train(&ours);
        settle();
        if (peer.pid) {
            train[1][at] = peer_number(&peer, "train");
            settle();
        }
        if (r == -WARM_UPS && peer.pid) {
            const double loss = peer_number(&peer, "loss");
            if (!(fabs(loss - ours.losses.total) <= 1e-4 * fabs(loss)))
                printf("%s %s: the first losses differ, ours %.7g, PyTorch's %.7g: not the same "
                       "work\n",
                       bench->name, mode_names[bench->mode], ours.losses.total, loss);
        }
        forward[0][at] = ours_forward(&ours);
        settle();
        if (peer.pid) {
            forward[1][at] = peer_number(&peer, "forward");
            settle();
        }
    }
    double flop[2];
    flops(&flop[0], &flop[1], &ours.network, bench->mode);
    const double memory[2] = {ours_memory(&ours), peer.pid ? peer_number(&peer, "memory") : NAN};
    report(bench, "train", train[0], peer.pid ? train[1] : NULL, reps, flop[0], memory, machine,
           csv);
    report(bench, "forward", forward[0], peer.pid ? forward[1] : NULL, reps, flop[1], memory,
           machine, csv);
    peer_stop(&peer);
    ours_free(&ours);
    free(times);
}

/* ---- the command ---- */

static _Noreturn void usage(FILE *to) {
    fputs("usage: bench_steps [--reps N] [--nets N1,N2,N3,P] [--threads N] [--csv FILE]\n"
          "  --reps N      timed repetitions after 2 warm-ups, 1 to 1001 (9)\n"
          "  --nets LIST   which networks (all)\n"
          "  --threads N   of both sides, 1 to 256 (2)\n"
          "  --csv FILE    the same numbers as comma-separated values\n",
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
    struct machine machine = {.threads = 2};
    const char *nets = "N1,N2,N3,P", *csv_path = NULL, *complaint;
    int reps = 9;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) usage(stdout);
        if (i + 1 == argc) usage(stderr);
        if (strcmp(argv[i], "--reps") == 0)
            reps = number(argv[++i], MOST_REPS);
        else if (strcmp(argv[i], "--nets") == 0)
            nets = argv[++i];
        else if (strcmp(argv[i], "--threads") == 0)
            machine.threads = number(argv[++i], 256);
        else if (strcmp(argv[i], "--csv") == 0)
            csv_path = argv[++i];
        else
            usage(stderr);
    }
    const enum cpu_isa isa = cpu_choose(&complaint);
    if (complaint) fprintf(stderr, "bench_steps: %s\n", complaint);
    signal(SIGPIPE, SIG_IGN); /* a peer that dies is noticed when its answer is read */
    machine_read(&machine);
    machine.isa = cpu_isa_name(isa);
    struct peer peer = {0};
    char reply[256];
    if (peer_start(&peer, reply, machine.threads) && peer_ask(&peer, reply, "version")) {
        reply[strcspn(reply, " ")] = 0;
        snprintf(machine.torch, sizeof machine.torch, "%.63s", reply);
        peer_stop(&peer);
    } else {
        printf("PyTorch is missing (%s): our side only. On Debian: apt install python3-torch\n",
               reply);
    }
    printf("%s, %s kernels, %d threads, batch %d, PyTorch %s, medians of %d interleaved runs\n",
           machine.cpu, machine.isa, machine.threads, BATCH,
           *machine.torch ? machine.torch : "none", reps);
    printf("GFLOP/s count what a dense implementation computes; MB are our engine's and Adam's "
           "arrays, and PyTorch's peak resident set\n");
    printf("%-4s %-13s %-8s %9s %9s %7s %14s %8s %8s %7s %7s\n", "net", "mode", "pass", "ours ms",
           "torch ms", "ratio", "(min..max)", "GFLOP/s", "torch's", "MB", "torch's");
    FILE *csv = NULL;
    if (csv_path) {
        csv = fopen(csv_path, "w");
        if (!csv) die("cannot write the CSV file");
        fputs("net,mode,pass,ours_ms,torch_ms,ratio,ratio_min,ratio_max,gflop,ours_gflops,"
              "torch_gflops,ours_mb,torch_mb,batch,reps,threads,isa,cpu,torch\n",
              csv);
    }
    int done = 0;
    for (size_t i = 0; i < BENCHES; i++) {
        if (!listed(nets, benches[i].name)) continue;
        run(&benches[i], &machine, isa, reps, csv);
        done++;
    }
    if (!done) die("--nets names no network, expected some of N1, N2, N3 and P");
    if (csv && fclose(csv)) die("cannot write the CSV file");
    return 0;
}
