/*
 * as_signal - names of signals, both ways, without the C library's locale.
 */
#ifndef SHMSCOPE_AS_SIGNAL_H
#define SHMSCOPE_AS_SIGNAL_H

#include <stddef.h>

enum { AS_SIGNAL_NAME = 16 };

/*
 * as_signal_number - "USR1", "SIGUSR1", "RTMIN+3", "RTMAX-2", "12".
 * Returns the number; -EINVAL when there is none of that name.
 * Safety: AS-safe, MT-safe, wait-free.
 */
int as_signal_number(const char *name);

/* as_signal_name - "SIGUSR1", "SIGRTMIN+3"; returns buf. Safety: AS-safe, MT-safe, wait-free. */
char *as_signal_name(char buf[AS_SIGNAL_NAME], int sig);

#endif
