/* peer.h - the benches' peers: PyTorch in processes of their own (peer_torch.py), each waiting at a
 * pipe while another side is timed. */
#ifndef SWWAE_BENCH_PEER_H
#define SWWAE_BENCH_PEER_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#define PEERS 4 /* interpreters, at most */
#define PEER_REPLY 512

struct peer {
    char python[256]; /* the interpreter, a path or a name to be found in PATH */
    bool compile;     /* with torch.compile */
    char name[64];    /* version, and "compiled" where it is; set by peers_find */
    bool lean;        /* started so that it takes least memory, not least time */
    pid_t pid;        /* 0: not running */
    FILE *to, *from;
};

/* Reads a list of interpreters separated by colons, "compile:" before one asks for torch.compile
 * ("/usr/bin/python3:compile:/home/me/torch/bin/python"); starts each once to learn its version.
 * Those without PyTorch are left out, which a line on stdout says. Returns how many are left. */
int peers_find(struct peer peers[PEERS], const char *list, int threads);

/* Starts the process; false, with the reason in reply, when it cannot. */
bool peer_start(struct peer *peer, char *reply, int threads);
void peer_stop(struct peer *peer);

/* One command, one answer in reply (PEER_REPLY bytes). False, with the reason there instead: it
 * could not be done, or the process is gone, or silent for ten minutes, which is then ended. */
bool peer_ask(struct peer *peer, char *reply, const char *command);

/* The same; the numbers of the answer, `count` of them. */
bool peer_numbers(struct peer *peer, double *numbers, int count, char *reply, const char *command);

#endif
