/*
 * pl_priv - what the files of the preload share: the next definitions of what we interpose,
 * and the program's own view of the dump signal.
 *
 * While there is a dumper and the dump signal is ours, it is blocked in every thread of the
 * program (dump_live->keeps). The program does not notice: pl_mask.c keeps a view per thread,
 * in which the bit stands as the program has set it, and every interposed function that takes
 * or returns a mask translates. Without a dumper nothing is translated: the functions are the
 * C library's plus one test.
 *
 * Ordering.
 *   label  word         released by        acquired by        so that
 *   L10    note->used   start of a thread  pthread_create     a note is written again only after
 *                                                             it was read
 *   L11    notes->next  pthread_create     pthread_create     the table is mapped
 */
#ifndef SHMSCOPE_PL_PRIV_H
#define SHMSCOPE_PL_PRIV_H

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/types.h>
#include <threads.h>
#include <time.h>

#include "sigdump/preload/as/dump_state.h"

/* What `local: *` in sigdump.map hides stays hidden; these are the library's exports. */
#define PL_EXPORT __attribute__((visibility("default")))

/* Every function we call through, found once by pl_real_find(). NULL: this libc has it not. */
#define PL_REAL(X)                                                                              \
	X(sigaction, int, (int, const struct sigaction *, struct sigaction *))                  \
	X(signal, sighandler_t, (int, sighandler_t))                                            \
	X(sysv_signal, sighandler_t, (int, sighandler_t))                                       \
	X(sigset, sighandler_t, (int, sighandler_t))                                            \
	X(sigignore, int, (int))                                                                \
	X(siginterrupt, int, (int, int))                                                        \
	X(pthread_sigmask, int, (int, const sigset_t *, sigset_t *))                            \
	X(raise, int, (int))                                                                    \
	X(pthread_kill, int, (pthread_t, int))                                                  \
	X(pthread_sigqueue, int, (pthread_t, int, const union sigval))                          \
	X(tgkill, int, (pid_t, pid_t, int))                                                     \
	X(sigpending, int, (sigset_t *))                                                        \
	X(sigwait, int, (const sigset_t *, int *))                                              \
	X(sigwaitinfo, int, (const sigset_t *, siginfo_t *))                                    \
	X(sigtimedwait, int, (const sigset_t *, siginfo_t *, const struct timespec *))          \
	X(signalfd, int, (int, const sigset_t *, int))                                          \
	X(sigsuspend, int, (const sigset_t *))                                                  \
	X(ppoll, int, (struct pollfd *, nfds_t, const struct timespec *, const sigset_t *))     \
	X(__ppoll_chk, int,                                                                     \
	  (struct pollfd *, nfds_t, const struct timespec *, const sigset_t *, size_t))         \
	X(pselect, int,                                                                         \
	  (int, fd_set *, fd_set *, fd_set *, const struct timespec *, const sigset_t *))       \
	X(epoll_pwait, int, (int, struct epoll_event *, int, int, const sigset_t *))            \
	X(epoll_pwait2, int,                                                                    \
	  (int, struct epoll_event *, int, const struct timespec *, const sigset_t *))          \
	X(pthread_create, int,                                                                  \
	  (pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))                     \
	X(pthread_cancel, int, (pthread_t))                                                     \
	X(pthread_exit, void, (void *))                                                         \
	X(thrd_exit, void, (int))                                                               \
	X(pthread_attr_getsigmask_np, int, (const pthread_attr_t *, sigset_t *))                \
	X(thrd_create, int, (thrd_t *, thrd_start_t, void *))                                   \
	X(_Fork, pid_t, (void))                                                                 \
	X(execve, int, (const char *, char *const[], char *const[]))                            \
	X(execvpe, int, (const char *, char *const[], char *const[]))                           \
	X(fexecve, int, (int, char *const[], char *const[]))                                    \
	X(execveat, int, (int, const char *, char *const[], char *const[], int))                \
	X(posix_spawn, int,                                                                     \
	  (pid_t *, const char *, const posix_spawn_file_actions_t *,                           \
	   const posix_spawnattr_t *, char *const[], char *const[]))                            \
	X(posix_spawnp, int,                                                                    \
	  (pid_t *, const char *, const posix_spawn_file_actions_t *,                           \
	   const posix_spawnattr_t *, char *const[], char *const[]))                            \
	X(system, int, (const char *))                                                          \
	X(popen, FILE *, (const char *, const char *))                                          \
	X(setuid, int, (uid_t))                                                                 \
	X(setgid, int, (gid_t))                                                                 \
	X(seteuid, int, (uid_t))                                                                \
	X(setegid, int, (gid_t))                                                                \
	X(setreuid, int, (uid_t, uid_t))                                                        \
	X(setregid, int, (gid_t, gid_t))                                                        \
	X(setresuid, int, (uid_t, uid_t, uid_t))                                                \
	X(setresgid, int, (gid_t, gid_t, gid_t))                                                \
	X(setgroups, int, (size_t, const gid_t *))                                              \
	X(initgroups, int, (const char *, gid_t))                                               \
	X(unshare, int, (int))                                                                  \
	X(setns, int, (int, int))                                                               \
	X(prctl, int, (int, ...))

struct pl_real {
#define PL_REAL_FIELD(name, type, args) type(*name) args;
	PL_REAL(PL_REAL_FIELD)
#undef PL_REAL_FIELD
};
extern __attribute__((visibility("hidden"))) struct pl_real pl_real;

/* syscall(), apart because assembly goes through it (pl_seccomp.c). */
extern __attribute__((visibility("hidden"))) long (*pl_real_syscall)(long nr, ...);

/* pl_real_find - fill both. Safety: start-up (the loader may allocate). */
void pl_real_find(void);

/* The dump signal's bit is being kept blocked by us. Safety: AS-safe, wait-free. */
static inline bool pl_keeps(void)
{
	/* acquire L2: there is a dumper that takes it */
	return dump_live && atomic_load_explicit(&dump_live->keeps, memory_order_acquire);
}

/*
 * pl_action_set - sigaction() for a signal that is not ours: the program's handler is called
 * through dump_context_handler(), and it sees its own in `old`.
 * Safety: AS-safe, MT-safe.
 */
int pl_action_set(int sig, const struct sigaction *act, struct sigaction *old);

/* The calling thread's kernel mask lets the dump signal through, or not. Keeps errno.
 * Safety: AS-safe. */
void pl_mask_block(void);
void pl_mask_unblock(void);

/*
 * Around a call that starts another program in some way: what is started shall inherit the mask
 * as the program sees it. pl_mask_open() returns what pl_mask_close() takes.
 * Safety: AS-safe; keep errno.
 */
bool pl_mask_open(void);
void pl_mask_close(bool opened);

/* The program itself waits for the signals in `set` from now on. Safety: AS-safe. */
void pl_mask_awaits(const sigset_t *set);

/* Sets *copy to `set` with the dump signal in it if it has to stay blocked; returns what to
 * pass on. NULL stays NULL. Safety: AS-safe. */
const sigset_t *pl_mask_keep(const sigset_t *set, sigset_t *copy);

/* pl_action_install - our handler for the dump signal. Safety: start-up. */
void pl_action_install(void);

/* pl_options_read - fill dump_state from the environment. Safety: start-up. */
void pl_options_read(char **env);

/* pl_options_held - has `sigdump run` blocked the dump signal for us? Asked once. Safety: start-up. */
bool pl_options_held(char **env);

/*
 * pl_seccomp_probe - a filter that the process was born with: may the library make its system
 * calls? Where one of them would be deadly, dump_state.sandboxed is set.
 * Safety: start-up.
 */
void pl_seccomp_probe(void);

/* In the child of a fork. Safety: AS-safe. */
void pl_fork_child(void);

/*
 * Around a call for which the dumper has to be gone: pl_without_dumper() ends it and returns
 * whether there was one, which pl_with_dumper() takes: it starts it again, and where that fails
 * leaves the dump signal to the program's threads. Keeps errno.
 * Safety: MT-safe, may block. Not from a signal handler.
 */
bool pl_without_dumper(void);
void pl_with_dumper(bool had);

/*
 * pl_fatal - the last dump (pl_fatal.c). _install_all at start; _remove_all before seccomp; _has:
 * is it one of the signals; _change: sigaction() for one; _after: what the older functions return,
 * once they have set `handler`.
 */
void pl_fatal_install_all(void);
void pl_fatal_remove_all(void);
bool pl_fatal_has(int sig);
int pl_fatal_change(int sig, const struct sigaction *act, struct sigaction *old);
sighandler_t pl_fatal_after(int sig, sighandler_t handler, sighandler_t old);

#endif
