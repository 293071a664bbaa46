/*
 * dump_signal - our signal handlers, and leaving an interrupted thread as if nothing had been.
 */
#ifndef SHMSCOPE_PRELOAD_DUMP_SIGNAL_H
#define SHMSCOPE_PRELOAD_DUMP_SIGNAL_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

/* What a poke (the internal signal) asks the thread that gets it to do; else a ticket. */
enum { DUMP_POKE_UNBLOCK = 0 };

/*
 * dump_signal_handler - for the dump signal. With a dumper it only passes the request on; in a
 * plain process it writes the dump itself, on a stack reserved for that. Either way the call
 * that was interrupted goes on. Installed with SA_RESTART|SA_ONSTACK|SA_SIGINFO and all
 * signals blocked.
 * Safety: AS-safe.
 */
void dump_signal_handler(int sig, siginfo_t *info, void *context);

/*
 * dump_signal_poked - for the internal signal, which our dumper sends to single threads: copy
 * your registers and stack for the dump, or unblock the dump signal.
 * Safety: AS-safe.
 */
void dump_signal_poked(int sig, siginfo_t *info, void *context);

/*
 * dump_signal_poke - send the internal signal to one thread of this process.
 * Installs its handler at the first call. Returns 0; -EBUSY when the program uses that signal
 * itself; or a negative errno.
 * Safety: AS-safe, MT-safe.
 */
int dump_signal_poke(pid_t tid, int what);

/*
 * dump_signal_restart - if the context stands right behind a system call that was interrupted
 * and that the kernel does not restart by itself, make it begin again.
 *
 * The kernel restarts what it can (SA_RESTART); what is left says -EINTR in RAX behind a
 * `syscall`. Its number is no longer in any register: it is taken from the instruction that
 * loads it, and only calls that may be begun again without harm are. A time-out given as a
 * span begins again too, except that sleeps with a place for the rest sleep only the rest.
 * When another signal waits to be delivered, that one ends the call: nothing is done.
 *
 * Returns whether the call will begin again.
 * Safety: AS-safe.
 */
bool dump_signal_restart(void *context);

/* dump_signal_call_on - call f(arg) on another stack. Safety: AS-safe. */
void dump_signal_call_on(void *stack_top, void (*f)(void *), void *arg);

#endif
