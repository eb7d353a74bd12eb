/* peer.c - see peer.h. */
#include "peer.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SWWAE_SOURCE_DIR
#define SWWAE_SOURCE_DIR "."
#endif

#define PATIENCE_MS (10 * 60 * 1000) /* compiling takes a minute or two */

static _Noreturn void die(const struct peer *peer, const char *what, const char *why) {
    fprintf(stderr, "%s: %s: %s\n", peer->python, what, why);
    exit(1);
}

/* False, with why not in reply: the peer is gone or could not. An answer is one line, so none of
 * the stream is in its buffer when the next is waited for. */
static bool peer_read(struct peer *peer, char *reply) {
    struct pollfd answer = {.fd = fileno(peer->from), .events = POLLIN};
    if (poll(&answer, 1, PATIENCE_MS) == 0) {
        kill(peer->pid, SIGKILL);
        snprintf(reply, PEER_REPLY, "no answer in ten minutes");
        return false;
    }
    if (!fgets(reply, PEER_REPLY, peer->from)) {
        snprintf(reply, PEER_REPLY, "the process ended");
        return false;
    }
    reply[strcspn(reply, "\n")] = 0;
    if (strncmp(reply, "error ", 6) != 0) return true;
    memmove(reply, reply + 6, strlen(reply + 6) + 1);
    return false;
}

bool peer_ask(struct peer *peer, char *reply, const char *command) {
    fprintf(peer->to, "%s\n", command);
    fflush(peer->to);
    return peer_read(peer, reply);
}

bool peer_numbers(struct peer *peer, double *numbers, int count, char *reply, const char *command) {
    if (!peer_ask(peer, reply, command)) return false;
    char *at = reply, *end;
    for (int i = 0; i < count; i++, at = end) {
        numbers[i] = strtod(at, &end);
        if (end == at) return false;
    }
    return true;
}

void peer_stop(struct peer *peer) {
    if (!peer->pid) return;
    fputs("quit\n", peer->to);
    fclose(peer->to);
    fclose(peer->from);
    waitpid(peer->pid, NULL, 0);
    peer->pid = 0;
}

static _Noreturn void become(const struct peer *peer, int threads) {
    char text[16];
    snprintf(text, sizeof text, "%d", threads);
    setenv("SWWAE_THREADS", text, 1);
    if (peer->compile) setenv("SWWAE_COMPILE", "1", 1);
    if (peer->lean) {
        setenv("MALLOC_MMAP_THRESHOLD_", "65536", 1); /* what is freed goes back at once */
    } else {
        setenv("MALLOC_MMAP_MAX_", "0", 1); /* page faults cost an untuned peer up to 1.5 times */
        setenv("MALLOC_TRIM_THRESHOLD_", "20000000000", 1);
        setenv("MALLOC_TOP_PAD_", "268435456", 1);
    }
    execlp(peer->python, peer->python, SWWAE_SOURCE_DIR "/bench/peer_torch.py", (char *)NULL);
    printf("error it cannot be run: %s\n", strerror(errno));
    fflush(stdout);
    _exit(1);
}

bool peer_start(struct peer *peer, char *reply, int threads) {
    int there[2], back[2];
    if (pipe(there) || pipe(back)) die(peer, "pipe", strerror(errno));
    fflush(NULL);
    peer->pid = fork();
    if (peer->pid < 0) die(peer, "fork", strerror(errno));
    if (peer->pid == 0) {
        dup2(there[0], STDIN_FILENO);
        dup2(back[1], STDOUT_FILENO);
        /* other peers' pipes too: a peer is told to end by the end of its input */
        for (int file = STDERR_FILENO + 1; file < 256; file++) close(file);
        become(peer, threads);
    }
    close(there[0]);
    close(back[1]);
    peer->to = fdopen(there[1], "w");
    peer->from = fdopen(back[0], "r");
    if (!peer->to || !peer->from) die(peer, "fdopen", strerror(errno));
    if (peer_read(peer, reply)) return true;
    peer_stop(peer);
    return false;
}

int peers_find(struct peer peers[PEERS], const char *list, int threads) {
    static const char compile[] = "compile:";
    int count = 0;
    while (*list) {
        struct peer peer = {0};
        char reply[PEER_REPLY], version[64], how[16];
        if (strncmp(list, compile, strlen(compile)) == 0) {
            peer.compile = true;
            list += strlen(compile);
        }
        const size_t length = strcspn(list, ":");
        snprintf(peer.python, sizeof peer.python, "%.*s", (int)length, list);
        list += length + (list[length] == ':');
        if (!length) continue;
        if (count == PEERS) {
            printf("%s: left out, at most %d interpreters\n", peer.python, PEERS);
            continue;
        }
        if (!peer_start(&peer, reply, threads) || !peer_ask(&peer, reply, "version") ||
            sscanf(reply, "%63s %15s", version, how) != 2) {
            printf("%s: left out: %s\n", peer.python, reply);
            peer_stop(&peer);
            continue;
        }
        peer_stop(&peer);
        if (peer.compile && strcmp(how, "compiled") != 0) {
            printf("compile:%s: left out: torch.compile does not work there\n", peer.python);
            continue;
        }
        version[strcspn(version, "+")] = 0;
        snprintf(peer.name, sizeof peer.name, "%.40s%s", version,
                 strcmp(how, "compiled") == 0 ? " compiled" : "");
        peers[count++] = peer;
    }
    return count;
}
