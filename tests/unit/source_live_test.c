#include "lib/state/source.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/proc/proc_stat.h"
#include "lib/state/symbolize.h"
#include "tests/hub_build.h"
#include "tests/t.h"

static struct hub_build b;
static struct source *src;
static struct state st;

/* ---- a peer: a child that sleeps in epoll_wait on its bell ------------------------------- */

static int bell[2]; /* 0 the host's end, 1 the peer's */
static pid_t child;

__attribute__((noinline)) static int sleep_like_a_peer(int set)
{
	struct epoll_event event;
	const int n = epoll_wait(set, &event, 1, -1);

	__asm__ volatile(""); /* not a tail call: this frame stays */
	return n;
}

static char letter_of(pid_t pid)
{
	struct proc_stat stat;

	return proc_stat(pid, &stat, NULL) ? '?' : stat.state;
}

static void start_peer(void)
{
	int ready[2];
	char c;

	T_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, bell), 0);
	T_EQ(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		struct epoll_event event = { .events = EPOLLHUP }; /* deaf: bytes do not wake it */
		const int set = epoll_create1(0);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "pe\x1b" "er");
		epoll_ctl(set, EPOLL_CTL_ADD, bell[1], &event);
		close(bell[0]);
		T_EQ(write(ready[1], "x", 1), 1);
		sleep_like_a_peer(set);
		_exit(0);
	}
	close(ready[1]);
	T_EQ(read(ready[0], &c, 1), 1);
	close(ready[0]);
	while (letter_of(child) != 'S') /* on its way into epoll_wait */
		sched_yield();
}

static void end_peer(void)
{
	kill(child, SIGKILL);
	T_EQ(waitpid(child, NULL, 0), child);
	close(bell[0]);
	close(bell[1]);
}

static uint64_t inode_of(int fd)
{
	struct stat s;

	T_EQ(fstat(fd, &s), 0);
	return s.st_ino;
}

/* ---- a hub whose peer 1 is that child ---------------------------------------------------- */

static void build(void)
{
	struct proc_stat stat;

	start_peer();
	hub_build_open(&b, 2);
	hub_build_lock(&b);
	T_EQ(proc_stat(child, &stat, NULL), 0);
	struct hub_peer *p = hub_build_peer(&b, 1);

	p->pid = child;
	p->start = stat.start_ticks;
	p->host_bell_inode = inode_of(bell[0]);
	p->peer_bell_inode = inode_of(bell[1]);
	atomic_store(&p->loop_tid, (uint32_t)child);
	atomic_store(&hub_build_peer(&b, 2)->state, HUB_PEER_UNUSED);
}

static void open_live(struct source_options options)
{
	const char *const hubs[] = { b.path, NULL };
	struct err err;

	options.hubs = hubs;
	if (source_open_live(&options, &src, &err))
		T_FAIL("%s", err.text);
}

static void look(void)
{
	struct err err;
	const int r = source_next(src, &st, &err);

	if (r < 0)
		T_FAIL("%s", err.text);
	T_EQ(r, 1);
}

static void done(void)
{
	source_close(src);
	hub_build_close(&b);
	end_peer();
}

static const struct state_process *peer_process(void)
{
	const struct state_peer *p = state_find_peer(&st.hub[0], 1);

	T_OK(p->process >= 0);
	return &st.process[p->process];
}

static bool has_note(const char *part)
{
	for (size_t i = 0; i < st.unseens; i++)
		if (strstr(st.unseen[i], part))
			return true;
	return false;
}

TEST(a_live_hub_is_seen_with_its_host_and_peers)
{
	build();
	hub_build_put(&b, 1, HUB_RECV, 1);
	open_live((struct source_options){ 0 });
	look();
	T_EQ(st.sources, STATE_LIVE);
	T_EQ(st.single_moment, false);
	T_EQ(st.sees_processes, true);
	T_EQ(st.sees_bells, false);
	T_EQ(st.inputs, 1);
	T_STR(st.input[0].type, "live");
	T_EQ(st.hubs, 1);
	T_EQ(st.hub[0].source, STATE_LIVE);
	T_OK(st.hub[0].seen_us <= st.now_us);
	const struct state_peer *peer = state_find_peer(&st.hub[0], 1);

	T_EQ(peer->alive, STATE_YES);
	T_EQ(peer->stopped, STATE_NO);
	T_EQ(peer->ring[HUB_RECV].waiting, 1);
	T_EQ(peer->ring[HUB_RECV].bell, -1);
	const struct state_process *p = peer_process();

	T_EQ(p->pid, child);
	T_EQ(p->source, STATE_LIVE);
	T_EQ(p->alive, STATE_YES);
	T_STR(p->name, "pe\\x1ber"); /* a name that would write to the terminal */
	T_EQ(p->state, 'S');
	T_OK(p->rss_bytes > 0 && p->fds > 3);
	T_EQ(p->library, false);
	T_EQ(p->dump_us, 0);
	T_EQ(p->threads, 1);
	T_EQ(p->thread[0].tid, child);
	T_EQ(p->thread[0].wait, STATE_WAIT_POLL);
	T_HAS(p->thread[0].wait_text, "epoll_wait on fd ");
	T_EQ(p->thread[0].stack, -1);
	T_OK(state_find_process(&st, getpid(), b.header->host_start));
	state_fini(&st);
	done();
}

TEST(a_thread_that_has_not_run_since_the_last_look_has_been_blocked_since_then)
{
	build();
	open_live((struct source_options){ 0 });
	look();
	const uint64_t first = peer_process()->thread[0].blocked_us;

	state_fini(&st);
	look();
	const uint64_t second = peer_process()->thread[0].blocked_us;

	T_OK(second > first);
	T_OK(!peer_process()->thread[0].moved);
	state_fini(&st);
	done();
}

TEST(unread_bell_bytes_are_those_at_the_consumers_end)
{
	build();
	T_EQ(write(bell[0], "xyz", 3), 3); /* the host rings the peer: its recv ring */
	open_live((struct source_options){ .bells = true });
	look();
	const struct state_peer *peer = state_find_peer(&st.hub[0], 1);

	if (has_note("unread bytes of the bells"))
		t_skip("no sock_diag here");
	T_EQ(st.sees_bells, true);
	T_EQ(peer->ring[HUB_RECV].bell, 3);
	T_EQ(peer->ring[HUB_SEND].bell, 0);
	state_fini(&st);
	T_EQ(write(bell[1], "x", 1), 1);
	look();
	T_EQ(state_find_peer(&st.hub[0], 1)->ring[HUB_SEND].bell, 1);
	state_fini(&st);
	done();
}

TEST(a_stopped_peer_is_known_as_stopped)
{
	build();
	T_EQ(kill(child, SIGSTOP), 0);
	T_EQ(waitpid(child, NULL, WUNTRACED), child);
	open_live((struct source_options){ 0 });
	look();
	T_EQ(state_find_peer(&st.hub[0], 1)->stopped, STATE_YES);
	T_EQ(peer_process()->state, 'T');
	T_EQ(peer_process()->alive, STATE_YES);
	state_fini(&st);
	kill(child, SIGCONT);
	done();
}

TEST(a_dead_peer_is_dead_and_a_zombie_too)
{
	build();
	open_live((struct source_options){ 0 });
	kill(child, SIGKILL);
	siginfo_t info;

	T_EQ(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	look();
	T_EQ(state_find_peer(&st.hub[0], 1)->alive, STATE_NO);
	T_EQ(state_find_peer(&st.hub[0], 1)->process, -1);
	state_fini(&st);
	done();
}

TEST(stacks_are_captured_and_named_without_waking_anybody)
{
	struct sym_cache *cache;
	struct err err;
	bool found = false;

	build();
	open_live((struct source_options){ .stacks = true });
	look();
	const struct state_process *p = peer_process();
	const struct state_thread *t = &p->thread[0];

	T_OK(p->dump_us > 0);
	T_EQ(p->threads, 1);
	T_STR(t->captured, "peek");
	T_OK(t->stack >= 0);
	const struct state_stack *s = &st.stack[t->stack];

	T_OK(s->count >= 1 && !s->named);
	T_OK(s->frames >= 3);
	T_OK(s->frame[0].exact && s->frame[0].path && s->frame[0].build_id);
	T_OK(!s->frame[0].function);
	T_EQ(sym_create(&(struct sym_options){ 0 }, &cache, &err), 0);
	T_EQ(state_symbolize(&st, cache, NULL), 0);
	sym_destroy(cache); /* the names stay */
	s = &st.stack[t->stack];
	T_EQ(s->named, true);
	for (size_t i = 0; i < s->frames; i++)
		if (s->frame[i].function && strcmp(s->frame[i].function, "sleep_like_a_peer") == 0) {
			T_STR(s->frame[i].file, "source_live_test.c");
			T_OK(s->frame[i].line > 0);
			found = true;
		}
	T_OK(found);
	T_EQ(letter_of(child), 'S');
	T_EQ(waitpid(child, NULL, WNOHANG), 0); /* its epoll_wait was not interrupted */
	state_fini(&st);
	done();
}

static bool is_enough(void)
{
	return true;
}

TEST(naming_can_be_stopped_in_the_middle)
{
	struct sym_cache *cache;
	struct err err;

	build();
	open_live((struct source_options){ .stacks = true });
	look();
	T_EQ(sym_create(&(struct sym_options){ 0 }, &cache, &err), 0);
	T_EQ(state_symbolize(&st, cache, is_enough), 1);
	T_EQ(st.stack[0].named, false);
	sym_destroy(cache);
	state_fini(&st);
	done();
}

TEST(a_hub_that_is_replaced_is_opened_anew_and_one_that_is_gone_is_noted)
{
	build();
	open_live((struct source_options){ 0 });
	look();
	T_EQ(st.hub[0].id, 0xfeed);
	state_fini(&st);
	hub_build_close(&b); /* lets the lock go, too */
	look();
	T_EQ(st.hubs, 0);
	T_OK(has_note("demo.hub: cannot be read (No such file or directory)"));
	state_fini(&st);
	hub_build_open(&b, 1);
	b.header->id = 0xbeef;
	hub_build_seal(&b);
	look();
	T_EQ(st.hubs, 1);
	T_EQ(st.hub[0].id, 0xbeef);
	state_fini(&st);
	done();
}

TEST(a_header_that_is_scribbled_over_meanwhile_is_damage_and_what_it_said_is_still_used)
{
	build();
	hub_build_put(&b, 1, HUB_RECV, 1);
	open_live((struct source_options){ 0 });
	look();
	T_OK(!st.hub[0].damage);
	state_fini(&st);
	hub_build_section(&b, HUB_SECTION_RINGS, 0)->offset = 1 << 30;
	look();
	T_HAS(st.hub[0].damage, "section table: RINGS 0 lies outside the file");
	T_EQ(state_find_peer(&st.hub[0], 1)->ring[HUB_RECV].waiting, 1);
	state_fini(&st);
	memset(b.at, 'x', HUB_PAGE);
	look();
	T_HAS(st.hub[0].damage, "not a hub file (starts with 78 78 78 78)");
	T_EQ(state_find_peer(&st.hub[0], 1)->ring[HUB_RECV].waiting, 1);
	state_fini(&st);
	done();
}

TEST(a_file_that_is_cut_off_meanwhile_is_damage)
{
	build();
	open_live((struct source_options){ 0 });
	look();
	state_fini(&st);
	const uint64_t rings = hub_build_section(&b, HUB_SECTION_RINGS, 0)->offset;

	hub_build_cut(&b, rings);
	look();
	T_HAS(st.hub[0].damage, "truncated");
	T_HAS(state_find_peer(&st.hub[0], 1)->ring[HUB_RECV].damage, "the file ends before it");
	state_fini(&st);
	done();
}

TEST(looking_allocates_nothing_in_the_file)
{
	struct stat before, after;

	build();
	T_EQ(stat(b.path, &before), 0);
	open_live((struct source_options){ .stacks = true, .bells = true });
	look();
	state_fini(&st);
	T_EQ(stat(b.path, &after), 0);
	T_EQ(after.st_blocks, before.st_blocks);
	done();
}

TEST(a_process_asked_for_by_number_is_seen_without_any_hub)
{
	struct err err;

	start_peer();
	const int32_t pids[] = { child, 0 };
	const struct source_options options = { .pids = pids };

	T_EQ(source_open_live(&options, &src, &err), 0);
	look();
	T_EQ(st.hubs, 0);
	T_EQ(st.processes, 1);
	T_EQ(st.process[0].pid, child);
	T_EQ(st.process[0].threads, 1);
	state_fini(&st);
	source_close(src);
	end_peer();
	T_EQ(source_open_live(&options, &src, &err), -ENOENT);
	T_HAS(err.text, "no such process");
}

TEST(hubs_of_this_user_are_found_in_dev_shm)
{
	char path[100];
	struct err err;
	bool found = false;

	hub_build_open(&b, 1);
	snprintf(path, sizeof(path), "/dev/shm/shmscope-test-%d.hub", getpid());
	const int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		t_skip("cannot write to /dev/shm");
	T_EQ(write(fd, b.at, b.bytes), b.bytes);
	close(fd);
	T_EQ(source_open_live(NULL, &src, &err), 0);
	look();
	for (size_t i = 0; i < st.hubs; i++)
		found |= strcmp(st.hub[i].path, path) == 0;
	unlink(path);
	T_OK(found);
	state_fini(&st);
	look(); /* gone again: not an error */
	for (size_t i = 0; i < st.hubs; i++)
		T_OK(strcmp(st.hub[i].path, path) != 0);
	state_fini(&st);
	source_close(src);
	hub_build_close(&b);
}

TEST(a_user_without_hubs_is_told_where_was_looked)
{
	struct err err;

	if (seteuid(65533))
		t_skip("cannot become another user");
	T_EQ(source_open_live(NULL, &src, &err), -ENOENT);
	T_HAS(err.text, "no hub found for UID 65533 (looked in /dev/shm)");
	T_HAS(err.next, "shmtop PATH");
	T_EQ(seteuid(0), 0);
}

TEST(what_is_named_and_is_no_hub_is_an_error)
{
	const char *const hubs[] = { "/bin/sh", NULL };
	const struct source_options options = { .hubs = hubs };
	struct err err;

	T_EQ(source_open_live(&options, &src, &err), -EBADMSG);
	T_HAS(err.text, "/bin/sh: not a hub file (starts with 7f 45 4c 46");
}
