#include <errno.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

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

/* All others go on to the C library as they came: one comparison. */
_Static_assert(SYS_seccomp == 317, "x86_64");
__asm__(".text\n"
	".globl syscall\n"
	".type syscall,@function\n"
	"syscall:\n"
	"	.cfi_startproc\n"
	"	endbr64\n"
	"	cmpq	$317, %rdi\n"
	"	je	pl_enter_seccomp\n"
	"	jmpq	*pl_real_syscall(%rip)\n"
	"	.cfi_endproc\n"
	".size syscall, . - syscall\n");
