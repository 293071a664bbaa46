#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <ucontext.h>

#include "lib/as/as_proc.h"
#include "lib/as/as_sys.h"
#include "sigdump/preload/as/dump.h"
#include "sigdump/preload/as/dump_running.h"
#include "sigdump/preload/as/dump_signal.h"
#include "sigdump/preload/as/dump_state.h"

enum {
	POLL_NS = 100000,        /* how long the dumper looks for an answer before it sleeps */
	PAGE = 4096,
	FIRST_STACK = 64 << 20, /* below its end nothing else is mapped: the kernel keeps 128 MiB free */
};
enum phase { IDLE = 0, ARMED, COPYING, COPIED };

static uint32_t last_ticket; /* the dumper's; 30 bits, never 0 */

static uint32_t word(uint32_t ticket, enum phase phase)
{
	return ticket << 2 | phase;
}

static struct dump_shot *free_shot(void)
{
	struct dump_shot *shots = dump_shots();

	for (unsigned i = 0; i < DUMP_SHOTS; i++) {
		/* acquire R1: a copy that came too late is through */
		const uint32_t now = atomic_load_explicit(&shots[i].state, memory_order_acquire);
		if ((now & 3) == IDLE || ((now & 3) == COPIED && shots[i].given_up))
			return &shots[i];
	}
	return NULL;
}

void dump_running_done(struct dump_shot *shot)
{
	/* relaxed: only the dumper's own next question reads it */
	atomic_store_explicit(&shot->state, IDLE, memory_order_relaxed);
}

/* A ticket whose remainder is the shot's place. */
static uint32_t next_ticket(const struct dump_shot *shot)
{
	const uint32_t place = (uint32_t)(shot - dump_shots());

	last_ticket = (last_ticket / DUMP_SHOTS + 1) % ((1u << 28) - 1) * DUMP_SHOTS + DUMP_SHOTS;
	return last_ticket + place;
}

/* Its pages shall be there when the thread writes to them: a page fault costs it a microsecond. */
static void touch(struct dump_shot *shot)
{
	for (size_t i = 0; i < sizeof(shot->stack); i += PAGE)
		shot->stack[i] = 0;
	shot->stack[sizeof(shot->stack) - 1] = 0;
}

/* Sends the question. */
static int arm(struct dump_shot *shot, pid_t tid)
{
	const uint32_t ticket = next_ticket(shot);

	shot->tid = tid;
	shot->given_up = false;
	touch(shot);
	/* relaxed: a handler that sees it wakes nobody, or one too many */
	atomic_store_explicit(&shot->sleeps, 0, memory_order_relaxed);
	/* relaxed: the signal below is sent after it */
	atomic_store_explicit(&shot->state, word(ticket, ARMED), memory_order_relaxed);
	const int err = dump_signal_poke(tid, (int)ticket);
	if (err)
		/* relaxed: nobody was asked */
		atomic_store_explicit(&shot->state, word(ticket, IDLE), memory_order_relaxed);
	return err;
}

enum dump_asked dump_running_ask(int proc_fd, pid_t tid, bool look, struct dump_shot **shot,
				 const char **reason)
{
	struct as_proc_signals sig;
	struct as_proc_syscall call;
	struct dump_shot *const free = free_shot();

	*reason = "only it can tell, and there is no room for its answer";
	if (!free)
		return DUMP_NOT_ASKED;
	*reason = "it ended";
	if (as_proc_signals(proc_fd, tid, &sig) < 0)
		return DUMP_NOT_ASKED;
	*reason = "only it can tell, and it has all signals blocked";
	if (sig.blocked >> (dump_state.poke - 1) & 1)
		return DUMP_MASKED;
	if (look && as_proc_syscall(proc_fd, tid, &call) == 0 &&
	    call.form != AS_PROC_RUNNING)
		return DUMP_ASLEEP;
	*reason = "only it can tell, and it could not be asked";
	if (arm(free, tid))
		return DUMP_NOT_ASKED;
	*shot = free;
	return DUMP_ASKED;
}

/* The thread did not answer in time: take the question back, or leave it the shot. */
static void give_up(struct dump_shot *shot, uint32_t now)
{
	uint32_t armed = (now & ~3u) | ARMED;

	/* relaxed: back to IDLE; a handler that has begun to copy keeps the shot */
	if (!atomic_compare_exchange_strong_explicit(&shot->state, &armed, now & ~3u,
						     memory_order_relaxed, memory_order_relaxed))
		shot->given_up = true;
}

/* Announces that the dumper sleeps on the state `now`; whether it may: nothing has come meanwhile. */
static bool may_sleep(struct dump_shot *shot, uint32_t now)
{
	/* seq_cst R2: said before the look */
	atomic_store_explicit(&shot->sleeps, 1, memory_order_seq_cst);
	/* seq_cst R2: what is answered from now on sees that somebody sleeps */
	return atomic_load_explicit(&shot->state, memory_order_seq_cst) == now;
}

bool dump_running_take(struct dump_shot *shot, uint64_t until_ns)
{
	const uint64_t poll_until = as_sys_clock_ns(CLOCK_MONOTONIC) + POLL_NS;

	for (;;) {
		/* acquire R1: the copy is whole */
		const uint32_t now = atomic_load_explicit(&shot->state, memory_order_acquire);
		if ((now & 3) == COPIED)
			return true;
		const uint64_t clock = as_sys_clock_ns(CLOCK_MONOTONIC);
		if (clock >= until_ns) {
			give_up(shot, now);
			return false;
		}
		if (clock < poll_until || !may_sleep(shot, now))
			continue;
		const uint64_t left = until_ns - clock;
		const struct timespec span = { (time_t)(left / 1000000000u),
					       (long)(left % 1000000000u) };
		as_sys_futex(&shot->state, FUTEX_WAIT_PRIVATE, now, &span, NULL, 0);
	}
}

/*
 * How many bytes of a stack from `from` on are there for certain: up to its end, which is known of
 * the first thread's, and of a thread of the C library's near its end, where its thread block lies.
 */
static size_t sure_bytes(uint64_t from)
{
	const uint64_t block = (uint64_t)(uintptr_t)__builtin_thread_pointer();
	const uint64_t first = dump_state.stack_end;
	uint64_t n = 0;

	if (from < block && block - from <= DUMP_SHOT_STACK)
		n = block - from;
	else if (from < first && first - from <= FIRST_STACK)
		n = first - from;
	return n < DUMP_SHOT_STACK ? n : DUMP_SHOT_STACK;
}

/*
 * By plain loads where all of it is mapped for certain: a system call on the cold CPU of a program
 * that computes costs 3 to 8 us, all else in the handler 2. Otherwise never past what is mapped.
 */
static void copy_stack(struct dump_shot *shot, uint64_t sp)
{
	const uint64_t from = sp & ~UINT64_C(63);
	const size_t sure = sure_bytes(from);

	shot->stack_addr = from;
	shot->stack_bytes = sure;
	if (sure) {
		memcpy(shot->stack, (const void *)(uintptr_t)from, sure);
		return;
	}
	const struct iovec to = { shot->stack, sizeof(shot->stack) };
	const struct iovec of = { (void *)(uintptr_t)from, sizeof(shot->stack) };
	const ssize_t n = as_sys_process_vm_readv(dump_state.pid, &to, 1, &of, 1);

	shot->stack_bytes = n > 0 ? (uint64_t)n : 0;
}

void dump_running_answer(uint32_t ticket, const void *context)
{
	const ucontext_t *uc = context;
	struct dump_shot *shot = &dump_shots()[ticket % DUMP_SHOTS];
	uint32_t armed = word(ticket, ARMED);

	/* relaxed: only this handler may answer this ticket, and nothing is read on its account */
	if (!atomic_compare_exchange_strong_explicit(&shot->state, &armed, word(ticket, COPYING),
						     memory_order_relaxed, memory_order_relaxed))
		return;
	_Static_assert(sizeof(shot->greg) == sizeof(uc->uc_mcontext.gregs), "x86_64 has 23");
	memcpy(shot->greg, uc->uc_mcontext.gregs, sizeof(shot->greg));
	copy_stack(shot, (uint64_t)uc->uc_mcontext.gregs[REG_RSP]);
	/* release R1: the copy is whole; seq_cst R2: answered before the look */
	atomic_store_explicit(&shot->state, word(ticket, COPIED), memory_order_seq_cst);
	/* seq_cst R2: who looks at the state after this has not begun to sleep */
	if (atomic_load_explicit(&shot->sleeps, memory_order_seq_cst))
		as_sys_futex(&shot->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
