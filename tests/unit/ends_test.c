/* Who has the other end: by what the processes of a state have open, and by asking the system. */
#include "lib/state/ends.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/state/ends_look.h"
#include "lib/state/process_look.h"
#include "tests/program.h"
#include "tests/state_build.h"
#include "tests/t.h"

/* ---- of a state ---------------------------------------------------------------------------- */

static struct state_process *add_process(struct state *st, int32_t pid, const char *name)
{
	struct state_process *p = state_add_process(st);

	p->pid = pid;
	p->name = name;
	p->boot = "boot";
	return p;
}

static struct state_thread *add_reader(struct state *st, struct state_process *p, const char *is,
				       uint64_t peer)
{
	struct state_thread *t = state_add_thread(st, p);

	t->tid = p->pid;
	t->state = 'S';
	t->sys = SYS_read;
	t->arg[0] = 3;
	T_EQ(ends_take(st, t, &(struct ends_given){ 3, POLLIN, is, peer, false }, 1, 1, -1), 0);
	return t;
}

static const char *text_of(struct state *st, size_t process)
{
	T_EQ(state_join(st), 0);
	const char *text = st->process[process].thread[0].wait_text;

	return text ? text : "-";
}

TEST(who_writes_to_the_pipe_is_told_and_who_only_reads_from_it_is_not)
{
	struct state *st = build_state(0);

	add_reader(st, add_process(st, 10, "cc1"), "pipe:[5]", 0);
	T_EQ(ends_open(st, add_process(st, 11, "as"), 0, "pipe:[5]", true, false), 0);
	T_EQ(ends_open(st, add_process(st, 12, "make"), 4, "pipe:[5]", false, true), 0);
	T_EQ(ends_open(st, add_process(st, 13, "other"), 4, "pipe:[55]", false, true), 0);
	T_STR(text_of(st, 0), "read from pipe:[5] (other end: make, pid 12) (fd 3)");
	T_EQ(st->process[0].thread[0].end->party->fd, 4);
	T_OK(!st->process[0].thread[0].end->all_known);
	build_free(st);
}

TEST(the_other_end_of_a_socket_is_the_one_with_the_peers_inode)
{
	struct state *st = build_state(0);

	add_reader(st, add_process(st, 10, "client"), "socket:[7]", 8);
	T_EQ(ends_open(st, add_process(st, 11, "server"), 6, "socket:[8]", true, true), 0);
	T_EQ(ends_open(st, add_process(st, 12, "server"), 6, "socket:[8]", true, true), 0);
	T_EQ(ends_open(st, add_process(st, 13, "third"), 6, "socket:[8]", true, true), 0);
	T_STR(text_of(st, 0), "read from socket:[7] (other end: server, pid 11 and 2 more) (fd 3)");
	build_free(st);
}

TEST(who_was_asked_of_all_counts_more_than_who_is_there)
{
	const struct ends_who who[] = { { 10, 3, true, false, "cc1" },
					{ 12, 4, false, true, "make" },
					{ 14, 5, true, true, "gone" } };
	struct state *st = build_state(0);
	struct state_process *p = add_process(st, 10, "cc1");

	add_reader(st, p, "pipe:[5]", 0);
	T_EQ(ends_open(st, add_process(st, 12, "make"), 4, "pipe:[5]", false, true), 0);
	p = &st->process[0];
	T_EQ(ends_asked(st, p, "pipe:[55]", who, 3, 3, true), 0);
	T_EQ(p->thread[0].end->parties, 0);
	T_EQ(ends_asked(st, p, "pipe:[5]", who, 3, 3, true), 0);
	T_EQ(p->thread[0].end->parties, 2);
	T_EQ(p->thread[0].end->party[1].pid, 14);
	T_OK(p->thread[0].end->all_known);
	T_STR(text_of(st, 0), "read from pipe:[5] (other end: make, pid 12 and 1 more) (fd 3)");
	state_fini(st);
	free(st);
}

TEST(where_not_all_were_asked_or_listed_others_may_have_it)
{
	const struct ends_who who[] = { { 12, 4, false, true, "make" } };
	const struct { uint32_t all; bool all_known; } not[] = { { 1, false }, { 2, true } };

	for (size_t i = 0; i < 2; i++) {
		struct state *st = build_state(0);
		struct state_process *p = add_process(st, 10, "cc1");
		const struct state_thread *t = add_reader(st, p, "pipe:[5]", 0);

		T_EQ(ends_asked(st, p, "pipe:[5]", who, 1, not[i].all, not[i].all_known), 0);
		T_EQ(t->end->parties, 1);
		T_OK(!t->end->all_known);
		state_fini(st);
		free(st);
	}
}

TEST(another_machine_has_other_pipes_of_that_number)
{
	struct state *st = build_state(0);

	add_reader(st, add_process(st, 10, "cc1"), "pipe:[5]", 0);
	add_process(st, 12, "make")->boot = "another";
	T_EQ(ends_open(st, &st->process[1], 4, "pipe:[5]", false, true), 0);
	text_of(st, 0);
	T_EQ(st->process[0].thread[0].end->parties, 0);
	build_free(st);
}

TEST(one_that_has_both_ends_itself_is_told_so)
{
	struct state *st = build_state(0);

	add_reader(st, add_process(st, 10, "cc1"), "pipe:[5]", 0);
	T_EQ(ends_open(st, &st->process[0], 4, "pipe:[5]", false, true), 0);
	T_STR(text_of(st, 0), "read from pipe:[5] (other end: only this process itself) (fd 3)");
	build_free(st);
}

TEST(threads_that_share_an_epoll_set_share_what_is_known_of_it)
{
	struct state *st = build_state(0);
	struct state_process *p = add_process(st, 10, "server");
	const struct ends_given given[] = { { 5, POLLIN, "socket:[7]", 0, false },
					    { 6, POLLOUT, "/run/in", 0, true },
					    { 7, POLLIN, NULL, 0, false },
					    { 8, POLLIN, "anon_inode:[timerfd]", 0, false } };
	char text[ENDS_TEXT];

	state_add_thread(st, p);
	struct state_thread *other = state_add_thread(st, p), *t = &p->thread[0];

	T_OK(!ends_share(p, other, 4));
	t->wait = other->wait = STATE_WAIT_POLL;
	T_EQ(ends_take(st, t, given, 4, 40, 4), 0);
	T_OK(ends_share(p, other, 4));
	T_OK(!ends_share(p, other, 5));
	T_STR(ends_text(p, other, text), "40 fds: 5 socket:[7], 6 /run/in to write, 7 (closed), 8 timerfd "
					 "and 36 more");
	T_STR(t->end[1].kind, "fifo");
	T_STR(t->end[1].other, "/run/in");
	other->wait = STATE_WAIT_READ;
	T_STR(ends_text(p, other, text), "");
	build_free(st);
}

/* ---- of the system ------------------------------------------------------------------------- */

static struct program prog;
static struct state st;
static pid_t left, right;

static void look(const char *mode)
{
	struct process_look *looker = process_look_create();
	struct ends_look *ends = ends_look_create(10000000, 10000000);

	program_start(&prog, "ends", mode, getenv("TMPDIR"), NULL);
	program_expect(&prog, "left");
	left = atoi(strchr(prog.line, ' '));
	program_expect(&prog, "right");
	right = atoi(strchr(prog.line, ' '));
	program_expect(&prog, "ready");
	state_init(&st);
	process_look_begin(looker);
	T_EQ(process_look_fill(looker, &st, left, 0, NULL, 0, true), 1);
	T_EQ(ends_look_fill(ends, &st, &st.process[0]), 0);
	process_look_destroy(looker);
	ends_look_destroy(ends);
}

static void remove_file(void)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/locked", getenv("TMPDIR"));
	unlink(path);
}

static void end_look(void)
{
	state_fini(&st);
	program_end(&prog);
	remove_file();
}

static const struct state_thread *thread(const char *name)
{
	for (size_t i = 0; i < st.process[0].threads; i++)
		if (strcmp(st.process[0].thread[i].name, name) == 0)
			return &st.process[0].thread[i];
	T_FAIL("no thread %s", name);
	return NULL;
}

TEST(every_file_of_a_set_is_told_with_who_has_its_other_end)
{
	unsigned with_right = 0, listening = 0;

	look("loop");
	const struct state_thread *t = thread("left");

	T_EQ(t->ends_all, 6);
	T_EQ(t->ends, 6);
	for (size_t i = 0; i < t->ends; i++) {
		with_right += t->end[i].parties == 1 && t->end[i].party->pid == right;
		listening += t->end[i].where &&
			     strncmp(t->end[i].where, "tcp listening on 127.0.0.1:", 27) == 0;
	}
	T_EQ(with_right, 3); /* a pipe, a unix socket, and a connection within the machine */
	T_EQ(listening, 1);
	T_EQ(thread("poller")->ends_all, 2);
	T_EQ(thread("chooser")->end->party->pid, right);
	T_EQ(thread("idle")->ends_all, 0);
	end_look();
}

TEST(a_child_that_is_waited_for_is_named)
{
	look("reap");
	const struct state_thread *t = thread("left");

	T_EQ(t->children, 1);
	T_STR(t->child->name, "child");
	T_OK(!t->timed);
	end_look();
}

TEST(the_lock_of_an_open_file_description_is_found_with_who_has_the_file_open)
{
	look("ofd");
	const struct state_thread *t = thread("left");

	T_EQ(t->lock->owner_pid, right);
	T_HAS(t->wait_text, "fcntl lock on ");
	T_HAS(t->wait_text, " (right)");
	end_look();
}

/* As somebody who may look at the reader, but not at who writes: which is root, as we are. */
TEST(where_nobody_is_found_it_is_said_who_could_not_be_asked)
{
	int fd[2], status;

	if (getuid() != 0)
		t_skip("needs root, to become somebody else");
	T_EQ(pipe(fd), 0);
	const pid_t pid = fork();

	if (!pid) {
		char is[64];
		struct state *made = build_state(0);
		struct ends_look *ends = ends_look_create(10000000, 10000000);
		char link[64];

		close(fd[1]);
		if (setgid(65534) || setuid(65534))
			_exit(2);
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd[0]);
		const ssize_t n = readlink(link, is, sizeof(is) - 1);

		is[n > 0 ? n : 0] = '\0';
		struct state_thread *t = add_reader(made, add_process(made, 10, "cat"), is, 0);

		if (ends_look_fill(ends, made, &made->process[0]) || t->end->parties || t->end->all_known ||
		    !t->end->unseen)
			_exit(3);
		_exit(!strstr(t->wait_text, "(other end: not found, ") ||
		      !strstr(t->wait_text, " may not be looked at) (fd 3)"));
	}
	T_EQ(waitpid(pid, &status, 0), pid);
	T_EQ(status, 0);
	close(fd[1]);
}
