#include "lib/state/wait.h"

#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static const enum state_wait_kind kinds[] = {
	[PROC_WAIT_OTHER] = STATE_WAIT_OTHER,     [PROC_WAIT_NONE] = STATE_WAIT_NONE,
	[PROC_WAIT_READ] = STATE_WAIT_READ,       [PROC_WAIT_WRITE] = STATE_WAIT_WRITE,
	[PROC_WAIT_EPOLL] = STATE_WAIT_POLL,      [PROC_WAIT_POLL] = STATE_WAIT_POLL,
	[PROC_WAIT_FUTEX] = STATE_WAIT_FUTEX,     [PROC_WAIT_FLOCK] = STATE_WAIT_LOCK,
	[PROC_WAIT_OPEN] = STATE_WAIT_CONNECT,
	[PROC_WAIT_CONNECT] = STATE_WAIT_CONNECT, [PROC_WAIT_SLEEP] = STATE_WAIT_SLEEP,
	[PROC_WAIT_CHILD] = STATE_WAIT_CHILD,     [PROC_WAIT_SIGNAL] = STATE_WAIT_OTHER,
	[PROC_WAIT_IPC] = STATE_WAIT_OTHER,       [PROC_WAIT_RESTART] = STATE_WAIT_OTHER,
};

/* Blocked, but in no system call. */
static const char *outside(char letter)
{
	switch (letter) {
	case 'T':
		return "stopped by a signal";
	case 't':
		return "stopped by a tracer";
	case 'D':
		return "uninterruptible, outside of a system call (a page fault?)";
	case 'S':
		return "asleep outside of a system call (a page fault?)";
	default:
		return NULL;
	}
}

void wait_set(struct state *st, struct state_thread *t, const struct proc_wait *known)
{
	struct proc_wait decoded;
	char text[384];

	t->wait = STATE_WAIT_NONE;
	t->wait_text = NULL;
	t->timed = false;
	t->server = NULL;
	/* it ran: whatever call it is in, or was a moment earlier, it does not wait there */
	if (t->state == 'R' || (t->captured && strcmp(t->captured, "signal") == 0))
		return;
	if (t->sys < 0) {
		t->wait_text = known && known->server
				       ? arena_printf(&st->arena, "a page fault, for an answer of its "
								  "filesystem (%s)", known->server)
				       : outside(t->state);
		t->server = known ? known->server : NULL;
		return;
	}
	if (!known) {
		proc_wait_decode(t->sys, t->arg, &decoded);
		known = &decoded;
	}
	t->wait = kinds[known->kind];
	t->timed = known->clock != PROC_CLOCK_NONE || known->kind == PROC_WAIT_RESTART;
	t->server = known->server;
	t->wait_text = arena_strdup(&st->arena, proc_wait_text(known, text, sizeof(text)));
}

int32_t wait_child_of(const struct state_thread *t)
{
	const int which = (int)t->arg[0];

	if (t->sys == SYS_wait4)
		return which > 0 ? which : which == -1 ? WAIT_ANY_CHILD : WAIT_NO_CHILD;
	if (t->sys != SYS_waitid)
		return WAIT_NO_CHILD;
	return which == P_PID ? (int32_t)t->arg[1] : which == P_ALL ? WAIT_ANY_CHILD : WAIT_NO_CHILD;
}

/* ---- by the stack ------------------------------------------------------------------------ */

struct entry { /* a function of the C library, and the call it makes */
	const char *function;
	long nr;
};

static const struct entry entries[] = {
	{ "epoll_wait", SYS_epoll_wait },
	{ "epoll_pwait", SYS_epoll_pwait },
	{ "poll", SYS_poll },
	{ "__poll", SYS_poll },
	{ "ppoll", SYS_ppoll },
	{ "select", SYS_select },
	{ "__select", SYS_select },
	{ "nanosleep", SYS_nanosleep },
	{ "clock_nanosleep", SYS_clock_nanosleep },
	{ "usleep", SYS_nanosleep },
	{ "futex_wait", SYS_futex },
	{ "__futex_abstimed_wait_common", SYS_futex },
	{ "__futex_abstimed_wait_common64", SYS_futex },
	{ "sem_timedwait", SYS_futex },
	{ "pthread_cond_timedwait", SYS_futex },
};

static long call_of(const char *function)
{
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
		if (strcmp(entries[i].function, function) == 0)
			return entries[i].nr;
	return -1;
}

void wait_set_by_frames(struct state *st, struct state_thread *t)
{
	enum { LOOK_AT = 4 }; /* further out, it is somebody's own function of that name */

	if (t->sys != SYS_restart_syscall || t->stack < 0)
		return;
	const struct state_stack *s = &st->stack[t->stack];

	for (size_t i = 0; i < s->frames && i < LOOK_AT; i++) {
		const long nr = s->frame[i].function ? call_of(s->frame[i].function) : -1;
		struct proc_wait w;

		if (nr < 0)
			continue;
		/* the arguments are those of the first try, so only its kind can be trusted */
		proc_wait_decode(nr, t->arg, &w);
		t->wait = kinds[w.kind];
		t->wait_text = arena_printf(&st->arena, "%s (restarted after a stop)",
					    s->frame[i].function);
		return;
	}
}
