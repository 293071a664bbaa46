/*
 * dumper - the one thread of the library: its birth, its loop, its end.
 *
 * Why a bare clone() and not a pthread. A pthread counts: the process would not end when the
 * program's last thread does (main left by pthread_exit), and the C library would leave its
 * single-threaded ways for good, in every process that only registered a hub. The kernel's
 * single-descriptor-table ways stay as well, because the dumper has a table of its own. What a
 * pthread gives for nothing has to be done here:
 *	set*id          the C library would tell every pthread. Our interposers end the dumper
 *	                before such a call and start it again after, so it is born with the new
 *	                ids. (unshare and setns refuse while a second thread exists: the same.)
 *	thread pointer  points at a block of our own, zero but for its self pointer, so that code
 *	                built with stack protectors works; no thread-local variable and no
 *	                function of the C library beyond memcpy() and its like is used.
 *	end of process  exit_group() and exec end it as they end every thread.
 *
 * What it waits for. One thread cannot sleep on a futex and take a signal, so both come as
 * descriptors in its own table: a signalfd (the dump signal while it is ours, and the internal
 * signal by which the process' own threads poke it), and a pipe that tools ring through
 * /proc/PID/task/TID/fd (lib/as/as_control.h). All signals are blocked in it for ever: a
 * handler of the program never runs here, even if it was installed behind our back. So the
 * dump signal is *taken*, and before it counts as ours the kernel is asked whose handler stands.
 *
 * It does not share the file system context (CLONE_FS): chroot(), chdir() and unshare() of the
 * program do not move the feed.
 */
#ifndef SHMSCOPE_PRELOAD_DUMPER_H
#define SHMSCOPE_PRELOAD_DUMPER_H

#include <stdbool.h>
#include <stdint.h>

/*
 * dumper_start - make sure that this process has a dumper.
 * From then on, if the dump signal is ours, it is kept blocked in the program's threads; the
 * calling thread's own is blocked here and its view remembered.
 * Returns 0; a negative errno when it could not be started (the process then stays plain, and
 * is not tried again).
 * Safety: MT-safe, may block until the dumper is ready. Not from a signal handler.
 */
int dumper_start(void);

/*
 * dumper_stop - end the dumper if there is one, and wait until it is gone.
 * Returns whether there was one: dumper_start() brings it back.
 * Safety: as dumper_start().
 */
bool dumper_stop(void);

/*
 * dumper_keep_no_more - there is no dumper any more: threads shall not keep the dump signal blocked.
 * Safety: AS-safe, MT-safe, wait-free.
 */
void dumper_keep_no_more(void);

/*
 * dumper_poke - make the dumper look at dump_live and dump_state.
 * By the internal signal; where that cannot be queued, by the bell that tools ring.
 * Safety: AS-safe, MT-safe, wait-free.
 */
void dumper_poke(void);

/*
 * dumper_step_aside - the program wants the dump signal for itself from now on.
 * unblock_others  other threads are told to unblock it where the program wants it unblocked.
 * Safety: AS-safe, MT-safe, wait-free.
 */
void dumper_step_aside(bool unblock_others);

#endif
