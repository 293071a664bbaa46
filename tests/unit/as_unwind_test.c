#include "lib/as/as_unwind.h"

#include <errno.h>
#include <execinfo.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "lib/as/as_peek.h"
#include "lib/as/as_sys.h"
#include "tests/t.h"

static struct as_peek *peek;
static struct as_thread thread;

static void prepare(void)
{
	peek = mmap(NULL, as_peek_bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	T_EQ(as_peek_init(peek, 0), 0);
	T_EQ(as_peek_refresh(peek), 0);
}

static uint64_t address(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

static bool has_flag(unsigned frame, enum as_frame_flags flag)
{
	return frame < thread.frames && thread.flags[frame] & flag;
}

/* ---- a full set of registers ------------------------------------------------------------------ */

static void *theirs[64];
static int n_theirs;

static void look_in_handler(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;
	uint64_t greg[AS_SIGNAL_REGS];
	struct as_regs regs;

	(void)sig;
	(void)info;
	memcpy(greg, uc->uc_mcontext.gregs, sizeof(greg));
	as_regs_of_signal(&regs, greg);
	as_peek_regs(peek, &regs, &thread);
	n_theirs = backtrace(theirs, 64);
}

__attribute__((noinline)) static int raise_deep(unsigned depth)
{
	volatile int here = (int)depth;

	return (depth ? raise_deep(depth - 1) : raise(SIGUSR1)) + here;
}

static int compare_raising(const void *a, const void *b)
{
	raise_deep(3);
	return *(const int *)a - *(const int *)b;
}

static void check_handler(void)
{
	int from = 0;

	/* backtrace() also shows the handler and the signal frame */
	while (from < n_theirs && address(theirs[from]) != thread.pc)
		from++;
	T_OK(from >= 2 && from < n_theirs);
	T_EQ(thread.frames, n_theirs - from);
	for (unsigned i = 0; i < thread.frames; i++)
		T_EQ(thread.frame[i], address(theirs[from + (int)i]));
	T_EQ(thread.end, AS_END_BOTTOM);
	T_EQ(thread.flags[0], AS_FRAME_EXACT);
}

TEST(from_the_registers_of_a_signal_the_chain_is_that_of_backtrace)
{
	const struct sigaction sa = { .sa_sigaction = look_in_handler, .sa_flags = SA_SIGINFO };
	int v[] = { 3, 1, 2 };

	prepare();
	n_theirs = backtrace(theirs, 64); /* loads libgcc now: as_peek knows it after a refresh */
	T_EQ(as_peek_refresh(peek), 0);
	T_EQ(sigaction(SIGUSR1, &sa, NULL), 0);
	raise_deep(0);
	check_handler();
	raise_deep(20);
	check_handler();
	qsort(v, 3, sizeof(v[0]), compare_raising);
	check_handler();
}

/* ---- at every instruction --------------------------------------------------------------------- */

/*
 * A child steps through calls, one instruction at a time: prologues and epilogues, leaf functions,
 * PLT entries and the loader behind them, the vdso, a callback, a call that is the last thing a
 * function does, a jump out of two frames. At each instruction the chain must lead to the same
 * caller, by CFI alone.
 */
static volatile int sink;
static sigjmp_buf back;

__attribute__((noinline)) static int leaf(int a)
{
	return a * 3 + sink;
}

__attribute__((noinline)) static int order(const void *a, const void *b)
{
	return leaf(*(const int *)a) - leaf(*(const int *)b);
}

__attribute__((noinline, noreturn)) static void leave(void)
{
	sink = 1;
	siglongjmp(back, 1);
}

__attribute__((noinline)) static int leave_at_the_end(int a)
{
	if (a)
		leave();
	return a;
}

__attribute__((noinline)) static int walk(int a)
{
	struct timespec now;
	int v[] = { 4, 2, 3, 1 };
	char text[64];

	sink = leaf(a);
	qsort(v, 4, sizeof(v[0]), order);
	snprintf(text, sizeof(text), "%d %s %x", v[0], "word", v[1]);
	clock_gettime(CLOCK_MONOTONIC, &now); /* in the vdso */
	sink = (int)strtol(text, NULL, 10) + getppid();
	if (!sigsetjmp(back, 0))
		leave_at_the_end(a + 1);
	free(malloc((size_t)a + 100));
	return sink + (int)now.tv_nsec;
}

/* Where the child is at the moment it begins: what every chain leads to. */
__attribute__((noinline)) static void walk_in_steps(void)
{
	syscall(SYS_kill, getpid(), SIGSTOP);
	sink = walk(3);
	syscall(SYS_kill, getpid(), SIGSTOP);
}

/* Whether a frame has this program counter. */
static bool is_in_chain(uint64_t pc)
{
	for (unsigned i = 0; i < thread.frames; i++)
		if (thread.frame[i] == pc)
			return true;
	return false;
}

static bool registers(pid_t pid, struct as_regs *regs)
{
	struct user_regs_struct user;

	if (ptrace(PTRACE_GETREGS, pid, NULL, &user))
		return false;
	as_regs_of_ptrace(regs, &user);
	return true;
}

static void tell_chain(unsigned step)
{
	printf("    step %u: %u frames, %s\n", step, thread.frames, as_end_name(thread.end));
	for (unsigned i = 0; i < thread.frames; i++) {
		const struct as_module *m = as_modules_find(&peek->unwinder.modules, thread.frame[i]);

		printf("      #%u %.*s+0x%llx%s\n", i, m ? m->path_len : 1,
		       m ? as_module_path(&peek->unwinder.modules, m) : "?",
		       (unsigned long long)(thread.frame[i] - (m ? m->start : 0)),
		       has_flag(i, AS_FRAME_GUESSED) ? " guessed" : "");
	}
}

/* Steps until the second stop; returns how many instructions that were. */
static unsigned step_through(pid_t pid, uint64_t caller)
{
	struct as_regs regs;
	unsigned steps = 0;
	int status;

	for (;; steps++) {
		T_EQ(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
		T_EQ(waitpid(pid, &status, 0), pid);
		T_OK(WIFSTOPPED(status));
		if (WSTOPSIG(status) == SIGSTOP)
			return steps;
		T_EQ(WSTOPSIG(status), SIGTRAP);
		T_OK(registers(pid, &regs));
		as_peek_regs(peek, &regs, &thread);
		bool guessed = false;
		for (unsigned i = 0; i < thread.frames; i++)
			guessed |= has_flag(i, AS_FRAME_GUESSED);
		if (thread.end != AS_END_BOTTOM || guessed || !is_in_chain(caller)) {
			tell_chain(steps);
			T_FAIL("not the chain of its callers");
		}
	}
}

TEST(at_every_instruction_the_chain_leads_to_the_caller)
{
	struct as_regs regs;
	int status;
	const pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		walk_in_steps();
		_exit(0);
	}
	T_EQ(waitpid(pid, &status, 0), pid);
	T_OK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	peek = mmap(NULL, as_peek_bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	T_EQ(as_peek_init(peek, pid), 0);
	T_EQ(as_peek_refresh(peek), 0);
	T_OK(registers(pid, &regs));
	as_peek_regs(peek, &regs, &thread);
	T_EQ(thread.end, AS_END_BOTTOM);
	/* #0 syscall, #1 walk_in_steps, #2 who called it */
	const unsigned steps = step_through(pid, thread.frame[2]);

	printf("    %u instructions\n", steps);
	T_OK(steps > 2000);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* ---- kinds of code ------------------------------------------------------------------------------ */

static int hold_fd[2];
static pthread_t holder;
static pid_t holder_tid;

__attribute__((noinline)) static void hold(void)
{
	char byte;

	if (read(hold_fd[0], &byte, 1) == 1)
		hold_fd[1] = -1;
}

static void *thread_main(void *arg)
{
	void (*volatile run)(void) = (void (*)(void))arg;

	holder_tid = gettid();
	T_EQ(write(hold_fd[1], "r", 1), 1); /* its number is known */
	run();
	return NULL;
}

/* Starts a thread that runs `run`, waits until it is held in read(), and looks at it. */
static void look_at(void (*run)(void))
{
	int started[2];

	T_EQ(pipe(started), 0);
	T_EQ(pipe(hold_fd), 0);
	const int in = hold_fd[1];
	char byte;

	hold_fd[1] = started[1];
	T_EQ(pthread_create(&holder, NULL, thread_main, (void *)run), 0);
	T_EQ(read(started[0], &byte, 1), 1);
	prepare();
	do
		as_peek_thread(peek, holder_tid, &thread);
	while (thread.captured != AS_CAPTURED_PEEK || thread.nr != SYS_read || thread.moved);
	hold_fd[1] = in;
}

static unsigned frame_in(const void *from, size_t n)
{
	for (unsigned i = 0; i < thread.frames; i++)
		if (thread.frame[i] > address(from) && thread.frame[i] <= address(from) + n)
			return i;
	T_FAIL("no frame between %p and %p", from, (const char *)from + n);
}

/* The start of the function that a return address lies in; 0 when no CFI tells. */
static uint64_t function_of(uint64_t ra)
{
	struct as_module *m = as_modules_find(&peek->unwinder.modules, ra - 1);
	struct as_fde fde;

	return m && !as_cfi_find(&peek->unwinder.mem, as_module_elf(m, &peek->unwinder.mem), ra - 1,
				 &fde)
		       ? fde.begin
		       : 0;
}

static unsigned frame_of(const void *function)
{
	for (unsigned i = 0; i < thread.frames; i++)
		if (function_of(thread.frame[i]) == address(function))
			return i;
	T_FAIL("no frame of the function at %p", function);
}

static void *jit_code;

static void call_jit(void)
{
	void (*code)(void (*)(void));

	memcpy(&code, &jit_code, sizeof(code));
	code(hold);
	hold_fd[0] = -1; /* no tail call */
}

TEST(jit_code_is_walked_by_its_frame_pointer_and_flagged)
{
	/* push rbp; mov rsp,rbp; call *rdi; pop rbp; ret */
	static const uint8_t code[] = { 0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3 };

	jit_code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(jit_code, code, sizeof(code));
	T_EQ(mprotect(jit_code, 4096, PROT_READ | PROT_EXEC), 0);
	look_at(call_jit);
	const unsigned jit = frame_in(jit_code, sizeof(code));

	T_EQ(as_modules_find(&peek->unwinder.modules, thread.frame[jit])->kind, AS_MODULE_JIT);
	/* where a build has frame pointers, the end of hold()'s own frame has to be searched */
	T_EQ(has_flag(jit, AS_FRAME_GUESSED), *(const uint8_t *)hold == 0x55);
	T_EQ(has_flag(jit + 1, AS_FRAME_GUESSED), 1);
	T_EQ(frame_of((const void *)call_jit), jit + 1);
	T_EQ(thread.end, AS_END_BOTTOM);
}

void no_cfi_call(void (*function)(void));
extern const char no_cfi_end[];

__asm__(".text\n"
	".type no_cfi_call, @function\n"
	"no_cfi_call:\n"
	"	subq $40, %rsp\n"
	"	call *%rdi\n"
	"	addq $40, %rsp\n"
	"	ret\n"
	"no_cfi_end:\n"
	".size no_cfi_call, . - no_cfi_call\n"
	".globl no_cfi_call, no_cfi_end\n");

static void call_without_cfi(void)
{
	no_cfi_call(hold);
	hold_fd[0] = -1;
}

TEST(code_without_cfi_and_frame_pointer_is_passed_by_a_search_and_flagged)
{
	/* where rbp is a frame pointer it is that of the caller, and points past it: nothing
	 * tells that the code at hand made no frame of its own */
	if (*(const uint8_t *)call_without_cfi == 0x55)
		t_skip("this build has frame pointers");
	look_at(call_without_cfi);
	const unsigned bare = frame_in((const void *)no_cfi_call, (size_t)(no_cfi_end - (const char *)no_cfi_call));

	T_EQ(frame_of((const void *)call_without_cfi), bare + 1);
	T_EQ(has_flag(bare + 1, AS_FRAME_GUESSED), 1);
	T_EQ(thread.end, AS_END_BOTTOM);
}

extern const char before_restorer[], bare_restorer[];

__asm__(".text\n"
	".globl before_restorer, bare_restorer\n"
	"before_restorer:\n"
	"	nop\n"
	"bare_restorer:\n"
	"	movq $15, %rax\n"
	"	syscall\n"
	"	nop\n");

static void hold_in_handler(int sig)
{
	hold();
	hold_fd[0] = -sig;
}

static void signal_with_a_bare_restorer(void)
{
	const struct as_sigaction sa = { .handler = address((const void *)hold_in_handler),
					 .flags = 0x04000000 /* SA_RESTORER */,
					 .restorer = address(bare_restorer) };

	T_EQ(as_sys_rt_sigaction(SIGUSR2, &sa, NULL), 0);
	raise(SIGUSR2);
	hold_fd[0] = -1;
}

TEST(a_signal_frame_is_known_by_its_code_where_it_has_no_cfi)
{
	look_at(signal_with_a_bare_restorer);
	const unsigned restorer = frame_in(before_restorer, 1);

	T_EQ(has_flag(restorer, AS_FRAME_SIGNAL), 1);
	T_EQ(has_flag(restorer, AS_FRAME_GUESSED), 0);
	T_EQ(has_flag(restorer + 1, AS_FRAME_EXACT), 1);
	T_OK(frame_of((const void *)signal_with_a_bare_restorer) > restorer);
	T_EQ(thread.end, AS_END_BOTTOM);
}

static void signal_as_usual(void)
{
	signal(SIGUSR2, hold_in_handler);
	raise(SIGUSR2);
	hold_fd[0] = -1;
}

TEST(a_signal_frame_and_what_it_interrupted_are_flagged)
{
	unsigned n = 0;

	look_at(signal_as_usual);
	for (unsigned i = 0; i < thread.frames; i++) {
		if (!has_flag(i, AS_FRAME_SIGNAL))
			continue;
		n++;
		T_EQ(has_flag(i + 1, AS_FRAME_EXACT), 1);
	}
	T_EQ(n, 1);
	T_EQ(thread.end, AS_END_BOTTOM);
}

/* ---- ends ---------------------------------------------------------------------------------------- */

__attribute__((noinline)) static int large_frames(unsigned depth)
{
	volatile char room[24000];

	room[0] = (char)depth;
	room[sizeof(room) - 1] = 1;
	if (depth)
		return large_frames(depth - 1) + room[0];
	hold();
	return room[sizeof(room) - 1];
}

static void hold_in_large_frames(void)
{
	hold_fd[0] += 0 * large_frames(300);
}

TEST(a_stack_larger_than_the_budget_is_truncated)
{
	pthread_attr_t attr;

	pthread_getattr_default_np(&attr);
	pthread_attr_setstacksize(&attr, 16 << 20);
	pthread_setattr_default_np(&attr);
	look_at(hold_in_large_frames);
	T_EQ(thread.end, AS_END_TRUNCATED);
	T_OK(thread.frames > 100);
	T_EQ(has_flag(thread.frames - 1, AS_FRAME_GUESSED), 0);
}

static enum as_end end_from(uint64_t pc, uint64_t sp)
{
	struct as_regs regs = { .known = 0 };

	as_regs_set(&regs, AS_RIP, pc);
	as_regs_set(&regs, AS_RSP, sp);
	as_peek_regs(peek, &regs, &thread);
	return thread.end;
}

/* A pc inside raise_deep() whose frame is a fixed number of bytes. */
static uint64_t fixed_frame_pc(int64_t *ra_at)
{
	const uint64_t start = address((const void *)raise_deep);

	for (uint64_t pc = start; pc < start + 64; pc++) {
		struct as_fde fde;
		struct as_module *m = as_modules_find(&peek->unwinder.modules, pc);

		T_EQ(as_cfi_find(&peek->unwinder.mem, as_module_elf(m, &peek->unwinder.mem), pc, &fde), 0);
		T_EQ(as_cfi_rules(&peek->unwinder.mem, &fde, pc, &peek->unwinder.work), 0);
		*ra_at = peek->unwinder.work.now.cfa.v - 8;
		if (peek->unwinder.work.now.cfa.reg == AS_RSP && *ra_at >= 24)
			return pc;
	}
	t_skip("raise_deep() has a frame pointer in this build");
}

TEST(the_reason_for_an_end_is_told)
{
	static uint64_t stack[512];
	int64_t at;

	prepare();
	const uint64_t pc = fixed_frame_pc(&at), sp = address(stack);

	T_EQ(end_from(pc, sp), AS_END_BOTTOM); /* the return address is 0 */
	T_EQ(thread.frames, 1);
	T_EQ(end_from(pc, 0x1000), AS_END_UNREADABLE);
	stack[at / 8] = 0x1234; /* a return address where nothing is */
	T_EQ(end_from(pc, sp), AS_END_BOTTOM);
	T_EQ(thread.frames, 2);
	T_EQ(thread.frame[1], 0x1234);
	T_EQ(end_from(0x10, 0x1000), AS_END_NO_CFI);
	T_EQ(thread.frames, 1);
	T_STR(as_end_name(AS_END_NO_CFI), "no-cfi");
}

TEST(a_call_through_a_bad_pointer_still_shows_its_caller)
{
	const struct sigaction sa = { .sa_sigaction = look_in_handler, .sa_flags = SA_SIGINFO };
	static uint64_t stack[512];
	unsigned i = 0;

	/* an address behind a call: where raise_deep() returns to */
	prepare();
	T_EQ(sigaction(SIGUSR1, &sa, NULL), 0);
	raise_deep(2);

	while (thread.frame[i] != thread.frame[i + 1])
		i++;
	stack[0] = thread.frame[i];
	end_from(0, address(stack));
	T_OK(thread.frames >= 2);
	T_EQ(thread.frame[1], stack[0]);
	T_EQ(has_flag(1, AS_FRAME_GUESSED), 1);
}

/* ---- garbage --------------------------------------------------------------------------------------- */

static uint64_t random_word(const uint64_t *stack, size_t words)
{
	const struct as_modules *t = &peek->unwinder.modules;
	const struct as_module *m = &t->module[(size_t)rand() % t->count];

	switch (rand() % 6) {
	case 0:
		return (uint64_t)rand() << 32 | (uint64_t)rand();
	case 1:
		return address(stack + (size_t)rand() % words);
	case 2:
		return (uint64_t)rand() % 100;
	default:
		return m->exec_start + ((uint64_t)rand() << 8 ^ (uint64_t)rand()) % (m->exec_end - m->exec_start);
	}
}

TEST(random_registers_and_stacks_end_soon)
{
	enum { WORDS = 4096 };
	static uint64_t stack[WORDS];
	struct as_regs regs;

	prepare();
	srand((unsigned)t_seed());
	for (unsigned round = 0; round < 1500 * t_length(); round++) {
		for (unsigned i = 0; i < WORDS; i++)
			stack[i] = random_word(stack, WORDS);
		for (unsigned reg = 0; reg < AS_REGS; reg++)
			regs.v[reg] = random_word(stack, WORDS);
		regs.known = (uint32_t)rand();
		as_regs_set(&regs, AS_RSP, address(stack + rand() % (WORDS / 2)));
		as_regs_set(&regs, AS_RIP, random_word(stack, WORDS));
		as_peek_regs(peek, &regs, &thread);
		T_OK(thread.frames >= 1 && thread.frames <= AS_PEEK_FRAMES);
		T_OK(thread.end <= AS_END_LIMIT);
	}
}
