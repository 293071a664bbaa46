/*
 * source_feed - feeds become states.
 *
 * Each feed is read one dump ahead. The earliest of these dumps is the next to be told; dumps of
 * other feeds that belong to its family (asked together) are told with it. A dump has looked at
 * the transport twice, so it becomes two states. All other feeds contribute what their last dump
 * saw, marked as carried.
 *
 * Feeds of one boot share a clock. Those of other boots or machines are moved onto it by the
 * wall clock, which is all that connects them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/grow.h"
#include "lib/base/units.h"
#include "lib/feed/feed_get.h"
#include "lib/state/feed_fill.h"
#include "lib/state/feed_stream.h"
#include "lib/state/source_priv.h"

/* Processes of one family are asked within the time limit of a dump, not hours apart. */
static const uint64_t FAMILY_SPAN_US = 60 * UINT64_C(1000000);

struct unread { /* a feed that has no whole line yet */
	char *path;
	char note[sizeof(((struct err *)0)->text)];
};

struct feed_set {
	struct source_clock *clock;
	uint64_t recent_bytes;
	struct feed_stream **stream;
	size_t n, room;
	struct unread *unread;
	size_t unreads, unreads_room;
	char **note;
	size_t notes, notes_room;
	bool *in_group;    /* by stream: its `last` is what is being told */
	unsigned look;     /* of the group: the next to tell; 0: no group */
	unsigned looks;    /* of the group */
	uint64_t now_us;   /* of the state told last */
	uint64_t told;     /* states so far */
};

int64_t source_clock_shift(struct source_clock *clock, const char *boot, int64_t real_offset_us)
{
	if (!boot || !boot[0])
		return 0;
	if (!clock->boot[0]) {
		snprintf(clock->boot, sizeof(clock->boot), "%s", boot);
		clock->real_offset_us = real_offset_us;
	}
	if (strcmp(clock->boot, boot) == 0)
		return 0;
	return real_offset_us - clock->real_offset_us;
}

/* ---- the set ----------------------------------------------------------------------------- */

struct feed_set *feed_set_create(struct source_clock *clock, uint64_t recent_bytes)
{
	struct feed_set *set = calloc(1, sizeof(*set));

	if (set) {
		set->clock = clock;
		set->recent_bytes = recent_bytes;
	}
	return set;
}

void feed_set_destroy(struct feed_set *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->n; i++) {
		feed_stream_close(set->stream[i]);
		free(set->stream[i]);
	}
	for (size_t i = 0; i < set->unreads; i++)
		free(set->unread[i].path);
	for (size_t i = 0; i < set->notes; i++)
		free(set->note[i]);
	free(set->stream);
	free(set->unread);
	free(set->note);
	free(set->in_group);
	free(set);
}

bool feed_set_is_empty(const struct feed_set *set)
{
	return set->n == 0 && set->unreads == 0;
}

int feed_set_note(struct feed_set *set, const char *text)
{
	if (!GROW(set->note, set->notes, set->notes_room))
		return -ENOMEM;
	set->note[set->notes] = strdup(text);
	if (!set->note[set->notes])
		return -ENOMEM;
	set->notes++;
	return 0;
}

static int add_unread(struct feed_set *set, const char *path, const char *why)
{
	if (!GROW(set->unread, set->unreads, set->unreads_room))
		return -ENOMEM;
	struct unread *u = &set->unread[set->unreads];

	u->path = strdup(path);
	if (!u->path)
		return -ENOMEM;
	snprintf(u->note, sizeof(u->note), "%s", why);
	set->unreads++;
	return 0;
}

int feed_set_add(struct feed_set *set, const char *path, struct err *err)
{
	struct err why;
	struct feed_stream *s = calloc(1, sizeof(*s));

	if (!s || !GROW(set->stream, set->n, set->room)) {
		free(s);
		return err_set(err, -ENOMEM, "%s: out of memory", path);
	}
	const int e = feed_stream_open(path, s, &why);

	if (e) {
		free(s);
		if (err)
			*err = why;
		return e == -ENODATA ? add_unread(set, path, why.text) : e;
	}
	if (set->recent_bytes)
		feed_chain_recent(s->chain, set->recent_bytes);
	s->shift_us = source_clock_shift(set->clock, feed_text(s->head, "boot"), s->real_offset_us);
	s->from_us += (uint64_t)s->shift_us;
	s->to_us += (uint64_t)s->shift_us;
	set->stream[set->n++] = s;
	return 0;
}

/* ---- groups ------------------------------------------------------------------------------ */

static int advance(struct feed_stream *s, struct err *err)
{
	const int e = feed_stream_advance(s);

	return e ? err_set(err, e, "%s: cannot be read (%s)", feed_chain_path(s->chain), strerror(-e))
		 : 0;
}

static int prime(struct feed_set *set, struct err *err)
{
	set->in_group = calloc(set->n ? set->n : 1, sizeof(*set->in_group));
	if (!set->in_group)
		return err_set(err, -ENOMEM, "feeds: out of memory");
	for (size_t i = 0; i < set->n; i++) {
		const int e = advance(set->stream[i], err);

		if (e)
			return e;
	}
	return 0;
}

static const struct feed_dump *earliest(const struct feed_set *set)
{
	const struct feed_dump *first = NULL;

	for (size_t i = 0; i < set->n; i++) {
		const struct feed_dump *d = &set->stream[i]->next;

		if (d->begin && (!first || d->mono_us < first->mono_us))
			first = d;
	}
	return first;
}

static bool is_of_family(const struct feed_dump *d, const struct feed_dump *first)
{
	return d == first || (d->begin && first->family && d->family == first->family &&
			      d->mono_us - first->mono_us < FAMILY_SPAN_US);
}

/* A process that was stopped when its family was asked answers when it goes on: that is another
 * moment, in which it is not stopped any more. */
static void leave_out_stopped(struct feed_set *set, const struct feed_dump *teller)
{
	for (size_t k = 0; k < teller->n; k++) {
		const json_t *rec = teller->rec[k];
		const char *letter = feed_is_type(rec, "child") ? feed_text(rec, "state") : NULL;

		if (!letter || (*letter != 'T' && *letter != 't'))
			continue;
		for (size_t i = 0; i < set->n; i++)
			if (set->in_group[i] && &set->stream[i]->next != teller &&
			    feed_stream_pid(set->stream[i]) ==
				    feed_stream_number(set->stream[i],
						       (int32_t)feed_u32(rec, "pid", 0)) &&
			    set->stream[i]->next.mono_us > teller->mono_us)
				set->in_group[i] = false;
	}
}

/* Chooses the dumps that are told next; they become `last` of their streams. 1, 0 or -errno. */
static int begin_group(struct feed_set *set, struct err *err)
{
	const struct feed_dump *first = earliest(set);

	if (!first)
		return 0;
	set->look = 1;
	set->looks = 1;
	for (size_t i = 0; i < set->n; i++)
		set->in_group[i] = is_of_family(&set->stream[i]->next, first);
	for (size_t i = 0; i < set->n; i++)
		if (set->in_group[i])
			leave_out_stopped(set, &set->stream[i]->next);
	for (size_t i = 0; i < set->n; i++) {
		if (!set->in_group[i])
			continue;
		if (set->stream[i]->next.looks > set->looks)
			set->looks = set->stream[i]->next.looks;
		const int e = advance(set->stream[i], err);

		if (e)
			return e;
	}
	return 1;
}

/* ---- states ------------------------------------------------------------------------------ */

/* Views name the file themselves; of one of its parts the base name is left. */
static const char *without_path(const char *text, const char *path)
{
	const char *slash = strrchr(path, '/');
	const size_t len = strlen(path), dir = slash ? (size_t)(slash + 1 - path) : 0;

	if (strncmp(text, path, len) != 0)
		return text;
	return text[len] == ':' && text[len + 1] == ' ' ? text + len + 2 : text + dir;
}

static int add_input(struct state *st, struct feed_stream *s)
{
	struct state_input *in = state_add_input(st);
	struct err why;
	char count[UNITS_TEXT];

	if (!in)
		return -ENOMEM;
	in->path = arena_strdup(&st->arena, feed_chain_path(s->chain));
	in->type = "feed";
	in->from_us = s->from_us;
	in->to_us = s->to_us;
	in->complete = !feed_chain_problem(s->chain, &why);
	if (!in->complete)
		in->note = arena_strdup(&st->arena, without_path(why.text, in->path));
	if (feed_chain_missed(s->chain)) {
		in->complete = false;
		state_note_unseen(st, "%s: %s of its parts were deleted before they could be read",
				  in->path, units_count(count, feed_chain_missed(s->chain)));
	}
	return in->path ? 0 : -ENOMEM;
}

int feed_set_inputs(struct feed_set *set, struct state *st)
{
	for (size_t i = 0; i < set->n; i++) {
		struct feed_stream *s = set->stream[i];
		const int e = add_input(st, s);

		if (e)
			return e;
		if (!s->dumps)
			state_note_unseen(st, "%s (pid %d): no dump in its feed", feed_stream_name(s),
					  feed_stream_pid(s));
	}
	for (size_t i = 0; i < set->unreads; i++) {
		struct state_input *in = state_add_input(st);

		if (!in)
			return -ENOMEM;
		in->path = arena_strdup(&st->arena, set->unread[i].path);
		in->type = "feed";
		in->note = arena_strdup(&st->arena,
					without_path(set->unread[i].note, set->unread[i].path));
	}
	for (size_t i = 0; i < set->notes; i++)
		state_note_unseen(st, "%s", set->note[i]);
	return 0;
}

int feed_set_carry(struct feed_set *set, struct state *st)
{
	for (size_t i = 0; i < set->n; i++) {
		struct feed_stream *s = set->stream[i];

		if (!s->last.begin || (set->look && set->in_group[i]) ||
		    state_find_process(st, feed_stream_pid(s), feed_stream_start(s)))
			continue;
		const int e = feed_fill(st, s, &s->last, 2, true);

		if (e)
			return e;
	}
	return 0;
}

/* What a dump of the present group did not get to see. */
static void note_gaps(struct state *st, struct feed_stream *s, const struct feed_dump *d)
{
	const char *name = feed_stream_name(s);
	const int32_t pid = feed_stream_pid(s);

	if (!d->done)
		state_note_unseen(st, "%s (pid %d): its dump is cut off: what was to follow is not known",
				  name, pid);
	else if (feed_is(d->done, "timeout"))
		state_note_unseen(st, "%s (pid %d): its dump ran out of time: %u of %u threads have a stack",
				  name, pid, feed_u32(d->done, "captured", 0),
				  feed_u32(d->done, "threads", 0));
	if (feed_u32(d->done, "left_out", 0))
		state_note_unseen(st, "%s (pid %d): %u of its threads were not looked at: more than there is "
				  "room to list", name, pid, feed_u32(d->done, "left_out", 0));
	if (d->lost)
		state_note_unseen(st, "%s (pid %d): %" PRIu64 " records of its dump were not read (too many)",
				  name, pid, d->lost);
}

/* Peers that no dump told of: their stacks are missing from the picture. */
static void note_peers_without_feed(struct state *st)
{
	const struct state_peer *first = NULL;
	unsigned n = 0;

	for (size_t i = 0; i < st->hubs; i++) {
		for (size_t k = 0; k < st->hub[i].peers; k++) {
			const struct state_peer *p = &st->hub[i].peer[k];

			if (p->process >= 0 || p->pid <= 0 || p->state == HUB_PEER_UNUSED ||
			    p->state == HUB_PEER_GONE)
				continue;
			first = first ? first : p;
			n++;
		}
	}
	if (n == 1)
		state_note_unseen(st, "%s(%u): no feed (library not loaded?), so its stacks are unknown",
				  first->name ? first->name : "?", first->id);
	else if (n > 1)
		state_note_unseen(st,
				  "%u peers have no feed (library not loaded?), so their stacks are "
				  "unknown; the first is %s(%u)",
				  n, first->name ? first->name : "?", first->id);
}

static int fill_group(struct feed_set *set, struct state *st, unsigned look)
{
	uint64_t now_us = set->now_us;

	for (size_t i = 0; i < set->n; i++) {
		struct feed_stream *s = set->stream[i];
		const struct feed_dump *d = &s->last;

		if (!set->in_group[i])
			continue;
		const int e = feed_fill(st, s, d, look, false);

		if (e)
			return e;
		note_gaps(st, s, d);
		const uint64_t at = d->look_us[look] ? d->look_us[look] : d->mono_us;

		if (at > now_us)
			now_us = at;
	}
	for (size_t i = 0; i < set->n; i++) {
		if (!set->in_group[i])
			continue;
		const int e = feed_fill_children(st, set->stream[i], &set->stream[i]->last);

		if (e)
			return e;
	}
	st->now_us = set->now_us = now_us;
	return 0;
}

static void begin_state(struct feed_set *set, struct state *st)
{
	state_init(st);
	st->sources = STATE_FEED;
	st->real_offset_us = set->clock->real_offset_us;
	st->single_moment = set->told == 0;
	set->told++;
}

static int fill_look(struct feed_set *set, struct state *st)
{
	int e = fill_group(set, st, set->look);

	if (!e)
		e = feed_set_carry(set, st);
	if (!e)
		e = feed_set_inputs(set, st);
	if (!e)
		e = state_join(st);
	st->sees_processes = true;
	st->sees_bells = source_sees_bells(st);
	note_peers_without_feed(st);
	return e;
}

int feed_set_next(struct feed_set *set, struct state *st, struct err *err)
{
	int e = set->in_group ? 0 : prime(set, err);

	if (e)
		return e;
	if (!set->look) {
		e = begin_group(set, err);
		if (e <= 0)
			return e;
	}
	begin_state(set, st);
	e = fill_look(set, st);
	if (e) {
		state_fini(st);
		return err_set(err, e, "feeds: out of memory");
	}
	if (++set->look > set->looks)
		set->look = 0;
	return 1;
}

int feed_set_nothing(struct feed_set *set, struct state *st, struct err *err)
{
	begin_state(set, st);
	for (size_t i = 0; i < set->n; i++)
		if (set->stream[i]->to_us > st->now_us)
			st->now_us = set->stream[i]->to_us;
	if (!feed_set_inputs(set, st))
		return 1;
	state_fini(st);
	return err_set(err, -ENOMEM, "feeds: out of memory");
}
