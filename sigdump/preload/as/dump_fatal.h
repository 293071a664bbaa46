/*
 * dump_fatal - a last dump, when a signal ends the process.
 */
#ifndef SHMSCOPE_PRELOAD_DUMP_FATAL_H
#define SHMSCOPE_PRELOAD_DUMP_FATAL_H

#include <signal.h>

/*
 * dump_fatal_handler - stands where the program has the default for SEGV, ABRT, BUS, ILL, FPE and
 * TERM. Writes the last dump (the dumper does, while this thread waits; in a plain process the
 * handler, on the reserved stack), at most DUMP_FATAL_MS; then puts the default back and lets the
 * same signal, with the same siginfo, come again as it returns: status and core are those of a
 * process without the library.
 *
 * Installed with SA_ONSTACK|SA_SIGINFO and all signals blocked: a fault in here finds its signal
 * blocked, and the kernel ends the process by it at once. A second thread that gets such a signal
 * waits for the dump of the first.
 * Safety: AS-safe.
 */
void dump_fatal_handler(int sig, siginfo_t *info, void *context);

#endif
