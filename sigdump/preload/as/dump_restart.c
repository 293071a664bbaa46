#include "sigdump/preload/as/dump_restart.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>

#include "lib/as/as_restart.h"
#include "lib/as/as_sys.h"
#include "sigdump/preload/as/dump_state.h"

enum {
	CODE_BEFORE = 32, /* bytes of code in front of a return address that are looked at */
	NUMBERS = 1024,   /* system calls have smaller numbers */
};

/* Copies the code that ends at `pc`; bytes copied, aligned to the end of `code`. */
static size_t code_before(uint64_t pc, uint8_t code[CODE_BEFORE])
{
	const pid_t tid = as_sys_gettid();
	ssize_t got = 0;

	/* a page may end in between: take less then */
	for (size_t n = CODE_BEFORE; n >= 8; n /= 2) {
		const struct iovec to = { code + CODE_BEFORE - n, n };
		const struct iovec from = { (void *)(uintptr_t)(pc - n), n };

		got = as_sys_process_vm_readv(tid, &to, 1, &from, 1);
		if (got == (ssize_t)n)
			return n;
	}
	/* refused (a container's filter): this thread has just run what stands in this page */
	const size_t in_page = pc & 4095;
	if ((got != -EPERM && got != -ENOSYS) || in_page < CODE_BEFORE)
		return 0;
	memcpy(code, (const void *)(uintptr_t)(pc - CODE_BEFORE), CODE_BEFORE);
	return CODE_BEFORE;
}

__thread struct dump_call dump_call;

/* syscall(2) moves each of its arguments one place on: mov %rdi,%rax; mov %rsi,%rdi; ... */
static bool is_mover(const uint8_t *end, size_t n)
{
	static const uint8_t mover[] = { 0x48, 0x89, 0xf8, 0x48, 0x89, 0xf7, 0x48, 0x89, 0xd6,
					 0x48, 0x89, 0xca, 0x4d, 0x89, 0xc2, 0x4d, 0x89, 0xc8,
					 0x4c, 0x8b, 0x4c, 0x24, 0x08, 0x0f, 0x05 };

	return n >= sizeof(mover) && memcmp(end - sizeof(mover), mover, sizeof(mover)) == 0;
}

/*
 * The last `mov $number, %eax` before `end`; -1: there is none. Behind a prefix that makes it
 * %r8d it is none.
 */
static long number_loaded(const uint8_t *from, const uint8_t *end)
{
	for (const uint8_t *at = end - 5; at >= from; at--) {
		uint32_t nr;

		if (*at != 0xb8 || (at > from && (at[-1] & 0xf1) == 0x41))
			continue;
		memcpy(&nr, at + 1, sizeof(nr));
		if (nr < NUMBERS)
			return nr;
	}
	return -1;
}

/* The number of the system call behind whose `syscall` a thread stands; -1: it cannot be told. */
static long number_before(uint64_t pc, uint64_t sp)
{
	uint8_t code[CODE_BEFORE];
	const size_t n = code_before(pc, code);
	const uint8_t *end = code + CODE_BEFORE;

	if (n < 8 || end[-2] != 0x0f || end[-1] != 0x05)
		return -1;
	/* (a handler of the program's that has made one since then stood elsewhere) */
	if (is_mover(end, n))
		return dump_call.sp == sp && dump_call.nr < NUMBERS ? (long)dump_call.nr : -1;
	return number_loaded(end - n, end - 2);
}

static bool another_signal_waits(const ucontext_t *uc)
{
	uint64_t pending = 0, blocked;

	memcpy(&blocked, &uc->uc_sigmask, sizeof(blocked));
	if (as_sys_rt_sigpending(&pending) < 0)
		return false;
	if (dump_state.signal)
		pending &= ~(UINT64_C(1) << (dump_state.signal - 1));
	return pending & ~blocked;
}

bool dump_restart(void *context)
{
	ucontext_t *uc = context;
	greg_t *regs = uc->uc_mcontext.gregs;

	if (regs[REG_RAX] != -EINTR || another_signal_waits(uc))
		return false;
	const long nr = number_before((uint64_t)regs[REG_RIP], (uint64_t)regs[REG_RSP]);
	if (!as_restart_may(nr))
		return false;
	/* the kernel has stored what is left to sleep where the program asked for it */
	if (nr == SYS_nanosleep && regs[REG_RSI])
		regs[REG_RDI] = regs[REG_RSI];
	if (nr == SYS_clock_nanosleep && regs[REG_R10] && !(regs[REG_RSI] & TIMER_ABSTIME))
		regs[REG_RDX] = regs[REG_R10];
	regs[REG_RAX] = nr;
	regs[REG_RIP] -= 2;
	return true;
}
