/*
 * dump_context - the mask in the context that a handler of the program gets.
 *
 * A handler with SA_SIGINFO can read the interrupted thread's signal mask (uc_sigmask), and change
 * it for the time after. While the dump signal is kept blocked the kernel's mask has its bit,
 * which the program has never set. So such handlers are called through one of ours, which takes
 * the bit out before and puts it back behind. Handlers without SA_SIGINFO see no context, and
 * are left alone.
 */
#ifndef SHMSCOPE_PRELOAD_DUMP_CONTEXT_H
#define SHMSCOPE_PRELOAD_DUMP_CONTEXT_H

#include <signal.h>

typedef void (*dump_context_handler_fn)(int sig, siginfo_t *info, void *context);

/* dump_context_handler - stands in the place of all those handlers. Safety: AS-safe. */
void dump_context_handler(int sig, siginfo_t *info, void *context);

/*
 * dump_context_set - the program's handler for a signal; call before the kernel is told.
 * dump_context_get - that handler; NULL before there was one. No other check of sig than by the
 * kernel: it is 1 to 64.
 * Safety: AS-safe, MT-safe, wait-free.
 */
void dump_context_set(int sig, dump_context_handler_fn handler);
dump_context_handler_fn dump_context_get(int sig);

#endif
