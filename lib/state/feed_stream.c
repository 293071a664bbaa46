#include "lib/state/feed_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/grow.h"
#include "lib/feed/feed_get.h"
#include "lib/proc/proc_ident.h"
#include "lib/proc/proc_stat.h"

static void dump_fini(struct feed_dump *d)
{
	json_decref(d->begin);
	json_decref(d->done);
	for (size_t i = 0; i < d->n; i++)
		json_decref(d->rec[i]);
	free(d->rec);
	*d = (struct feed_dump){ 0 };
}

static void words_fini(struct feed_words *w)
{
	for (size_t i = 0; i < w->room; i++)
		json_decref(w->rec[i]);
	free(w->rec);
	*w = (struct feed_words){ 0 };
}

void feed_stream_close(struct feed_stream *s)
{
	feed_chain_close(s->chain);
	json_decref(s->head);
	json_decref(s->end);
	json_decref(s->pending);
	words_fini(&s->module);
	words_fini(&s->stack);
	dump_fini(&s->next);
	dump_fini(&s->last);
	free(s->rest);
	proc_outer_fini(&s->outer);
	*s = (struct feed_stream){ 0 };
}

/* Keeps a reference of its own. */
static int words_put(struct feed_words *w, const json_t *rec, const char *key)
{
	uint64_t number;

	if (!feed_get_u64(rec, key, &number) || number >= FEED_IDS)
		return 0;
	while (number >= w->room)
		if (!grow((void **)&w->rec, w->room, &w->room, sizeof(*w->rec)))
			return -ENOMEM;
	json_decref(w->rec[number]);
	w->rec[number] = json_incref((json_t *)rec);
	return 0;
}

const json_t *feed_words_find(const struct feed_words *w, uint64_t number)
{
	return number < w->room ? w->rec[number] : NULL;
}

const char *feed_stream_name(const struct feed_stream *s)
{
	const char *name = feed_text(s->head, "comm");

	return name ? name : "?";
}

/* ---- numbers ------------------------------------------------------------------------------- */

static bool is_of_here(const json_t *head)
{
	const char *boot = feed_text(head, "boot"), *by = feed_text(head, "by");
	const uint64_t ns = feed_u64(head, "pidns", 0);
	char here[PROC_BOOT_ID];
	uint64_t ours;

	return boot && by && strcmp(by, "self") == 0 && ns && !proc_pidns(0, &ours, NULL) && ns != ours &&
	       !proc_boot_id(here, NULL) && strcmp(here, boot) == 0;
}

/* (The inode of a namespace that has ended may be that of another one now.) */
static bool is_there(struct feed_stream *s, uint64_t ns)
{
	const pid_t pid = proc_outer_of(&s->outer, ns, (pid_t)feed_u32(s->head, "pid", 0));

	return pid && proc_is_same(pid, feed_stream_start(s));
}

int32_t feed_stream_number(struct feed_stream *s, int32_t number)
{
	const uint64_t ns = feed_u64(s->head, "pidns", 0);

	if (!s->is_inner)
		return number;
	if (!s->outer.read_us && !is_there(s, ns))
		s->is_inner = false;
	const int32_t outer = s->is_inner ? proc_outer_of(&s->outer, ns, number) : 0;

	return outer ? outer : number;
}

int32_t feed_stream_inner(struct feed_stream *s)
{
	const int32_t told = (int32_t)feed_u32(s->head, "pid", 0);

	return feed_stream_number(s, told) != told ? told : (int32_t)feed_u32(s->head, "inner", 0);
}

int32_t feed_stream_pid(struct feed_stream *s)
{
	return feed_stream_number(s, (int32_t)feed_u32(s->head, "pid", 0));
}

uint64_t feed_stream_start(const struct feed_stream *s)
{
	return feed_u64(s->head, "start", 0);
}

/* ---- records ----------------------------------------------------------------------------- */

static void note_time(struct feed_stream *s, const json_t *rec)
{
	uint64_t at;

	if (!feed_get_u64(rec, "mono_us", &at))
		return;
	at += (uint64_t)s->shift_us;
	if (!s->from_us || at < s->from_us)
		s->from_us = at;
	if (at > s->to_us)
		s->to_us = at;
}

static void take_head(struct feed_stream *s, json_t *rec)
{
	uint64_t mono, real;

	if (!s->head && feed_get_u64(rec, "mono_us", &mono) && feed_get_u64(rec, "real_us", &real))
		s->real_offset_us = (int64_t)(real - mono);
	if (!s->head)
		s->is_inner = is_of_here(rec);
	json_decref(s->head);
	s->head = json_incref(rec);
}

/* What stands between dumps, or may stand in one without being of it. 1: it was that. */
static int take_other(struct feed_stream *s, json_t *rec)
{
	int e = 0;

	if (feed_is_type(rec, "feed")) {
		take_head(s, rec);
	} else if (feed_is_type(rec, "module")) {
		e = words_put(&s->module, rec, "m");
	} else if (feed_is_type(rec, "stack")) {
		e = words_put(&s->stack, rec, "s");
	} else if (feed_is_type(rec, "end")) {
		json_decref(s->end);
		s->end = json_incref(rec);
	} else {
		return 0;
	}
	return e ? e : 1;
}

static void begin_dump(struct feed_stream *s, json_t *rec)
{
	struct feed_dump *d = &s->next;

	d->begin = json_incref(rec);
	d->family = feed_u64(rec, "family", 0);
	d->mono_us = feed_u64(rec, "mono_us", 0) + (uint64_t)s->shift_us;
	s->dumps++;
}

/* A record of the dump that is being collected; those of another number are not. */
static int take_part(struct feed_stream *s, json_t *rec)
{
	struct feed_dump *d = &s->next;

	if (feed_u64(rec, "d", 0) != feed_u64(d->begin, "d", 0))
		return 0;
	if (feed_is_type(rec, "look")) {
		const unsigned look = feed_u32(rec, "look", 0);

		if (look == 1 || look == 2) {
			d->looks = look;
			d->look_us[look] = feed_u64(rec, "mono_us", 0) + (uint64_t)s->shift_us;
		}
	}
	if (d->n >= FEED_DUMP_RECORDS) {
		d->lost++;
		return 0;
	}
	if (!GROW(d->rec, d->n, d->room))
		return -ENOMEM;
	d->rec[d->n++] = json_incref(rec);
	return 0;
}

/* 1: the dump in s->next is whole; 0: go on; or a negative errno. */
static int take(struct feed_stream *s, json_t *rec)
{
	const int e = take_other(s, rec);

	if (e)
		/* nothing of a dump can follow the writer's own end */
		return e < 0 ? e : s->next.begin && s->end == rec;
	if (feed_is_type(rec, "dump")) {
		if (s->next.begin) {
			s->pending = json_incref(rec);
			return 1;
		}
		begin_dump(s, rec);
		return 0;
	}
	if (!s->next.begin)
		return 0;
	if (feed_is_type(rec, "done") && feed_u64(rec, "d", 0) == feed_u64(s->next.begin, "d", 0)) {
		s->next.done = json_incref(rec);
		return 1;
	}
	return take_part(s, rec);
}

/* ---- threads at rest --------------------------------------------------------------------- */

static int by_tid(const void *a, const void *b)
{
	const int32_t x = ((const struct feed_rest *)a)->tid, y = ((const struct feed_rest *)b)->tid;

	return x < y ? -1 : x > y;
}

static const struct feed_rest *find_rest(const struct feed_rest *rest, size_t n, int32_t tid)
{
	const struct feed_rest key = { .tid = tid };

	return n ? bsearch(&key, rest, n, sizeof(*rest), by_tid) : NULL;
}

uint64_t feed_stream_rest(const struct feed_stream *s, const json_t *thread)
{
	const struct feed_rest *r =
		find_rest(s->rest, s->rests, (int32_t)feed_u32(thread, "tid", 0));

	return r ? r->since_us : 0;
}

/* From the marks of the last dump's threads, and what was known of them before it. */
static int take_marks(struct feed_stream *s)
{
	struct feed_rest *now = NULL;
	size_t n = 0, room = 0;

	for (size_t i = 0; i < s->last.n; i++) {
		const json_t *rec = s->last.rec[i];
		struct feed_rest one = { .tid = (int32_t)feed_u32(rec, "tid", 0) };

		if (!feed_is_type(rec, "thread") || !feed_get_u64(rec, "mark", &one.mark))
			continue;
		if (!GROW(now, n, room)) {
			free(now);
			return -ENOMEM;
		}
		const struct feed_rest *old = find_rest(s->rest, s->rests, one.tid);

		one.since_us = feed_u64(rec, "mono_us", 0) + (uint64_t)s->shift_us;
		if (old && old->mark == one.mark)
			one.since_us = old->since_us;
		now[n++] = one;
	}
	if (n)
		qsort(now, n, sizeof(*now), by_tid);
	free(s->rest);
	s->rest = now;
	s->rests = n;
	return 0;
}

int feed_stream_advance(struct feed_stream *s)
{
	if (s->next.begin) {
		dump_fini(&s->last);
		s->last = s->next;
		s->next = (struct feed_dump){ 0 };
		const int failed = take_marks(s);

		if (failed)
			return failed;
	}
	if (s->pending) {
		begin_dump(s, s->pending);
		json_decref(s->pending);
		s->pending = NULL;
	}
	json_t *rec;
	int e;

	while (!s->is_over) {
		e = feed_chain_next(s->chain, &rec);
		if (e <= 0) {
			s->is_over = true;
			return e;
		}
		note_time(s, rec);
		e = take(s, rec);
		json_decref(rec);
		if (e)
			return e < 0 ? e : 0;
	}
	return 0;
}

int feed_stream_open(const char *path, struct feed_stream *s, struct err *err)
{
	json_t *rec;

	*s = (struct feed_stream){ 0 };
	int e = feed_chain_open(path, &s->chain, err);

	if (e)
		return e;
	e = feed_chain_next(s->chain, &rec); /* there is one: feed_chain_open() read it */
	if (e == 1) {
		take_head(s, rec);
		note_time(s, rec);
		json_decref(rec);
		return 0;
	}
	feed_stream_close(s);
	return err_set(err, e ? e : -EBADMSG, "%s: cannot be read", path);
}
