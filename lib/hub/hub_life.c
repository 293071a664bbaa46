/*
 * The life thread: starts peers, ends them, and cleans up after them. It may block (starting a
 * program, waiting for a lock); the event thread only tells it.
 *
 *	FREE - spawn -> STARTING - process made -> ALIVE - pidfd readable -> DYING - cleaned up
 *	  ^                                         |                                   |
 *	  +------------------ ENDED <---------------+------- no restart ----------------+
 *	                                      BACKOFF <----- restart policy ------------+
 *
 * Death. The bell's hangup is only a suspicion: a peer may have closed it, a child of the peer
 * may hold it open. The suspect is killed (one that said it leaves gets time to do so) and the
 * pidfd decides. Only then, with the link closed, the consumer's role and the producer's lock in
 * hand: what it had sent is drained, its slots are swept, its calls fail with -EOWNERDEAD, all
 * waiters are woken, and a new incarnation may start. Positions in its rings never go back.
 *
 * The process is made by clone(CLONE_VM | CLONE_VFORK), as posix_spawn() does it, because that
 * has neither the parent-death signal nor a pidfd made at birth. The parent-death signal follows
 * the thread that made the child: this one lives as long as the hub.
 */
#include "lib/hub/hub_priv.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/as/as_sys.h"
#include "lib/base/cleanup.h"
#include "lib/hub/hub_abi.h"
#include "lib/hub/hub_file.h"
#include "sigdump/sigdump.h"

extern char **environ;

enum {
	BACKOFF_FIRST_MS = 50,
	BACKOFF_MAX_MS = 5000,
	STABLE_S = 10,          /* alive so long: the next restart is the first again */
	LEAVE_GRACE_MS = 2000,  /* after LEAVE and hangup, before SIGKILL */
	GIVE_UP_MS = 10000,     /* for a killed process to end (uninterruptible sleep) */
	CHILD_STACK = 65536,
	OWN_ARGS = 6,           /* --hub-path P --peer-id N --doorbell-fd F */
};
#define PUNCH_PASS_NS UINT64_C(1000000000)
#define MS            UINT64_C(1000000)

struct hub_spawn {
	char *name, *path;
	char **argv, **envp; /* argv has room for OWN_ARGS more; envp NULL: ours */
	size_t argc;
	unsigned restart, backoff_first_ms, backoff_max_ms, die_with_host;
	int (*child)(const struct shmhub_peer_config *config, void *arg);
	void *arg;
	sigset_t mask;
	struct birth_wait *wait; /* of the first start: somebody waits */
};

struct birth_wait { /* on the stack of shmhub_spawn() */
	bool done;
	int result;
	struct err err;
};

/* ---- what is to be started ------------------------------------------------------------------ */

static void free_vector(char **v)
{
	for (size_t i = 0; v && v[i]; i++)
		free(v[i]);
	free(v);
}

static void spawn_free(struct hub_spawn *s)
{
	if (!s)
		return;
	free(s->name);
	free(s->path);
	free_vector(s->argv);
	free_vector(s->envp);
	free(s);
}

static char **copy_vector(char *const *from, size_t extra, size_t *n)
{
	size_t count = 0;

	while (from && from[count])
		count++;
	char **to = calloc(count + extra + 1, sizeof(*to));

	for (size_t i = 0; to && i < count; i++) {
		to[i] = strdup(from[i]);
		if (!to[i]) {
			free_vector(to);
			return NULL;
		}
	}
	*n = count;
	return to;
}

static struct hub_spawn *spawn_copy(const struct shmhub_spawn *from)
{
	static char *const nothing[] = { NULL };
	struct hub_spawn *s = calloc(1, sizeof(*s));
	size_t n;

	if (!s)
		return NULL;
	s->name = strdup(from->name ? from->name : "");
	s->path = strdup(from->path ? from->path : "");
	s->argv = copy_vector(from->argv ? from->argv : nothing, OWN_ARGS, &s->argc);
	s->envp = from->envp ? copy_vector(from->envp, 0, &n) : NULL;
	if (!s->name || !s->path || !s->argv || (from->envp && !s->envp)) {
		spawn_free(s);
		return NULL;
	}
	s->restart = from->restart;
	s->backoff_first_ms = from->backoff_first_ms ? from->backoff_first_ms : BACKOFF_FIRST_MS;
	s->backoff_max_ms = from->backoff_max_ms ? from->backoff_max_ms : BACKOFF_MAX_MS;
	s->die_with_host = from->die_with_host;
	s->child = from->child;
	s->arg = from->arg;
	pthread_sigmask(SIG_SETMASK, NULL, &s->mask);
	return s;
}

/* ---- making the process ----------------------------------------------------------------------- */

struct birth {
	const struct hub_spawn *spawn;
	char **argv, **envp;
	int bell;        /* the peer's end */
	int parent;      /* our pid, for the race with the parent-death signal */
	char **paths;
	volatile int *error; /* written by the child while we are stopped */
};

/*
 * From here to be_program(): in the child, sharing our memory. System calls only, so that no
 * wrapper's notion of this thread is touched; and no sanitizer may count calls that never return.
 */
#define IN_CHILD __attribute__((no_sanitize("thread"), no_sanitize("address")))

IN_CHILD static void reset_signals(const sigset_t *mask)
{
	for (int sig = 1; sig < NSIG; sig++) {
		struct as_sigaction action, standard = { 0 };

		/* handler 0 is SIG_DFL, 1 SIG_IGN, which a program inherits */
		if (syscall(SYS_rt_sigaction, sig, NULL, &action, sizeof(action.mask)) == 0 &&
		    action.handler > 1)
			syscall(SYS_rt_sigaction, sig, &standard, NULL, sizeof(action.mask));
	}
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, mask, NULL, sizeof(uint64_t));
}

IN_CHILD static bool bind_to_host(const struct hub_spawn *spawn, int parent)
{
	if (!spawn->die_with_host)
		return true;
	return syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 &&
	       syscall(SYS_getppid) == parent;
}

/* Tries `paths` in order, as execvp() does with PATH. */
IN_CHILD static int be_program(void *arg)
{
	struct birth *b = arg;
	int error = EPERM;

	if (bind_to_host(b->spawn, b->parent)) {
		syscall(SYS_fcntl, b->bell, F_SETFD, 0);
		reset_signals(&b->spawn->mask);
		error = ENOENT;
		for (char **try = b->paths; *try && (error == ENOENT || error == ENOTDIR); try++) {
			syscall(SYS_execve, *try, b->argv, b->envp);
			error = errno;
		}
	}
	*b->error = error;
	syscall(SYS_exit_group, 127);
	return 127;
}

/* The places where execvp() would look for a program. */
static char **places_of(const char *path)
{
	const char *dirs = getenv("PATH");
	char **places = calloc(128, sizeof(*places));
	size_t n = 0;

	if (!places)
		return NULL;
	if (strchr(path, '/')) {
		places[0] = strdup(path);
		return places;
	}
	for (const char *at = dirs ? dirs : "/bin:/usr/bin"; at && n < 127; at = at ? at + 1 : NULL) {
		const size_t len = strcspn(at, ":");

		if (asprintf(&places[n], "%.*s/%s", len ? (int)len : 1, len ? at : ".", path) >= 0)
			n++;
		at = strchr(at, ':');
	}
	return places;
}

/* ThreadSanitizer takes clone() for a fork and then ignores the parent's thread too: under it
 * the child is a real copy, made behind its back. */
static int clone_program(struct birth *b, char *stack_end, int *pidfd)
{
#if defined(__SANITIZE_THREAD__)
	const long pid = syscall(SYS_clone, CLONE_VFORK | CLONE_PIDFD | SIGCHLD, 0, pidfd, NULL, 0);

	(void)stack_end;
	return pid ? (int)pid : be_program(b);
#else
	return clone(be_program, stack_end, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, b, pidfd);
#endif
}

static int make_program(struct birth *b, int *pid, int *pidfd)
{
	/* shared, not private: at its lower end the child leaves its error */
	char *stack = mmap(NULL, CHILD_STACK, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
			   0);
	sigset_t all, was;

	if (stack == MAP_FAILED)
		return -errno;
	b->error = (volatile int *)stack;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &was); /* no handler of ours may run in the child */
	*pid = clone_program(b, stack + CHILD_STACK, pidfd);
	int r = *pid < 0 ? -errno : -*b->error;

	pthread_sigmask(SIG_SETMASK, &was, NULL);
	munmap(stack, CHILD_STACK);
	if (*pid > 0 && r) {
		waitpid(*pid, NULL, 0);
		close(*pidfd);
	}
	return r;
}

/* A fork that runs a function. It waits for a byte in the bell: until then its pid cannot be
 * somebody else's. */
static int be_function(struct shmhub *hub, const struct hub_link *link, const struct birth *b)
{
	const struct shmhub_peer_config config = {
		.size = sizeof(config), .path = hub->path, .id = link->id,
		.doorbell_fd = b->bell, .wait_ms = 5000, .die_with_host = b->spawn->die_with_host,
	};
	struct pollfd go = { .fd = b->bell, .events = POLLIN };

	if (!bind_to_host(b->spawn, b->parent))
		return 127;
	poll(&go, 1, -1);
	reset_signals(&b->spawn->mask);
	prctl(PR_SET_NAME, b->spawn->name); /* else it has the name of the thread that forked */
	return b->spawn->child(&config, b->spawn->arg);
}

static int make_function(struct shmhub *hub, const struct hub_link *link, struct birth *b,
			 int host_bell, int *pid, int *pidfd)
{
	*pid = fork();
	if (*pid < 0)
		return -errno;
	if (*pid == 0)
		_exit(be_function(hub, link, b));
	*pidfd = (int)syscall(SYS_pidfd_open, *pid, 0);
	if (*pidfd < 0) {
		const int r = -errno;

		kill(*pid, SIGKILL);
		waitpid(*pid, NULL, 0);
		return r;
	}
	return send(host_bell, "", 1, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

static int make_process(struct shmhub *hub, struct hub_link *link, struct hub_spawn *spawn,
			int host_bell, int peer_bell, int *pid, int *pidfd)
{
	char id[16], fd[16];
	char *own[OWN_ARGS] = { "--hub-path", hub->path, "--peer-id", id, "--doorbell-fd", fd };
	struct birth b = { .spawn = spawn, .argv = spawn->argv, .bell = peer_bell,
			   .envp = spawn->envp ? spawn->envp : environ, .parent = getpid() };

	if (spawn->child)
		return make_function(hub, link, &b, host_bell, pid, pidfd);
	snprintf(id, sizeof(id), "%u", link->id);
	snprintf(fd, sizeof(fd), "%d", peer_bell);
	memcpy(spawn->argv + spawn->argc, own, sizeof(own));
	spawn->argv[spawn->argc + OWN_ARGS] = NULL;
	b.paths = places_of(spawn->path);
	const int r = b.paths ? make_program(&b, pid, pidfd) : -ENOMEM;

	free_vector(b.paths);
	memset(spawn->argv + spawn->argc, 0, sizeof(own));
	return r;
}

/* ---- the entry and the rings of an incarnation ---------------------------------------------- */

static void tell(struct shmhub *hub, struct hub_link *link, unsigned state);

static void set_state(struct hub_link *link, enum hub_peer_state state)
{
	/* release P1: the entry is complete; pairs with acquire P1 in hub_peer.c */
	atomic_store_explicit(&link->entry->state, state, memory_order_release);
}

static int back_tables(struct shmhub *hub, unsigned peer)
{
	const struct hub_table *rings = &hub->map.rings, *calls = &hub->map.peercalls;
	const int r = hub_file_back(hub->map.fd, rings->offset + 2 * peer * rings->stride,
				    2 * rings->stride);

	return r ? r : hub_file_back(hub->map.fd, calls->offset + peer * HUB_PEER_CALLS * calls->stride,
				     HUB_PEER_CALLS * calls->stride);
}

static void note_no_space(struct shmhub *hub)
{
	hub_add_shared(&hub->map.host->no_space, 1);
	hub_put64(&hub->map.host->no_space_ns, hub_now_ns());
}

static uint64_t inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

static uint64_t start_of(int pid)
{
	char path[32], text[1024];

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	CLOSES int fd = open(path, O_RDONLY | O_CLOEXEC);
	const ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	const char *p = strrchr(text, ')');

	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	return p ? strtoull(p, NULL, 10) : 0;
}

/* Both rings go on where the last incarnation left them: nothing unread, nothing half written,
 * no notification unhandled. */
static void reset_rings(struct shmhub *hub, struct hub_link *link, unsigned peer)
{
	struct hub_ring *recv = hub_map_ring(&hub->map, peer, HUB_RECV);
	struct hub_ring *send = hub_map_ring(&hub->map, peer, HUB_SEND);
	const uint32_t cells = hub->map.header.ring_cells;
	const uint64_t out = link->end.tx.position, in = link->end.rx.position;

	hub_ring_scrub(recv, cells, out);
	hub_ring_scrub(send, cells, in);
	hub_put64(&recv->head, out);
	hub_put64(&recv->tail, out);
	hub_put64(&send->head, in);
	hub_put64(&send->tail, in);
	hub_put64(&recv->handled, link->end.tx.notified);
	hub_put64(&send->handled, link->end.handled);
	hub_put32(&recv->sending, 0);
	hub_put32(&send->sending, 0);
}

static void fill_entry(struct hub_link *link, struct hub_peer *e, unsigned peer,
		       const struct hub_spawn *spawn, int host_bell, int peer_bell)
{
	e->id = (uint16_t)peer;
	e->incarnation = (uint16_t)(e->incarnation + 1);
	e->pid = 0;
	e->start = 0;
	e->exit_status = -1;
	e->started_ns = hub_now_ns();
	e->died_ns = e->died_real_ns = 0;
	e->host_bell_fd = host_bell;
	e->peer_bell_fd = peer_bell;
	e->host_bell_inode = inode_of(host_bell);
	e->peer_bell_inode = inode_of(peer_bell);
	memset(e->name, 0, sizeof(e->name));
	memcpy(e->name, spawn->name, strnlen(spawn->name, sizeof(e->name) - 1));
	e->restarts = link->restarts;
	hub_put64(&e->beat, 0);
	hub_put32(&e->loop_tid, 0);
	hub_put32(&e->peer_asleep, 0);
	hub_put32(&e->peer_wants, 0);
	hub_put32(&e->host_asleep, 0);
	hub_put64(&e->host_beat, 0);
	hub_put32(&e->host_handler_tid, 0);
	hub_put32(&e->slots_held, 0);
	hub_put32(&e->calls_pending, hub_get32(&link->pending));
}

/* The incarnation is private: what stands in the file is a copy that anybody may scribble over. */
static void open_end(struct shmhub *hub, struct hub_link *link, unsigned peer,
		     const struct hub_spawn *spawn, int host_bell, int peer_bell)
{
	struct hub_peer *e = hub_map_peer(&hub->map, peer);

	link->incarnation = (uint16_t)(link->incarnation + 1);
	e->incarnation = (uint16_t)(link->incarnation - 1);
	fill_entry(link, e, peer, spawn, host_bell, peer_bell);
	reset_rings(hub, link, peer);
	hub_end_open(&link->end, &hub->map, peer, link->incarnation, host_bell, true);
	pthread_mutex_lock(&link->share_lock);
	memset(link->share, 0, sizeof(link->share));
	pthread_mutex_unlock(&link->share_lock);
	hub_put32(&link->hung_up, 0);
	hub_put32(&link->kicked, 0);
	hub_put32(&link->is_leaving, 0);
	link->kill_ns = 0;
	link->net_in = link->net_out = 0;
	link->net_ticks = 0;
	hub_put32(&link->attached, 0);
	hub_put32(&link->quarantined, 0);
}

static void open_link(struct shmhub *hub, struct hub_link *link)
{
	hub_put32(&link->entry->host_asleep_tid, hub->event_tid);
	hub_end_announce(&link->end, HUB_ASLEEP_LOUD);
	/* release L1: its end is set up; pairs with acquire L1 in hub_link_now() */
	atomic_store_explicit(&link->state, HUB_LINK_OPEN | (uint32_t)link->incarnation << 8,
			      memory_order_release);
	hub_event_watch(hub, link);
	hub_role_leave(hub, link); /* taken when it was closed, or made */
}

/* ---- birth --------------------------------------------------------------------------------- */

/*
 * The doorbell, and our end of the link with it. No fork() between the two: a child would keep the
 * host's end open without knowing, and hide our death from this peer.
 */
static int make_ends(struct shmhub *hub, struct hub_link *link, const struct hub_spawn *spawn,
		     int *host_bell, int *peer_bell)
{
	hub_fork_hold();
	const int r = hub_bell_pair(host_bell, peer_bell);

	HUB_STEP("life.birth.bells");
	if (!r) {
		hub_put32(&link->used, 1);
		pthread_mutex_lock(&link->send);
		open_end(hub, link, link->id, spawn, *host_bell, *peer_bell);
		pthread_mutex_unlock(&link->send);
	}
	hub_fork_release();
	return r;
}

static int give_birth(struct shmhub *hub, struct hub_link *link, struct err *err)
{
	const unsigned peer = link->id;
	struct hub_spawn *spawn = link->spawn;
	int r = back_tables(hub, peer), host_bell, peer_bell, pid = -1, pidfd = -1;

	hub_file_heal(&hub->map);
	if (r == -ENOSPC)
		note_no_space(hub);
	if (r)
		return err_set(err, r, "%s: no room for the rings of peer %u (%s): %s", hub->path, peer,
			       spawn->name, strerror(-r));
	if ((r = make_ends(hub, link, spawn, &host_bell, &peer_bell)))
		return err_set(err, r, "peer %u (%s): no doorbell: %s", peer, spawn->name, strerror(-r));
	set_state(link, HUB_PEER_STARTING);
	HUB_STEP("life.birth.before");
	r = make_process(hub, link, spawn, host_bell, peer_bell, &pid, &pidfd);
	close(peer_bell);
	if (r) {
		close(host_bell);
		link->end.bell = -1;
		set_state(link, HUB_PEER_GONE);
		return err_set(err, r, "peer %u (%s): cannot start %s: %s", peer, spawn->name,
			       spawn->child ? "a fork" : spawn->path, strerror(-r));
	}
	pthread_mutex_lock(&link->send);
	link->pid = pid;
	link->pidfd = pidfd;
	link->started_ns = hub_now_ns();
	link->entry->pid = pid;
	link->entry->start = start_of(pid);
	pthread_mutex_unlock(&link->send);
	sigdump_child_add(pid);
	open_link(hub, link);
	return 0;
}

static void finish_spawn(struct hub_link *link, int r, const struct err *err)
{
	*link->spawn->wait = (struct birth_wait){ true, r, *err };
	link->spawn->wait = NULL;
	pthread_cond_broadcast(&link->hub->life_done_cond);
}

static void note_living(struct shmhub *hub)
{
	unsigned n = 0;

	for (unsigned i = 1; i <= hub->map.header.peers_max; i++)
		n += hub->link[i].life == HUB_LIFE_ALIVE;
	hub_host_set_spin(hub, n);
}

/* With life_lock, which is let go meanwhile. */
static void start(struct shmhub *hub, struct hub_link *link)
{
	struct err err = { 0 };

	pthread_mutex_unlock(&hub->life_lock);
	const int r = give_birth(hub, link, &err);

	pthread_mutex_lock(&hub->life_lock);
	link->life = r ? HUB_LIFE_ENDED : HUB_LIFE_ALIVE;
	if (link->spawn->wait) {
		finish_spawn(link, r, &err);
	} else if (r) { /* a restart that failed: again later */
		link->life = HUB_LIFE_BACKOFF;
		link->restart_ns = hub_now_ns() + link->backoff_ms * MS;
	}
	note_living(hub);
}

/* ---- death ---------------------------------------------------------------------------------- */

static int exit_status(int pidfd)
{
	siginfo_t info = { 0 };

	/* ECHILD: somebody else has reaped it; the pidfd has said that it ended */
	if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0 || !info.si_pid)
		return -1;
	switch (info.si_code) {
	case CLD_EXITED:
		return (info.si_status & 0xff) << 8;
	case CLD_DUMPED:
		return info.si_status | 0x80;
	default:
		return info.si_status;
	}
}

static void close_link(struct hub_link *link)
{
	/* release L1: nothing new is sent or taken; pairs with acquire L1 in hub_link_now() */
	atomic_store_explicit(&link->state, HUB_LINK_CLOSED | (uint32_t)link->incarnation << 8,
			      memory_order_release);
	shutdown(link->end.bell, SHUT_RDWR); /* whoever sleeps on it wakes and lets the role go */
	hub_send_space(link->hub, link);     /* so do those who wait for space */
}

/* Answers and notifications that it sent before it died still count; its calls are cancelled. */
static void drain(struct shmhub *hub, struct hub_link *link)
{
	while (hub_take(hub, link, HUB_TURN) > 0)
		;
}

/* What the dead peer did not read, nobody will. With link->send. */
static void drop_unread(struct hub_link *link)
{
	struct hub_rx unread = { .ring = link->end.tx.ring, .mask = link->end.tx.mask,
				 .position = hub_get64(&link->end.tx.ring->tail) };

	if (unread.position <= link->end.tx.position)
		hub_ring_skip(&unread);
}

static void close_fds(struct shmhub *hub, struct hub_link *link)
{
	epoll_ctl(hub->epoll_fd, EPOLL_CTL_DEL, link->end.bell, NULL);
	epoll_ctl(hub->epoll_fd, EPOLL_CTL_DEL, link->pidfd, NULL);
	close(link->end.bell);
	link->end.bell = -1;
	close(link->pidfd);
	link->pidfd = -1;
}

/* Asked by the life thread, which alone starts and buries. */
static bool is_alive(void *arg, unsigned peer, unsigned incarnation)
{
	struct shmhub *hub = arg;
	unsigned now;

	return peer >= 1 && peer <= hub->map.header.peers_max &&
	       hub_link_now(&hub->link[peer], &now) == HUB_LINK_OPEN &&
	       (now & 0x1ff) == incarnation;
}

/* What it left; and, should it have gone wild before, what it made of others' words. */
static void take_back_slots(struct shmhub *hub, struct hub_link *link)
{
	const uint32_t n = hub_slot_sweep(&hub->pool.slots, link->id, link->end.incarnation,
					  hub_end_ms(&link->end));

	const uint32_t repaired = hub_slot_repair(&hub->pool.slots, is_alive, hub);

	HUB_NOTE(hub, slots_swept, n + repaired);
	if (repaired || hub_get32(&link->quarantined))
		hub_pend_heal(hub);
}

/* Its process is gone for certain. */
static void bury(struct shmhub *hub, struct hub_link *link)
{
	struct hub_peer *e = link->entry;
	const bool keep_slots = HUB_FAULT(link->id, HUB_FAULT_NO_RECLAIM);
	const bool was_quarantined = hub_get32(&link->quarantined);

	close_link(link);
	hub_role_want(link); /* kept until the next incarnation */
	drain(hub, link);
	pthread_mutex_lock(&link->send);
	sigdump_child_remove(link->pid);
	e->exit_status = exit_status(link->pidfd);
	e->died_ns = hub_now_ns();
	e->died_real_ns = hub_clock_ns(CLOCK_REALTIME);
	set_state(link, HUB_PEER_DEAD);
	HUB_STEP("life.bury.dead");
	drop_unread(link);
	hub_send_drop_all(hub, link);
	close_fds(hub, link);
	pthread_mutex_unlock(&link->send);
	hub_request_orphan_all(link);
	if (!keep_slots)
		take_back_slots(hub, link);
	hub_pend_fail_peer(hub, link->id, link->end.incarnation, -EOWNERDEAD);
	HUB_NOTE(hub, peers_died, 1);
	if (!keep_slots)
		set_state(link, was_quarantined ? HUB_PEER_QUARANTINED : HUB_PEER_GONE);
	hub_send_slots(hub);
}

static bool will_restart(struct shmhub *hub, const struct hub_link *link)
{
	return link->spawn->restart == SHMHUB_RESTART_ON_DEATH && !link->stop_wanted &&
	       !hub->life_stop && !hub_is_stopping(hub);
}

static void set_backoff(struct hub_link *link, uint64_t now)
{
	const struct hub_spawn *s = link->spawn;
	const bool was_stable = now - link->started_ns > STABLE_S * 1000 * MS;

	link->backoff_ms = !link->backoff_ms || was_stable ? s->backoff_first_ms : 2 * link->backoff_ms;
	if (link->backoff_ms > s->backoff_max_ms)
		link->backoff_ms = s->backoff_max_ms;
	link->restart_ns = now + link->backoff_ms * MS;
	link->restarts++;
}

static void end(struct shmhub *hub, struct hub_link *link)
{
	pthread_mutex_unlock(&hub->life_lock);
	bury(hub, link);
	tell(hub, link, SHMHUB_PEER_GONE);
	pthread_mutex_lock(&hub->life_lock);
	if (will_restart(hub, link)) {
		set_backoff(link, hub_now_ns());
		link->life = HUB_LIFE_BACKOFF;
	} else {
		link->life = HUB_LIFE_ENDED;
	}
	note_living(hub);
	hub->punch_ns = hub->punch_ns ? hub->punch_ns : hub_now_ns() + PUNCH_PASS_NS;
	pthread_cond_broadcast(&hub->life_done_cond);
}

/* ---- being told (any thread) ---------------------------------------------------------------- */

static void wake(struct shmhub *hub)
{
	hub->life_changed = true;
	pthread_cond_signal(&hub->life_cond);
}

static void kill_at(struct shmhub *hub, struct hub_link *link, uint64_t ns)
{
	pthread_mutex_lock(&hub->life_lock);
	if (!link->kill_ns || ns < link->kill_ns)
		link->kill_ns = ns;
	wake(hub);
	pthread_mutex_unlock(&hub->life_lock);
}

void hub_life_suspect(struct shmhub *hub, struct hub_link *link)
{
	uint32_t was = 0;

	/* relaxed: only the first to notice tells; the life thread's lock orders the rest */
	if (!atomic_compare_exchange_strong_explicit(&link->hung_up, &was, 1, memory_order_relaxed,
						     memory_order_relaxed))
		return;
	kill_at(hub, link, hub_get32(&link->is_leaving) ? hub_now_ns() + LEAVE_GRACE_MS * MS : 1);
}

void hub_life_quarantine(struct shmhub *hub, struct hub_link *link)
{
	unsigned incarnation;
	uint32_t was = 0;

	if (hub_link_now(link, &incarnation) != HUB_LINK_OPEN)
		return;
	/* relaxed: only the first to notice counts it */
	if (!atomic_compare_exchange_strong_explicit(&link->quarantined, &was, 1,
						     memory_order_relaxed, memory_order_relaxed))
		return;
	hub_put32(&link->hung_up, 1);
	HUB_NOTE(hub, quarantined, 1);
	set_state(link, HUB_PEER_QUARANTINED);
	kill_at(hub, link, 1);
}

void hub_life_leaving(struct shmhub *hub, struct hub_link *link)
{
	(void)hub;
	hub_put32(&link->is_leaving, 1);
	set_state(link, HUB_PEER_LEAVING);
}

void hub_life_attached(struct shmhub *hub, struct hub_link *link)
{
	uint32_t was = 0, starting = HUB_PEER_STARTING;

	/* relaxed: the first bell with a loop_tid; told once per incarnation */
	if (hub_get32(&link->attached) ||
	    !atomic_compare_exchange_strong_explicit(&link->attached, &was, 1, memory_order_relaxed,
						     memory_order_relaxed))
		return;
	/* release P1: as set_state(); in one step, for it may be quarantined just now */
	atomic_compare_exchange_strong_explicit(&link->entry->state, &starting, HUB_PEER_LIVE,
						memory_order_release, memory_order_relaxed);
	pthread_mutex_lock(&hub->life_lock);
	hub_host_add_cpus(hub, link->pid);
	note_living(hub);
	pthread_mutex_unlock(&hub->life_lock);
	tell(hub, link, SHMHUB_PEER_LIVE);
}

void hub_life_ended(struct shmhub *hub, struct hub_link *link)
{
	pthread_mutex_lock(&hub->life_lock);
	struct pollfd pidfd = { .fd = link->pidfd, .events = POLLIN };

	/* the event may be an old one: of the process before */
	if (link->life == HUB_LIFE_ALIVE && poll(&pidfd, 1, 0) == 1) {
		link->life = HUB_LIFE_DYING;
		epoll_ctl(hub->epoll_fd, EPOLL_CTL_DEL, link->pidfd, NULL);
		wake(hub);
	}
	pthread_mutex_unlock(&hub->life_lock);
}

void hub_life_punch_soon(struct shmhub *hub)
{
	pthread_mutex_lock(&hub->life_lock);
	if (!hub->punch_ns) {
		hub->punch_ns = hub_now_ns() + PUNCH_PASS_NS;
		wake(hub);
	}
	pthread_mutex_unlock(&hub->life_lock);
}

/* ---- telling the application ------------------------------------------------------------------ */

struct news {
	struct hub_work work;
	struct shmhub *hub;
	unsigned peer, state;
};

static void tell_run(struct hub_work *work)
{
	struct news *news = (struct news *)work;

	news->hub->on_peer(news->hub, news->peer, news->state, news->hub->on_peer_arg);
	free(news);
}

static void tell(struct shmhub *hub, struct hub_link *link, unsigned state)
{
	struct news *news = hub->on_peer ? calloc(1, sizeof(*news)) : NULL;

	if (!news)
		return;
	*news = (struct news){ { NULL, tell_run }, hub, link->id, state };
	hub_work_push(hub, &news->work);
}

void shmhub_on_peer(struct shmhub *hub,
		    void (*fn)(struct shmhub *hub, unsigned peer, unsigned state, void *arg),
		    void *arg)
{
	hub->on_peer_arg = arg;
	hub->on_peer = fn;
}

/* ---- the loop --------------------------------------------------------------------------------- */

static void kill_link(struct hub_link *link)
{
	link->kill_ns = HUB_FOREVER; /* once */
	syscall(SYS_pidfd_send_signal, link->pidfd, SIGKILL, NULL, 0);
}

/* With life_lock. The earliest time something is to be done for this link. */
static uint64_t look_after(struct shmhub *hub, struct hub_link *link, uint64_t now)
{
	switch (link->life) {
	case HUB_LIFE_STARTING:
		start(hub, link);
		return 0;
	case HUB_LIFE_DYING:
		end(hub, link);
		return 0;
	case HUB_LIFE_BACKOFF:
		if (!will_restart(hub, link)) {
			link->life = HUB_LIFE_ENDED;
			pthread_cond_broadcast(&hub->life_done_cond);
			return HUB_FOREVER;
		}
		if (now < link->restart_ns)
			return link->restart_ns;
		start(hub, link);
		return 0;
	case HUB_LIFE_ALIVE:
		if (!link->kill_ns || link->kill_ns == HUB_FOREVER)
			return HUB_FOREVER;
		if (now < link->kill_ns)
			return link->kill_ns;
		kill_link(link);
		return HUB_FOREVER;
	default:
		return HUB_FOREVER;
	}
}

static void punch(struct shmhub *hub)
{
	bool more;

	hub->punch_ns = 0;
	pthread_mutex_unlock(&hub->life_lock);
	hub_put32(&hub->pool.slots.backed_more, 0);
	const uint64_t bytes = hub_slot_punch(&hub->pool.slots, &more);

	HUB_NOTE(hub, punched_bytes, bytes);
	hub_send_slots(hub); /* a claim may have failed because of us */
	pthread_mutex_lock(&hub->life_lock);
	if (more || hub_get32(&hub->pool.slots.backed_more))
		hub->punch_ns = hub_now_ns() + PUNCH_PASS_NS;
}

static void wait_until(struct shmhub *hub, uint64_t ns)
{
	const struct timespec at = { (time_t)(ns / 1000000000), (long)(ns % 1000000000) };

	if (hub->life_changed)
		return;
	if (ns == HUB_FOREVER)
		pthread_cond_wait(&hub->life_cond, &hub->life_lock);
	else
		pthread_cond_timedwait(&hub->life_cond, &hub->life_lock, &at);
}

static void *life_loop(void *arg)
{
	struct shmhub *hub = arg;

	prctl(PR_SET_NAME, "hub-life");
	pthread_mutex_lock(&hub->life_lock);
	while (!hub->life_stop) {
		const uint64_t now = hub_now_ns();
		uint64_t next = hub->punch_ns ? hub->punch_ns : HUB_FOREVER;

		hub->life_changed = false;
		if (now >= next) {
			punch(hub);
			continue;
		}
		for (unsigned i = 1; i <= hub->map.header.peers_max; i++) {
			const uint64_t at = look_after(hub, &hub->link[i], now);

			next = at < next ? at : next;
		}
		wait_until(hub, next);
	}
	pthread_mutex_unlock(&hub->life_lock);
	return NULL;
}

int hub_life_start(struct shmhub *hub, struct err *err)
{
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&hub->life_lock, NULL);
	pthread_cond_init(&hub->life_cond, &monotonic);
	pthread_cond_init(&hub->life_done_cond, &monotonic);
	pthread_condattr_destroy(&monotonic);
	for (unsigned i = 1; i <= hub->map.header.peers_max; i++) {
		struct hub_link *link = &hub->link[i];

		link->hub = hub;
		link->pidfd = -1;
		link->end.bell = -1;
		/* relaxed: no other thread knows it yet */
		atomic_store_explicit(&link->wake_fd, -1, memory_order_relaxed);
		link->id = (uint16_t)i;
		link->entry = hub_map_peer(&hub->map, i);
		link->out_end = &link->out;
		link->flush.run = hub_send_flush_run;
		pthread_mutex_init(&link->send, NULL);
		pthread_mutex_init(&link->share_lock, NULL);
		pthread_mutex_init(&link->lock, NULL);
	}
	const int r = hub_thread(&hub->life_thread, life_loop, hub);

	return r ? err_set(err, r, "hub: cannot start a thread: %s", strerror(-r)) : 0;
}

/* ---- ending ------------------------------------------------------------------------------------- */

static bool is_down(const struct hub_link *link)
{
	return link->life == HUB_LIFE_FREE || link->life == HUB_LIFE_ENDED;
}

static void ask_to_leave(struct shmhub *hub, struct hub_link *link)
{
	struct hub_message m = { .kind = HUB_KIND_LEAVE, .slot = HUB_NO_SLOT };
	unsigned incarnation;

	if (hub_link_now(link, &incarnation) == HUB_LINK_OPEN)
		hub_send(hub, link, incarnation, &m, NULL, NULL, 0, NULL, NULL);
}

/* With life_lock: until it is down, or the time is over. */
static bool wait_down(struct shmhub *hub, struct hub_link *link, uint64_t ns)
{
	const struct timespec at = { (time_t)(ns / 1000000000), (long)(ns % 1000000000) };

	while (!is_down(link))
		if (pthread_cond_timedwait(&hub->life_done_cond, &hub->life_lock, &at) == ETIMEDOUT)
			return is_down(link);
	return true;
}

static void want_down(struct shmhub *hub, struct hub_link *link, uint64_t kill_ns)
{
	link->stop_wanted = true;
	hub_put32(&link->is_leaving, 1); /* its hangup is expected */
	if (!link->kill_ns || kill_ns < link->kill_ns)
		link->kill_ns = kill_ns;
	wake(hub);
}

int shmhub_stop(struct shmhub *hub, unsigned peer, int grace_ms)
{
	if (peer < 1 || peer > hub->map.header.peers_max)
		return -ENOENT;
	struct hub_link *link = &hub->link[peer];
	const uint64_t kill_ns = hub_now_ns() + (uint64_t)(grace_ms > 0 ? grace_ms : 0) * MS;

	pthread_mutex_lock(&hub->life_lock);
	if (is_down(link)) {
		pthread_mutex_unlock(&hub->life_lock);
		return -ENOENT;
	}
	want_down(hub, link, kill_ns);
	pthread_mutex_unlock(&hub->life_lock);
	ask_to_leave(hub, link);
	pthread_mutex_lock(&hub->life_lock);
	const bool down = wait_down(hub, link, kill_ns + GIVE_UP_MS * MS);

	pthread_mutex_unlock(&hub->life_lock);
	return down ? 0 : -ETIMEDOUT;
}

int shmhub_kill(struct shmhub *hub, unsigned peer)
{
	if (peer < 1 || peer > hub->map.header.peers_max)
		return -ENOENT;
	struct hub_link *link = &hub->link[peer];

	pthread_mutex_lock(&hub->life_lock);
	const bool alive = link->life == HUB_LIFE_ALIVE;

	if (alive)
		syscall(SYS_pidfd_send_signal, link->pidfd, SIGKILL, NULL, 0);
	pthread_mutex_unlock(&hub->life_lock);
	return alive ? 0 : -ENOENT;
}

void hub_life_stop(struct shmhub *hub, int grace_ms)
{
	const uint64_t kill_ns = hub_now_ns() + (uint64_t)(grace_ms > 0 ? grace_ms : 0) * MS;

	pthread_mutex_lock(&hub->life_lock);
	for (unsigned i = 1; i <= hub->map.header.peers_max; i++)
		if (!is_down(&hub->link[i]))
			want_down(hub, &hub->link[i], kill_ns);
	pthread_mutex_unlock(&hub->life_lock);
	for (unsigned i = 1; i <= hub->map.header.peers_max; i++)
		ask_to_leave(hub, &hub->link[i]);
	pthread_mutex_lock(&hub->life_lock);
	for (unsigned i = 1; i <= hub->map.header.peers_max; i++)
		wait_down(hub, &hub->link[i], kill_ns + GIVE_UP_MS * MS);
	hub->life_stop = true;
	wake(hub);
	pthread_mutex_unlock(&hub->life_lock);
	pthread_join(hub->life_thread, NULL);
	for (unsigned i = 1; i <= hub->map.header.peers_max; i++) {
		/* relaxed: nobody sleeps on it any more */
		const int fd = atomic_load_explicit(&hub->link[i].wake_fd, memory_order_relaxed);

		if (fd >= 0)
			close(fd);
		spawn_free(hub->link[i].spawn);
		hub->link[i].spawn = NULL;
	}
}

/* ---- spawn ---------------------------------------------------------------------------------------- */

/* With life_lock: ids never used first, so that what ended stays visible. */
static struct hub_link *free_link(struct shmhub *hub)
{
	const enum hub_life_state order[] = { HUB_LIFE_FREE, HUB_LIFE_ENDED };

	for (unsigned pass = 0; pass < 2; pass++)
		for (unsigned i = 1; i <= hub->map.header.peers_max; i++)
			if (hub->link[i].life == order[pass])
				return &hub->link[i];
	return NULL;
}

static void occupy(struct hub_link *link, struct hub_spawn *spawn)
{
	if (link->life == HUB_LIFE_FREE)
		hub_role_want(link); /* as if it had been closed */
	spawn_free(link->spawn);
	link->spawn = spawn;
	link->stop_wanted = false;
	link->backoff_ms = 0;
	link->restarts = 0;
	hub_put32(&link->quarantined, 0);
	link->life = HUB_LIFE_STARTING;
}

int shmhub_spawn(struct shmhub *hub, const struct shmhub_spawn *spawn, unsigned *peer,
		 struct shmhub_error *error)
{
	struct shmhub_spawn known = { 0 };
	struct birth_wait wait = { 0 };
	struct err err = { 0 };
	int r = hub_abi_take(&known, spawn, HUB_ABI_SPAWN, sizeof(known), "spawn", &err);

	if (r)
		return hub_error(error, r, &err);
	struct hub_spawn *copy = spawn_copy(&known);

	if (!copy)
		return hub_error(error, err_set(&err, -ENOMEM, "spawn: no memory"), &err);
	pthread_mutex_lock(&hub->life_lock);
	struct hub_link *link = hub_is_stopping(hub) ? NULL : free_link(hub);

	if (!link) {
		r = hub_is_stopping(hub) ? -ESHUTDOWN : -ENFILE;
		pthread_mutex_unlock(&hub->life_lock);
		spawn_free(copy);
		return hub_error(error, err_set(&err, r, "%s: all %u peers are taken", hub->path,
						hub->map.header.peers_max),
				 &err);
	}
	copy->wait = &wait;
	occupy(link, copy);
	wake(hub);
	while (!wait.done)
		pthread_cond_wait(&hub->life_done_cond, &hub->life_lock);
	pthread_mutex_unlock(&hub->life_lock);
	if (!wait.result)
		*peer = link->id;
	return hub_error(error, wait.result, &wait.err);
}
