#include "lib/state/wait.h"

#include <string.h>
#include <sys/syscall.h>

#include "tests/t.h"

static struct state st;

static struct state_thread *thread_in(long nr, char letter)
{
	state_init(&st);
	struct state_process *p = state_add_process(&st);
	struct state_thread *t = state_add_thread(&st, p);

	t->sys = (int)nr;
	t->state = letter;
	t->arg[0] = 5;
	return t;
}

TEST(the_kind_of_a_wait_follows_from_its_system_call)
{
	static const struct {
		long nr;
		enum state_wait_kind kind;
	} calls[] = {
		{ SYS_epoll_wait, STATE_WAIT_POLL }, { SYS_ppoll, STATE_WAIT_POLL },
		{ SYS_futex, STATE_WAIT_FUTEX },     { SYS_read, STATE_WAIT_READ },
		{ SYS_recvmsg, STATE_WAIT_READ },    { SYS_write, STATE_WAIT_WRITE },
		{ SYS_flock, STATE_WAIT_LOCK },      { SYS_connect, STATE_WAIT_CONNECT },
		{ SYS_nanosleep, STATE_WAIT_SLEEP }, { SYS_wait4, STATE_WAIT_CHILD },
		{ SYS_pause, STATE_WAIT_OTHER },
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		struct state_thread *t = thread_in(calls[i].nr, 'S');

		wait_set(&st, t, NULL);
		if (t->wait != calls[i].kind)
			T_FAIL("system call %ld: kind %d, wanted %d", calls[i].nr, t->wait,
			       calls[i].kind);
		T_OK(t->wait_text && t->wait_text[0]);
		state_fini(&st);
	}
}

TEST(what_a_feed_knows_of_the_descriptor_is_told)
{
	struct state_thread *t = thread_in(SYS_read, 'S');
	struct proc_wait w;

	proc_wait_decode(t->sys, t->arg, &w);
	strcpy(w.object, "pipe:[1234]");
	wait_set(&st, t, &w);
	T_STR(t->wait_text, "read from pipe:[1234] (fd 5)");
	state_fini(&st);
}

TEST(a_thread_outside_of_system_calls_is_told_by_its_state)
{
	struct state_thread *t = thread_in(-1, 'R');

	wait_set(&st, t, NULL);
	T_EQ(t->wait, STATE_WAIT_NONE);
	T_OK(!t->wait_text);
	t->sys = SYS_read; /* in a call, but on its way */
	wait_set(&st, t, NULL);
	T_OK(!t->wait_text);
	t->sys = -1;
	t->state = 'T';
	wait_set(&st, t, NULL);
	T_STR(t->wait_text, "stopped by a signal");
	t->state = 'D';
	wait_set(&st, t, NULL);
	T_HAS(t->wait_text, "page fault");
	t->captured = "signal"; /* by a signal: so it ran */
	wait_set(&st, t, NULL);
	T_OK(!t->wait_text);
	state_fini(&st);
}

TEST(a_restarted_call_is_told_by_the_function_it_is_in)
{
	struct state_thread *t = thread_in(SYS_restart_syscall, 'S');
	struct state_stack *s = state_add_stack(&st);

	wait_set(&st, t, NULL);
	T_EQ(t->wait, STATE_WAIT_OTHER);
	s->frames = 2;
	s->frame = arena_take(&st.arena, 2 * sizeof(*s->frame));
	s->frame[1].function = "poll";
	t->stack = 0;
	wait_set_by_frames(&st, t);
	T_EQ(t->wait, STATE_WAIT_POLL);
	T_STR(t->wait_text, "poll (restarted after a stop)");
	t->sys = SYS_futex;
	t->wait = STATE_WAIT_FUTEX;
	wait_set_by_frames(&st, t); /* no restarted call: left alone */
	T_EQ(t->wait, STATE_WAIT_FUTEX);
	state_fini(&st);
}
