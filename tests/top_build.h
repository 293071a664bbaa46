/*
 * top_build - samples, sessions and screens for the tests of shmtop.
 *
 *	struct top_test *t = top_test_make(24, 80);
 *	top_test_look(t, top_trouble(0));            a sample, judged
 *	T_STR(top_test_screen(t, "2"), "...");       after these keys
 *	top_test_end(t);
 */
#ifndef SHMSCOPE_TESTS_TOP_BUILD_H
#define SHMSCOPE_TESTS_TOP_BUILD_H

#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shmtop/ui.h"
#include "tests/state_build.h"
#include "tests/t.h"

struct top_test {
	struct session session;
	struct ui ui;
	char *text;
};

/* A live session without a source, and the ui over it. Time zone UTC, no UTF-8. */
static inline struct top_test *top_test_make(int rows, int cols)
{
	struct top_test *t = calloc(1, sizeof(*t));

	setenv("TZ", "UTC", 1);
	tzset();
	t->session = (struct session){ .follow = true, .judge = judge_create(NULL) };
	t->session.options.interval_us = 1000000;
	history_init(&t->session.history);
	ui_init(&t->ui, &t->session, rows, cols);
	t->ui.scheme = SCHEME_MONO;
	return t;
}

static inline void top_test_end(struct top_test *t)
{
	ui_fini(&t->ui);
	session_close(&t->session);
	free(t->text);
	free(t);
}

/* The next sample: judged and kept. st is taken. */
static inline void top_test_look(struct top_test *t, struct state *st)
{
	T_EQ(judge_look(t->session.judge, st), 0);
	T_EQ(session_take(&t->session, st), 0);
	free(st);
	T_EQ(ui_refresh(&t->ui), 0);
}

static inline void top_test_keys(struct top_test *t, const char *keys)
{
	int key;

	while ((key = keys_parse(&keys)) > 0)
		ui_key(&t->ui, key);
	T_EQ(key, 0);
}

/* The screen as text, blank rows at the end left out. Valid until the next one. */
static inline const char *top_test_screen(struct top_test *t, const char *keys)
{
	struct canvas c;
	size_t len;

	top_test_keys(t, keys);
	free(t->text);
	FILE *out = open_memstream(&t->text, &len);
	T_EQ(canvas_init(&c, t->ui.rows, t->ui.cols, ui_is_utf8(&t->ui)), 0);
	ui_draw(&t->ui, &c);
	canvas_write(&c, out);
	canvas_fini(&c);
	fclose(out);
	return t->text;
}

/* A row of the last screen, by number; without its '\n'. */
static inline const char *top_test_row(const struct top_test *t, int row)
{
	static char line[1024];
	const char *s = t->text;

	for (int i = 0; i < row && s; i++) {
		s = strchr(s, '\n');
		s = s ? s + 1 : NULL;
	}
	if (!s)
		T_FAIL("the screen has no row %d", row);
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(s, "\n"), s);
	return line;
}

/*
 * The screen, held against tests/screen/NAME.txt, which a person has looked at. T_WRITE=1 writes
 * the file instead: look at it again.
 */
static inline void top_test_same(struct top_test *t, const char *keys, const char *name)
{
	const char *got = top_test_screen(t, keys);
	static char want[65536];
	char path[256];

	snprintf(path, sizeof(path), "tests/screen/%s.txt", name);
	FILE *f = fopen(path, getenv("T_WRITE") ? "w" : "r");
	if (!f)
		T_FAIL("%s: cannot be opened", path);
	if (getenv("T_WRITE"))
		fputs(got, f);
	else
		want[fread(want, 1, sizeof(want) - 1, f)] = '\0';
	fclose(f);
	if (!getenv("T_WRITE") && strcmp(got, want) != 0)
		T_FAIL("%s: got\n%s\nwanted\n%s", path, got, want);
}

/* Another size of the terminal. */
static inline void top_test_resize(struct top_test *t, int rows, int cols)
{
	t->ui.rows = rows;
	t->ui.cols = cols;
	T_EQ(ui_refresh(&t->ui), 0);
}

/* As if n more messages had passed through a ring. */
static inline void top_pass(struct state_ring *r, uint64_t n)
{
	r->written += n;
	r->read += n;
	r->head += n;
	r->tail += n;
	r->published += n;
	r->oldest.position += n;
	r->newest.position += n;
}

/* The hub of the mock-ups: ingest works, thumbs works, search hangs, export died with slots. */
static inline struct state *top_trouble(double seconds)
{
	struct state *st = build_state(seconds);
	struct state_hub *hub = build_hub(st, 4);
	struct state_class *k1 = build_class(st, hub, 1 << 10, 1024);
	struct state_class *k64 = build_class(st, hub, 64 << 10, 64);
	struct state_peer *ingest = build_peer(hub, 1), *thumbs = build_peer(hub, 2);
	struct state_peer *search = build_peer(hub, 3), *export = build_peer(hub, 4);

	build_class(st, hub, 4 << 20, 8);
	build_class(st, hub, 16 << 20, 4);
	build_waiting(st, ingest, HUB_RECV, 12, 0.01);
	build_waiting(st, ingest, HUB_SEND, 40, 0.02);
	ingest->ring[HUB_RECV].take_us = ingest->ring[HUB_SEND].take_us = build_ago(st->now_us, 0.01);
	top_pass(&ingest->ring[HUB_RECV], (uint64_t)(1200 * seconds));
	top_pass(&ingest->ring[HUB_SEND], (uint64_t)(4000 * seconds));
	ingest->ring[HUB_SEND].bell = 1;
	ingest->flag = ingest->host_flag = 0;
	ingest->beat = (struct state_beat){ HUB_BEAT_HANDLER, 5, build_ago(st->now_us, 0.2) };
	ingest->calls_pending = 9;
	thumbs->calls_pending = 22;
	hub->calls_pending = 31;
	build_lost_bell(st, search, HUB_RECV, 8.4 + seconds);
	search->ring[HUB_RECV].oldest.slot = HUB_NO_SLOT;
	search->ring[HUB_RECV].oldest.call = 771;
	search->ring[HUB_RECV].oldest.len = 180;
	search->ring[HUB_RECV].newest.slot = HUB_SLOT_REF(1, 42);
	search->ring[HUB_RECV].newest.kind = HUB_KIND_NOTIFY;
	search->ring[HUB_RECV].newest.len = 9120;
	search->flag_us = build_ago(st->now_us, 8.4 + seconds);
	search->beat.since_us = search->flag_us;
	search->ring[HUB_RECV].take_us = search->flag_us;
	export->state = HUB_PEER_DEAD;
	export->alive = STATE_NO;
	export->died_us = build_ago(st->now_us, 41 + seconds);
	export->beat.since_us = build_ago(st->now_us, 41 + seconds);
	export->ring[0].bell = export->ring[1].bell = -1;
	build_owner(st, hub, k1, ingest, HUB_TO_PEER, HUB_SLOT_HELD, 140, 0.5);
	build_owner(st, hub, k1, thumbs, HUB_TO_PEER, HUB_SLOT_HELD, 72, 2.1);
	build_owner(st, hub, k64, ingest, HUB_TO_PEER, HUB_SLOT_HELD, 22, 0.3);
	build_owner(st, hub, k64, thumbs, HUB_TO_HOST, HUB_SLOT_ALLOCATED, 18, 0.3);
	build_owner(st, hub, k64, export, HUB_TO_PEER, HUB_SLOT_HELD, 4, 41 + seconds);
	build_owner(st, hub, k64, export, HUB_TO_HOST, HUB_SLOT_IN_FLIGHT, 8, 41 + seconds);
	static const int64_t rss[] = { 812, 64, 97, 71, -1 };
	for (size_t i = 0; i < st->processes; i++) {
		st->process[i].rss_bytes = rss[i] < 0 ? -1 : rss[i] << 20;
		st->process[i].fds = rss[i] < 0 ? -1 : (int64_t)(9 + i);
	}
	build_process(st, export)->alive = STATE_NO;
	static const char *const frames[] = { "epoll_wait", "hub_poll", "search_loop", NULL };
	build_loop(st, search)->stack = build_stack(st, frames);
	st->stack[0].named = true;
	return st;
}

/* Four samples of top_trouble(), a second apart: everything that can be is confirmed. */
static inline struct top_test *top_test_trouble(int rows, int cols)
{
	struct top_test *t = top_test_make(rows, cols);

	for (int i = 0; i < 4; i++)
		top_test_look(t, top_trouble(i));
	return t;
}

#endif
