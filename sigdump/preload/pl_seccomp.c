#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/as/as_io.h"
#include "lib/as/as_sys.h"
#include "sigdump/preload/as/dump_restart.h"
#include "sigdump/preload/pl_priv.h"

/*
 * A process that enters seccomp. From then on the library makes no system call in it: the
 * dumper ends before (a filter may be for all threads), the handler returns at once, and a
 * dump is taken from outside. What a filter would allow cannot be known, and a wrong guess is
 * the program's death.
 *
 * The mode is set by prctl() or by the seccomp system call, for which the C library has no
 * function: it is made through syscall(), also by libseccomp.
 */

/* A process that is born under a filter. */
static bool has_filter(void)
{
	static const char line[] = "\nSeccomp:\t2";
	char status[4096];

	const ssize_t n = as_io_read_file(AT_FDCWD, "/proc/self/status", status, sizeof(status));
	return n > 0 && strstr(status, line);
}

/*
 * Makes the system calls of a dump that a plain program does not, with arguments that do nothing.
 * A refusal (ENOSYS, EPERM) is no harm: each caller copes with it.
 */
static void try_calls(void)
{
	const uint64_t none = 0;
	const struct timespec at_once = { 0, 0 };
	const pid_t pid = as_sys_getpid();
	struct stat st;
	struct statx stx;
	uint64_t word;
	const struct iovec to = { &word, sizeof(word) }, from = { (void *)&none, sizeof(none) };
	int fds[2];
	siginfo_t info = { .si_code = SI_QUEUE };

	as_sys_memfd_create("", 0);
	as_sys_process_vm_readv(pid, &to, 1, &from, 1);
	as_sys_signalfd(-1, &none, 0);
	as_sys_pipe2(fds, 0);
	as_sys_close_range(~0u, ~0u, 0);
	as_sys_rt_tgsigqueueinfo(pid, as_sys_gettid(), 0, &info);
	as_sys_rt_sigqueueinfo(pid, 0, &info);
	as_sys_rt_sigpending(&word);
	as_sys_tgkill(pid, as_sys_gettid(), 0);
	as_sys_poll(NULL, 0, &at_once);
	as_sys_getdents64(-1, NULL, 0);
	as_sys_fstatat(-1, "", &st, 0);
	as_sys_statx(-1, "", 0, 0, &stx);
	as_sys_socket(-1, 0, 0);
	as_sys_sendto(-1, &none, 0, 0, NULL, 0);
	as_sys_recv(-1, &word, 0, 0);
	as_sys_renameat2(-1, "", -1, "", 0);
	as_sys_mkdirat(-1, "", 0);
	as_sys_ftruncate(-1, 0);
	as_sys_pwrite(-1, &none, 0, 0);
	as_sys_lseek(-1, 0, 0);
	as_sys_getrandom(&word, sizeof(word), 0);
	as_sys_sched_yield();
	as_sys_prctl(PR_SET_NAME, (long)"sigdump", 0, 0, 0);
}

/*
 * In a child, which a filter may kill: nobody is told of its end (no SIGCHLD), and it leaves no
 * core.
 */
void pl_seccomp_probe(void)
{
	int status = 0;

	if (!has_filter())
		return;
	const pid_t pid = as_sys_fork_silently();
	if (pid == 0) {
		as_sys_prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
		try_calls();
		as_sys_exit_group(0);
	}
	dump_state.sandboxed = pid < 0 || as_sys_wait4(pid, &status, __WALL) != pid || status;
}

static void entered(bool worked, bool had)
{
	if (!worked) {
		pl_with_dumper(had);
		pl_fatal_install_all();
		return;
	}
	dump_state.sandboxed = true;
	/* relaxed: for display */
	atomic_store_explicit(&dump_state.page->signal_owner, AS_CONTROL_SIGNAL_NONE,
			      memory_order_relaxed);
}

PL_EXPORT int prctl(int option, ...)
{
	va_list ap;

	va_start(ap, option);
	const unsigned long a = va_arg(ap, unsigned long), b = va_arg(ap, unsigned long);
	const unsigned long c = va_arg(ap, unsigned long), d = va_arg(ap, unsigned long);
	va_end(ap);
	if (option != PR_SET_SECCOMP || !dump_state_is_ours())
		return pl_real.prctl(option, a, b, c, d);
	const bool had = pl_without_dumper();

	pl_fatal_remove_all();
	const int r = pl_real.prctl(option, a, b, c, d);
	entered(r == 0, had);
	return r;
}

long (*pl_real_syscall)(long nr, ...);
long pl_enter_seccomp(long nr, unsigned long op, unsigned long flags, void *args);

__attribute__((used, visibility("hidden"))) long pl_enter_seccomp(long nr, unsigned long op,
								  unsigned long flags, void *args)
{
	const bool sets = op == SECCOMP_SET_MODE_STRICT || op == SECCOMP_SET_MODE_FILTER;

	if (!sets || !dump_state_is_ours())
		return pl_real_syscall(nr, op, flags, args);
	const bool had = pl_without_dumper();

	pl_fatal_remove_all();
	const long r = pl_real_syscall(nr, op, flags, args);
	entered(r >= 0, had);
	return r;
}

/*
 * All others go on to the C library as they came, on the same stack; their number is kept for
 * dump_restart(). (%rax only counts vector registers, and the C library's does not read it.)
 */
_Static_assert(SYS_seccomp == 317, "x86_64");
_Static_assert(offsetof(struct dump_call, sp) == 0 && offsetof(struct dump_call, nr) == 8,
	       "the code below");
__asm__(".text\n"
	".globl syscall\n"
	".type syscall,@function\n"
	"syscall:\n"
	"	.cfi_startproc\n"
	"	endbr64\n"
	"	cmpq	$317, %rdi\n"
	"	je	pl_enter_seccomp\n"
	"	movq	dump_call@GOTTPOFF(%rip), %rax\n"
	"	movq	%rsp, %fs:(%rax)\n"
	"	movq	%rdi, %fs:8(%rax)\n"
	"	jmpq	*pl_real_syscall(%rip)\n"
	"	.cfi_endproc\n"
	".size syscall, . - syscall\n");
