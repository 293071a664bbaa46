/*
 * source_live - the running machine: hubs of this user, their hosts and peers.
 *
 * Per state: each hub is read, then the bells are asked for, then the processes are looked at.
 * Between the first and the last of these some milliseconds pass, in which a healthy process
 * moves on: that a bell is silent and a message waits is evidence only if the next look finds
 * the ring in the same place.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/grow.h"
#include "lib/proc/proc_sock.h"
#include "lib/state/ends_look.h"
#include "lib/state/hub_look.h"
#include "lib/state/process_look.h"
#include "lib/state/source_priv.h"

static const char SHM_DIR[] = "/dev/shm";
enum {
	HUBS_MAX = 256,
	SCAN_US = 200000,       /* for one reading of all that is open on the machine, */
	SCAN_AGE_US = 10000000, /* which serves for so long */
};

struct live_hub {
	char *path;
	struct hub_look *look; /* NULL: not there (any more) */
	bool is_named;         /* asked for by name: looked for again when it is gone */
	char why[sizeof(((struct err *)0)->text)]; /* why it is not there */
};

struct target { /* a process to look at, and the threads of it that matter most */
	int32_t pid;
	uint64_t start;
	int32_t *tid;
	size_t tids, tids_room;
};

struct source_live {
	struct source base;
	struct live_hub *hub;
	size_t hubs, hubs_room;
	bool finds_hubs;        /* looks for further ones in /dev/shm */
	int32_t *pid;           /* asked for by number */
	size_t pids, pids_room;
	bool wants_stacks, wants_bells;
	struct process_look *processes;
	struct ends_look *ends;
	struct proc_sock sock;  /* fd -1: cannot be asked */
	struct err why_no_bells;
	struct target *target;  /* of the state at hand */
	size_t targets, targets_room;
};

static uint64_t clock_us(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* ---- which hubs -------------------------------------------------------------------------- */

static int add_hub(struct source_live *s, const char *path, bool is_named)
{
	if (s->hubs >= HUBS_MAX)
		return -E2BIG;
	if (!GROW(s->hub, s->hubs, s->hubs_room))
		return -ENOMEM;
	struct live_hub *h = &s->hub[s->hubs];

	*h = (struct live_hub){ .path = strdup(path), .is_named = is_named };
	if (!h->path)
		return -ENOMEM;
	s->hubs++;
	return 0;
}

static bool knows(const struct source_live *s, const char *path)
{
	for (size_t i = 0; i < s->hubs; i++)
		if (strcmp(s->hub[i].path, path) == 0)
			return true;
	return false;
}

/* A file of ours that begins like a hub. Those being made have names that begin with a dot. */
static bool is_hub(int dirfd, const char *name)
{
	char magic[sizeof(HUB_MAGIC) - 1];
	struct stat st;

	if (name[0] == '.' || fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) ||
	    !S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_size < HUB_PAGE)
		return false;
	CLOSES int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	return fd >= 0 && pread(fd, magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) &&
	       memcmp(magic, HUB_MAGIC, sizeof(magic)) == 0;
}

static int find_hubs(struct source_live *s)
{
	DIR *d = opendir(SHM_DIR);
	const struct dirent *entry;
	int e = 0;

	if (!d)
		return 0; /* no hubs there, then */
	while (!e && (entry = readdir(d))) {
		char path[sizeof(SHM_DIR) + 256];

		snprintf(path, sizeof(path), "%s/%s", SHM_DIR, entry->d_name);
		if (is_hub(dirfd(d), entry->d_name) && !knows(s, path))
			e = add_hub(s, path, false);
	}
	closedir(d);
	return e == -E2BIG ? 0 : e;
}

static void drop_hub(struct source_live *s, size_t i)
{
	hub_look_close(s->hub[i].look);
	free(s->hub[i].path);
	memmove(&s->hub[i], &s->hub[i + 1], (s->hubs - i - 1) * sizeof(s->hub[0]));
	s->hubs--;
}

/* Opens what is not open, and lets go of what was removed, unless its host still holds it. */
static int open_hub(struct live_hub *h, struct err *err)
{
	struct err why;

	if (h->look && hub_look_is_replaced(h->look) && !hub_look_is_live(h->look)) {
		hub_look_close(h->look);
		h->look = NULL;
	}
	if (h->look)
		return 0;
	const int e = hub_look_open(h->path, &h->look, &why);

	if (e) {
		snprintf(h->why, sizeof(h->why), "%s", why.text);
		if (err)
			*err = why;
	}
	return e;
}

static int refresh_hubs(struct source_live *s)
{
	const int e = s->finds_hubs ? find_hubs(s) : 0;

	for (size_t i = 0; i < s->hubs;) {
		if (open_hub(&s->hub[i], NULL) && !s->hub[i].is_named)
			drop_hub(s, i);
		else
			i++;
	}
	return e;
}

/* ---- which processes --------------------------------------------------------------------- */

static int add_tid(struct target *t, uint32_t tid)
{
	for (size_t i = 0; i < t->tids; i++)
		if (t->tid[i] == (int32_t)tid)
			return 0;
	if (!tid)
		return 0;
	if (!GROW(t->tid, t->tids, t->tids_room))
		return -ENOMEM;
	t->tid[t->tids++] = (int32_t)tid;
	return 0;
}

static struct target *find_target(struct source_live *s, int32_t pid, uint64_t start)
{
	for (size_t i = 0; i < s->targets; i++)
		if (s->target[i].pid == pid)
			return &s->target[i];
	if (!GROW(s->target, s->targets, s->targets_room))
		return NULL;
	struct target *t = &s->target[s->targets++];

	/* the room for tids of an earlier state is used again */
	t->pid = pid;
	t->start = start;
	t->tids = 0;
	return add_tid(t, (uint32_t)pid) ? NULL : t;
}

static int add_target(struct source_live *s, int32_t pid, uint64_t start, uint32_t tid)
{
	if (pid <= 0)
		return 0;
	struct target *t = find_target(s, pid, start);

	return t ? add_tid(t, tid) : -ENOMEM;
}

static int add_targets_of(struct source_live *s, const struct state_hub *hub)
{
	int e = hub->host_alive == STATE_NO ? 0 : add_target(s, hub->host_pid, hub->host_start, 0);

	for (size_t i = 0; i < hub->peers && !e; i++) {
		const struct state_peer *p = &hub->peer[i];

		/* a pid that means nothing here would be somebody else's */
		if (p->alive != STATE_YES)
			continue;
		e = add_target(s, p->pid, p->start, p->loop_tid);
		if (!e && hub->host_alive == STATE_YES)
			e = add_target(s, hub->host_pid, hub->host_start, p->host_tid);
	}
	for (size_t i = 0; i < hub->calls && !e && hub->host_alive == STATE_YES; i++) {
		const struct state_call *call = &hub->call[i];

		/* whether its caller gets a CPU tells if it is late or lost */
		if (!call->by && !call->enqueued_at && call->call_state == HUB_CALL_PENDING)
			e = add_target(s, hub->host_pid, hub->host_start, call->tid);
	}
	return e;
}

static int fill_processes(struct source_live *s, struct state *st)
{
	int e = 0;

	s->targets = 0;
	for (size_t i = 0; i < st->hubs && !e; i++)
		e = add_targets_of(s, &st->hub[i]);
	for (size_t i = 0; i < s->pids && !e; i++)
		e = add_target(s, s->pid[i], 0, 0);
	process_look_begin(s->processes);
	for (size_t i = 0; i < s->targets && e >= 0; i++) {
		const struct target *t = &s->target[i];

		e = process_look_fill(s->processes, st, t->pid, t->start, t->tid, t->tids,
				      s->wants_stacks);
		if (e > 0 && s->wants_stacks)
			e = ends_look_fill(s->ends, st, &st->process[st->processes - 1]);
	}
	return e < 0 ? e : 0;
}

/* ---- bells ------------------------------------------------------------------------------- */

static void fill_bells(struct source_live *s, const struct hub_look *look, struct state_hub *hub)
{
	struct proc_sock_info info;

	for (size_t i = 0; i < hub->peers; i++) {
		struct state_peer *p = &hub->peer[i];

		for (unsigned dir = 0; dir < 2 && p->id && p->alive != STATE_NO; dir++) {
			const uint64_t inode = hub_look_bell(look, p->id, dir);

			if (inode && !proc_sock_find(&s->sock, inode, &info, NULL) && info.has_queue)
				p->ring[dir].bell = info.unread;
		}
	}
}

/* ---- states ------------------------------------------------------------------------------ */

static int fill_hub(struct source_live *s, const struct live_hub *h, struct state *st)
{
	struct state_input *in = state_add_input(st);
	const int e = in ? hub_look_fill(h->look, st, STATE_LIVE, 0) : -ENOMEM;

	if (e)
		return e;
	struct state_hub *hub = &st->hub[st->hubs - 1];

	in->path = hub->path;
	in->type = "live";
	in->complete = !hub->damage;
	in->note = hub->damage;
	in->from_us = hub->created_us;
	in->to_us = hub->seen_us;
	if (s->wants_bells && s->sock.fd >= 0)
		fill_bells(s, h->look, hub);
	return 0;
}

static int fill(struct source_live *s, struct state *st)
{
	int e = refresh_hubs(s);

	for (size_t i = 0; i < s->hubs && !e; i++) {
		if (s->hub[i].look)
			e = fill_hub(s, &s->hub[i], st);
		else
			state_note_unseen(st, "%s", s->hub[i].why);
	}
	if (!e)
		e = fill_processes(s, st);
	if (!e)
		e = state_join(st);
	return e;
}

static int next_live(struct source *src, struct state *st, struct err *err)
{
	struct source_live *s = (struct source_live *)src;

	state_init(st);
	const int e = fill(s, st);

	if (e) {
		state_fini(st);
		return err_set(err, e, "out of memory");
	}
	if (s->wants_bells && s->sock.fd < 0)
		state_note_unseen(st, "unread bytes of the bells: %s", s->why_no_bells.text);
	st->sources = STATE_LIVE;
	st->sees_processes = true;
	st->sees_bells = source_sees_bells(st);
	/* all that was seen lies before this */
	st->now_us = clock_us(CLOCK_MONOTONIC);
	st->real_offset_us = (int64_t)(clock_us(CLOCK_REALTIME) - st->now_us);
	return 1;
}

static void close_live(struct source *src)
{
	struct source_live *s = (struct source_live *)src;

	while (s->hubs)
		drop_hub(s, s->hubs - 1);
	for (size_t i = 0; i < s->targets_room; i++)
		free(s->target[i].tid);
	process_look_destroy(s->processes);
	ends_look_destroy(s->ends);
	proc_sock_close(&s->sock);
	free(s->hub);
	free(s->pid);
	free(s->target);
	free(s);
}

/* ---- opening ----------------------------------------------------------------------------- */

static int add_named_hubs(struct source_live *s, const char *const *paths, struct err *err)
{
	for (; paths && *paths; paths++) {
		int e = add_hub(s, *paths, true);

		if (e)
			return err_set(err, e, "%s: too many hubs, or out of memory", *paths);
		e = open_hub(&s->hub[s->hubs - 1], err);
		if (e)
			return e;
	}
	return 0;
}

static int add_pids(struct source_live *s, const int32_t *pids, struct err *err)
{
	for (; pids && *pids; pids++) {
		if (!process_look_is_alive(*pids, 0)) {
			err_set(err, -ENOENT, "pid %d: no such process", *pids);
			return err_next(err, "`sigdump list` shows who has the library");
		}
		if (!GROW(s->pid, s->pids, s->pids_room))
			return err_set(err, -ENOMEM, "out of memory");
		s->pid[s->pids++] = *pids;
	}
	return 0;
}

static int no_hub(struct err *err)
{
	err_set(err, -ENOENT, "no hub found for UID %u (looked in %s)", (unsigned)geteuid(), SHM_DIR);
	return err_next(err, "make demo, or shmtop PATH");
}

static int open_live(struct source_live *s, const struct source_options *options, struct err *err)
{
	s->sock.fd = -1;
	s->processes = process_look_create();
	s->ends = ends_look_create(SCAN_US, SCAN_AGE_US);
	if (!s->processes || !s->ends)
		return err_set(err, -ENOMEM, "out of memory");
	s->wants_stacks = options->stacks;
	s->wants_bells = options->bells;
	if (s->wants_bells)
		proc_sock_open(&s->sock, &s->why_no_bells);
	int e = add_named_hubs(s, options->hubs, err);

	if (!e)
		e = add_pids(s, options->pids, err);
	if (e)
		return e;
	s->finds_hubs = !options->hubs && !options->pids;
	if (s->finds_hubs && refresh_hubs(s))
		return err_set(err, -ENOMEM, "out of memory");
	return s->hubs || s->pids ? 0 : no_hub(err);
}

int source_open_live(const struct source_options *options, struct source **src, struct err *err)
{
	static const struct source_options none;
	struct source_live *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(err, -ENOMEM, "out of memory");
	s->base.next = next_live;
	s->base.close = close_live;
	const int e = open_live(s, options ? options : &none, err);

	if (e)
		close_live(&s->base);
	else
		*src = &s->base;
	return e;
}
