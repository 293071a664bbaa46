/*
 * dump_signal - our signal handlers. They leave an interrupted thread as if nothing had been
 * (dump_restart.h).
 */
#ifndef SHMSCOPE_PRELOAD_DUMP_SIGNAL_H
#define SHMSCOPE_PRELOAD_DUMP_SIGNAL_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

/* What a poke (the internal signal) asks the thread that gets it to do; else a ticket. */
enum { DUMP_POKE_UNBLOCK = 0 };

/* In the upper half of the value that every poke carries. */
enum { DUMP_POKE_MAGIC = 0x736d706b };

/*
 * dump_signal_handler - for the dump signal.
 *
 * People, scripts and other processes send it to get a dump, and it is not deadly then. Only a
 * program that sends it to itself may mean to end by it (dump_signal_ends): there it is a fatal
 * signal like others.
 *
 * With a dumper it only passes the request on; in a
 * plain process it writes the dump itself, on a stack reserved for that. Either way the call
 * that was interrupted goes on. Installed with SA_RESTART|SA_ONSTACK|SA_SIGINFO and all
 * signals blocked.
 * Safety: AS-safe.
 */
void dump_signal_handler(int sig, siginfo_t *info, void *context);

/*
 * dump_signal_ends - does the program mean to end by a dump signal with this si_code and sender?
 * It does when it sends it to itself by raise(), and when it had a handler, has put the default
 * back and sends it to itself in any way.
 * Safety: AS-safe, MT-safe.
 */
bool dump_signal_ends(int code, pid_t sender);

/*
 * dump_signal_poked - for the internal signal, which our dumper sends to single threads: copy
 * your registers and stack for the dump, or unblock the dump signal.
 * Safety: AS-safe.
 */
void dump_signal_poked(int sig, siginfo_t *info, void *context);

/*
 * dump_signal_poke - send the internal signal to one thread of this process.
 * Installs its handler, also where the program has one: what is not ours is handed on to that,
 * and dump_signal_give_back() puts it back once all pokes have arrived. Returns 0 or a negative
 * errno.
 * Safety: AS-safe, the dumper (or the handler of a plain process) only.
 */
int dump_signal_poke(pid_t tid, int what);
void dump_signal_give_back(void);

/*
 * dump_signal_lent - the program's disposition of the internal signal while ours stands in its
 * place: false when it is the default. dump_signal_keep: the program has set the default.
 * Safety: AS-safe, MT-safe.
 */
bool dump_signal_lent(struct as_sigaction *theirs);
void dump_signal_keep(void);

/*
 * dump_signal_dump - dump_run() in a handler, on the stack reserved for that.
 * Returns false when another thread's handler is on it (threads that were made without the C
 * library, or a dumper that could not be started): nothing was done then.
 * Safety: AS-safe; not in a thread that is on that stack already.
 */
struct dump_request;
bool dump_signal_dump(struct dump_request *request);

#endif
