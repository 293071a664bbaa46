/*
 * dump_running - threads that keep running: each is sent the internal signal, copies its own
 * registers and the start of its stack in the handler, and goes on. The dumper unwinds the copy.
 *
 * A shot is what one thread is asked for. Its state word holds the ticket of the question and a
 * phase, so a handler that comes too late finds another ticket there and touches nothing; one
 * that is in the middle of copying when the dumper gives up keeps its shot until it is through.
 *
 * Ordering.
 *   label  word         released by           acquired by              so that
 *   R1     shot->state  dump_running_answer   dump_running_take        the copy is whole
 *   R2     shot->sleeps, shot->state: seq_cst on both sides: the dumper says that it will sleep,
 *          then looks once more; the handler answers, then looks whether anybody sleeps. To wake
 *          somebody costs the thread that was asked as much as all else together (13 of 30 us in
 *          a virtual machine), and an answer comes within some 20 us: so the dumper first polls.
 */
#ifndef SHMSCOPE_PRELOAD_DUMP_RUNNING_H
#define SHMSCOPE_PRELOAD_DUMP_RUNNING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { DUMP_SHOTS = 4, DUMP_SHOT_STACK = 16384, DUMP_SHOT_REGS = 23 };

struct dump_shot {
	_Atomic uint32_t state; /* R1: ticket * 4 + phase */
	_Atomic uint32_t sleeps; /* R2: the dumper has to be woken */
	bool given_up;          /* the dumper's: nobody waits for the copy that is being made */
	pid_t tid;
	uint64_t greg[DUMP_SHOT_REGS]; /* as in ucontext_t */
	uint64_t stack_addr;
	uint64_t stack_bytes;
	uint8_t stack[DUMP_SHOT_STACK];
};

enum dump_asked {
	DUMP_ASKED,   /* the shot will hold its answer */
	DUMP_ASLEEP,  /* it has fallen asleep, and can be looked at */
	DUMP_MASKED,  /* it has all signals blocked, for a moment (while it creates a thread) or for
			 ever */
	DUMP_NOT_ASKED,
};

/*
 * dump_running_ask - ask a thread for a copy; with `look`, unless a last look right before that
 * finds that it no longer runs. (One that falls asleep after the look is woken, and its handler makes the call
 * begin again: dump_restart.h.)
 * Sets *shot when it was asked, else *reason.
 * Safety: AS-safe, one dump at a time.
 */
enum dump_asked dump_running_ask(int proc_fd, pid_t tid, bool look, struct dump_shot **shot,
				 const char **reason);

/*
 * dump_running_take - wait for the answer, at most until `until_ns` of CLOCK_MONOTONIC.
 * Returns whether the shot holds a copy; then it is the caller's until dump_running_done().
 * Safety: AS-safe, one dump at a time.
 */
bool dump_running_take(struct dump_shot *shot, uint64_t until_ns);
void dump_running_done(struct dump_shot *shot);

/* dump_running_answer - in the handler of the thread that was asked. Safety: AS-safe. */
void dump_running_answer(uint32_t ticket, const void *context);

#endif
