#include "lib/state/source.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/grow.h"
#include "lib/feed/feed_list.h"
#include "lib/state/hub_look.h"
#include "lib/state/source_priv.h"

/* Files: first what the feeds tell, in time; then, as one state, the hub files. */
struct source_files {
	struct source base;
	struct source_clock clock;
	struct feed_set *feeds;
	struct hub_look **hub;
	size_t hubs, hubs_room;
	bool has_told_hubs;
	bool wants_messages, wants_slots;
	bool has_told;               /* a state was made, returned or not */
	uint64_t since_us, until_us; /* CLOCK_REALTIME; 0 open */
};

static void close_files(struct source *src)
{
	struct source_files *f = (struct source_files *)src;

	feed_set_destroy(f->feeds);
	for (size_t i = 0; i < f->hubs; i++)
		hub_look_close(f->hub[i]);
	free(f->hub);
	free(f);
}

bool source_sees_bells(const struct state *st)
{
	for (size_t i = 0; i < st->hubs; i++)
		for (size_t k = 0; k < st->hub[i].peers; k++)
			if (!st->hub[i].peer[k].carried &&
			    (st->hub[i].peer[k].ring[HUB_RECV].bell >= 0 ||
			     st->hub[i].peer[k].ring[HUB_SEND].bell >= 0))
				return true;
	return false;
}

bool source_sees_processes(const struct state *st)
{
	for (size_t i = 0; i < st->processes; i++)
		if (!st->process[i].carried)
			return true;
	return false;
}

/* ---- hub files --------------------------------------------------------------------------- */

static bool is_same_beat(const struct state_beat *a, const struct state_beat *b)
{
	return a->state == b->state && a->method == b->method && a->since_us == b->since_us;
}

/* Nothing has happened at this peer between two looks: no message moved, its loop did nothing. */
static bool is_still(const struct state_peer *now, const struct state_peer *then)
{
	for (unsigned dir = 0; dir < 2; dir++)
		if (now->ring[dir].damage || now->ring[dir].head != then->ring[dir].head ||
		    now->ring[dir].tail != then->ring[dir].tail ||
		    now->ring[dir].bells != then->ring[dir].bells)
			return false;
	return now->pid == then->pid && now->start == then->start &&
	       now->incarnation == then->incarnation && now->handled == then->handled &&
	       is_same_beat(&now->beat, &then->beat);
}

/* What its last dump saw of a peer that is still is as good as seen now. */
static void take_still(struct state *st, const struct state_hub *now, struct state_hub *then)
{
	for (size_t i = 0; i < then->peers; i++) {
		struct state_peer *old = &then->peer[i];
		const struct state_peer *p = state_find_peer(now, old->id);
		struct state_process *process = state_find_process(st, old->pid, old->start);

		if (!old->id || !p || !process || p->alive == STATE_NO || !is_still(p, old))
			continue;
		process->carried = false;
		old->carried = false;
	}
}

static void take_still_peers(struct state *st)
{
	for (size_t i = 0; i < st->hubs; i++)
		for (size_t k = 0; k < st->hubs; k++)
			if (st->hub[i].source == STATE_HUB_FILE && st->hub[k].carried &&
			    st->hub[i].id == st->hub[k].id)
				take_still(st, &st->hub[i], &st->hub[k]);
}

static int fill_hub(struct source_files *f, struct hub_look *look, struct state *st)
{
	const int64_t offset_us = hub_look_real_offset_us(look);
	const int64_t shift_us = source_clock_shift(&f->clock, hub_look_boot(look), offset_us);
	struct state_input *in = state_add_input(st);

	hub_look_want(look, f->wants_messages, f->wants_slots);
	const int e = in ? hub_look_fill(look, st, STATE_HUB_FILE, shift_us) : -ENOMEM;

	if (e)
		return e;
	const struct state_hub *hub = &st->hub[st->hubs - 1];

	in->path = hub->path;
	in->type = "hub";
	in->complete = !hub->damage;
	in->note = hub->damage;
	in->from_us = hub->created_us;
	in->to_us = hub->seen_us;
	if (hub->seen_us > st->now_us)
		st->now_us = hub->seen_us;
	return 0;
}

static int fill_hubs(struct source_files *f, struct state *st)
{
	for (size_t i = 0; i < f->hubs; i++) {
		const int e = fill_hub(f, f->hub[i], st);

		if (e)
			return e;
	}
	int e = feed_set_carry(f->feeds, st);

	if (!e)
		e = feed_set_inputs(f->feeds, st);
	if (e)
		return e;
	take_still_peers(st);
	return state_join(st);
}

static int next_hubs(struct source_files *f, struct state *st, struct err *err)
{
	f->has_told_hubs = true;
	state_init(st);
	const int e = fill_hubs(f, st);

	if (e) {
		state_fini(st);
		return err_set(err, e, "hub: out of memory");
	}
	st->sources = STATE_HUB_FILE | (feed_set_is_empty(f->feeds) ? 0 : STATE_FEED);
	st->real_offset_us = f->clock.real_offset_us;
	st->single_moment = !f->has_told;
	st->sees_processes = source_sees_processes(st);
	st->sees_bells = source_sees_bells(st);
	if (!st->sees_processes)
		state_note_unseen(st, "from a hub file alone: whether its processes run, stop or wait, and for which locks");
	if (!st->sees_bells)
		state_note_unseen(st, "from a hub file alone: unread bytes of the bells");
	return 1;
}

/* ---- the sequence ------------------------------------------------------------------------ */

static bool is_wanted(const struct source_files *f, const struct state *st)
{
	const uint64_t at = st->now_us + (uint64_t)st->real_offset_us;

	return (!f->since_us || at >= f->since_us) && (!f->until_us || at <= f->until_us);
}

/* The next state, wanted or not. */
static int next_of_files(struct source_files *f, struct state *st, struct err *err)
{
	const int r = feed_set_next(f->feeds, st, err);

	if (r)
		return r;
	if (f->hubs && !f->has_told_hubs)
		return next_hubs(f, st, err);
	if (f->has_told || feed_set_is_empty(f->feeds))
		return 0;
	return feed_set_nothing(f->feeds, st, err);
}

static int next_file_state(struct source *src, struct state *st, struct err *err)
{
	struct source_files *f = (struct source_files *)src;
	int r;

	while ((r = next_of_files(f, st, err)) == 1) {
		f->has_told = true;
		if (is_wanted(f, st))
			return 1;
		state_fini(st);
	}
	return r;
}

/* ---- what is it? ------------------------------------------------------------------------- */

static int add_directory(struct source_files *f, const char *path, struct err *err)
{
	struct feed_list list;
	struct err why;
	int e = feed_list_dir(path, &list, err);

	if (e)
		return e;
	if (!list.n) {
		e = err_set(err, -ENOENT, "%s: no feeds in this directory (*.ndjson)", path);
		err_next(err, "feeds are written by `sigdump run` and by programs started with "
			      "libsigdump.so; `sigdump list` says where");
	}
	for (size_t i = 0; !e && i < list.n; i++) {
		e = feed_set_add(f->feeds, list.path[i], &why);
		/* one file that is no feed spoils nobody else's */
		if (e == -EBADMSG || e == -EACCES || e == -ENOENT || e == -EINVAL)
			e = feed_set_note(f->feeds, why.text);
		if (e)
			err_set(err, e, "%s: out of memory", path);
	}
	if (!e && list.compressed) {
		char text[512];

		snprintf(text, sizeof(text),
			 "%.300s: %zu compressed parts (.zst) were not read; unpack them first", path,
			 list.compressed);
		e = feed_set_note(f->feeds, text);
	}
	feed_list_fini(&list);
	return e;
}

static const char *kind_of_file(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFIFO:
		return "a fifo";
	case S_IFSOCK:
		return "a socket";
	case S_IFCHR:
		return "a character device";
	case S_IFBLK:
		return "a block device";
	default:
		return "of no known kind";
	}
}

static int add_hub(struct source_files *f, const char *path, struct err *err)
{
	if (!GROW(f->hub, f->hubs, f->hubs_room))
		return err_set(err, -ENOMEM, "%s: out of memory", path);
	const int e = hub_look_open(path, &f->hub[f->hubs], err);

	f->hubs += e == 0;
	return e;
}

static int refuse_core(const char *path, struct err *err)
{
	err_set(err, -EBADMSG, "%s: a core file (this build does not read them)", path);
	return err_next(err, "give the hub file and the feeds of the processes; `gdb PROGRAM %s` shows "
			     "the stacks",
			path);
}

static bool is_core(const uint8_t *first, size_t n)
{
	return n >= EI_NIDENT + 2 && memcmp(first, ELFMAG, SELFMAG) == 0 &&
	       (first[EI_DATA] == ELFDATA2MSB ? first[EI_NIDENT + 1] : first[EI_NIDENT]) == ET_CORE;
}

static int add_file(struct source_files *f, const char *path, struct err *err)
{
	uint8_t first[EI_NIDENT + 2];
	CLOSES int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	const ssize_t n = fd < 0 ? -1 : pread(fd, first, sizeof(first), 0);

	if (n < 0)
		return hub_look_unreadable(path, err);
	if (is_core(first, (size_t)n))
		return refuse_core(path, err);
	if (n && first[0] == '{')
		return feed_set_add(f->feeds, path, err);
	return add_hub(f, path, err);
}

static int add_path(struct source_files *f, const char *path, struct err *err)
{
	struct stat st;

	if (stat(path, &st))
		return hub_look_unreadable(path, err);
	if (S_ISDIR(st.st_mode))
		return add_directory(f, path, err);
	if (!S_ISREG(st.st_mode)) {
		err_set(err, -EBADMSG, "%s: not a hub file (%s)", path, kind_of_file(st.st_mode));
		err_next(err, "give a hub file, a feed, or a directory of feeds; a stream: write it to a file first");
		return -EBADMSG;
	}
	return add_file(f, path, err);
}

int source_open_paths(const char *const *paths, const struct source_options *options,
		      struct source **src, struct err *err)
{
	struct source_files *f = calloc(1, sizeof(*f));

	if (f)
		f->feeds = feed_set_create(&f->clock, options ? options->recent_bytes : 0);
	if (!f || !f->feeds) {
		free(f);
		return err_set(err, -ENOMEM, "out of memory");
	}
	f->base.next = next_file_state;
	f->base.close = close_files;
	if (options) {
		f->wants_messages = options->messages;
		f->wants_slots = options->slots;
		f->since_us = options->since_us;
		f->until_us = options->until_us;
	}
	for (; *paths; paths++) {
		const int e = add_path(f, *paths, err);

		if (e) {
			close_files(&f->base);
			return e;
		}
	}
	*src = &f->base;
	return 0;
}

int source_next(struct source *src, struct state *st, struct err *err)
{
	return src->next(src, st, err);
}

void source_close(struct source *src)
{
	if (src)
		src->close(src);
}
