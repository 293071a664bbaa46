#include "lib/proc/proc_stop.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#include "lib/as/as_proc.h"
#include "lib/as/as_restart.h"
#include "lib/as/as_sys.h"

enum { STOP_NS = 200000000 };

/*
 * Waits until the thread has stopped: -1 when it does not in time; 0 in our own stop; else the
 * signal that it was about to get and that has to be handed on.
 */
static int wait_stopped(pid_t tid)
{
	const uint64_t until = as_sys_clock_ns(CLOCK_MONOTONIC) + STOP_NS;
	const struct timespec pause = { 0, 20000 };
	int status;

	while (as_sys_clock_ns(CLOCK_MONOTONIC) < until) {
		const int got = as_sys_wait4(tid, &status, __WALL | WNOHANG);
		if (got < 0 || (got == tid && !WIFSTOPPED(status)))
			return -1;
		if (got == tid)
			return status >> 16 == PTRACE_EVENT_STOP ? 0 : WSTOPSIG(status);
		nanosleep(&pause, NULL);
	}
	return -1;
}

/* Through /proc/PID/mem, which never waits for a page (as_mem.c), least of all in a stop. */
static ssize_t copy(pid_t tid, uint64_t addr, void *buf, size_t n)
{
	const int proc_fd = as_proc_open(tid);
	const int fd = proc_fd < 0 ? proc_fd : as_proc_file(proc_fd, tid, "mem");
	const ssize_t got = fd < 0 ? fd : as_sys_pread(fd, buf, n, addr);

	if (fd >= 0)
		as_sys_close(fd);
	if (proc_fd >= 0)
		as_sys_close(proc_fd);
	return got;
}

static bool copy_stopped(pid_t tid, void *stack, size_t room, struct proc_stopped *got)
{
	const struct iovec set = { &got->regs, sizeof(got->regs) };

	if (as_sys_ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, (void *)&set) < 0)
		return false;
	got->addr = got->regs.rsp & ~UINT64_C(63);
	const ssize_t n = copy(tid, got->addr, stack, room);
	got->n = n > 0 ? (size_t)n : 0;
	return n > 0;
}

/* A signal that is about to be delivered; it would end the call anyway. */
static bool signal_waits(pid_t tid)
{
	struct as_proc_signals sig;
	const int proc_fd = as_proc_open(tid);
	const int err = proc_fd < 0 ? proc_fd : as_proc_signals(proc_fd, tid, &sig);

	if (proc_fd >= 0)
		as_sys_close(proc_fd);
	return err || ((sig.pending | sig.shared_pending) & ~sig.blocked);
}

/* Behind the `syscall` of a call that the stop has ended: back to it, with its number. */
static bool begin_again(pid_t tid, const struct user_regs_struct *at)
{
	struct user_regs_struct regs = *at;
	const struct iovec set = { &regs, sizeof(regs) };
	uint8_t code[2];

	/* (another way than by the stop there is not: behind a handler no call is known any more) */
	if ((int64_t)at->orig_rax < 0 || (int64_t)at->rax != -EINTR ||
	    !as_restart_may((long)at->orig_rax) || signal_waits(tid) ||
	    copy(tid, at->rip - 2, code, 2) != 2 || code[0] != 0x0f || code[1] != 0x05)
		return false;
	regs.rax = at->orig_rax;
	regs.orig_rax = (unsigned long long)-1;
	regs.rip -= 2;
	return as_sys_ptrace(PTRACE_SETREGSET, tid, (void *)NT_PRSTATUS, (void *)&set) == 0;
}

const char *proc_stop_copy(pid_t tid, void *stack, size_t room, struct proc_stopped *got)
{
	const long err = as_sys_ptrace(PTRACE_SEIZE, tid, NULL, NULL);

	if (err)
		return err == -ESRCH ? "it ended" : "running, and ptrace is not allowed";
	as_sys_ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
	const int sig = wait_stopped(tid);
	const bool copied = sig >= 0 && copy_stopped(tid, stack, room, got);
	got->again = copied && sig == 0 && begin_again(tid, &got->regs);
	as_sys_ptrace(PTRACE_DETACH, tid, NULL, (void *)(intptr_t)(sig > 0 ? sig : 0));
	return copied ? NULL : "running, and it did not stop in time";
}
