/* stop.c - signals that ask a long call to stop; see stop.h. */
#include "stop.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t asked;

/* The second signal finds the default action and ends the process at once. */
static void on_signal(int number) {
    (void)number;
    asked = 1;
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
}

void stop_catch(void) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, old;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        /* nohup and shells' background jobs ignore some; that stays. */
        if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(numbers[i], &action, NULL);
    /* Ctrl-C on `swwae train | tee log` ends tee too; writing to it must not end the saving. */
    signal(SIGPIPE, SIG_IGN);
}

bool stop_asked(void) { return asked; }
