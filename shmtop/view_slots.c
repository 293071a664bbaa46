/* Screen 3: the slots of a hub, a character each, by state, by owner or by age. */
#include "shmtop/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shmtop/draw.h"
#include "shmtop/top_slots.h"

enum { MAP_CELLS = 64, MAP_ROWS = 2, HALF_CELLS = 32, RIGHT_HALF = 48 };

static const char *const titles[SLOTS_VIEWS] = {
	[SLOTS_BY_STATE] = "SLOTS by state  . free  a allocated  f in flight  h held  X owner dead"
			   "  ? bad",
	[SLOTS_BY_OWNER] = "SLOTS by owner  . free  then the owner's letter: see below",
	[SLOTS_BY_AGE] = "SLOTS by age    . free  1 under 1 s  2 to 10 s  3 to 1 min  4 to 10 min"
			 "  5 older",
};

static size_t items(const struct view *v)
{
	return v->listed;
}

struct run { /* slots alike, drawn as one stretch of the map */
	char letter;
	enum style style;
	uint64_t n;
};

enum { RUNS_MAX = 72 };

static size_t runs_by_state(const struct top_class *k, struct run *run)
{
	const struct run all[] = {
		{ 'f', STYLE_IN_FLIGHT, k->in_flight }, { 'h', STYLE_HELD, k->held },
		{ 'a', STYLE_ALLOCATED, k->allocated }, { 'X', STYLE_DEAD, k->dead },
		{ '?', STYLE_CRITICAL, k->bad },
	};

	memcpy(run, all, sizeof(all));
	return sizeof(all) / sizeof(*all);
}

/* Peers are a to z, then A to Z; the host is '#'. */
static char owner_letter(uint32_t peer)
{
	if (peer == 0)
		return '#';
	peer = (peer - 1) % 52;
	return (char)(peer < 26 ? 'a' + peer : 'A' + (peer - 26));
}

static size_t runs_by_owner(const struct state_hub *hub, const struct state_class *k,
			    struct run *run)
{
	size_t n = 0;

	for (size_t i = 0; i < k->owners; i++) {
		const struct state_owner *o = &k->owner[i];
		const bool dead = owner_is_dead(hub, o);
		const char letter = dead ? 'X' : owner_letter(top_owner_id(hub, o));
		size_t at = 0;

		while (at < n && run[at].letter != letter)
			at++;
		if (at == RUNS_MAX)
			continue;
		if (at == n)
			run[n++] = (struct run){ letter, dead ? STYLE_DEAD : STYLE_PLAIN, 0 };
		run[at].n += o->n;
	}
	return n;
}

static size_t runs_by_age(const struct state_hub *hub, uint32_t klass, const struct top_class *k,
			  uint64_t now_us, struct run *run)
{
	static const uint64_t limit_s[] = { 1, 10, 60, 600, UINT64_MAX };
	uint64_t listed = 0;

	for (unsigned i = 0; i < 5; i++)
		run[i] = (struct run){ (char)('1' + i), i > 2 ? STYLE_WARNING : STYLE_PLAIN, 0 };
	for (size_t i = 0; i < hub->slots; i++) {
		const struct state_slot *s = &hub->slot[i];
		unsigned a = 0;

		if (s->klass != klass || !s->time_us)
			continue;
		while (a < 4 && s->time_us + limit_s[a] * 1000000 < now_us)
			a++;
		run[a].n++;
		listed++;
	}
	/* a source lists only what is older than a second; the rest is young */
	run[0].n += k->used > listed ? k->used - listed : 0;
	return 5;
}

/* Cells for `slots` slots; what is there at all has one. */
static int cells_of(uint64_t slots, uint64_t per_cell)
{
	return (int)((slots + per_cell / 2) / per_cell) + (slots && slots < (per_cell + 1) / 2);
}

static int draw_map(struct canvas *c, int row, int col, const struct run *run, size_t runs,
		    uint64_t total, uint64_t per_cell)
{
	const int cells = (int)((total + per_cell - 1) / per_cell);
	int at = 0;

	for (size_t i = 0; i < runs; i++)
		for (int n = cells_of(run[i].n, per_cell); n > 0 && at < cells; n--, at++)
			canvas_char(c, row + at / MAP_CELLS, col + at % MAP_CELLS, run[i].style,
				    (uint32_t)run[i].letter);
	for (; at < cells; at++)
		canvas_char(c, row + at / MAP_CELLS, col + at % MAP_CELLS, STYLE_DIM, '.');
	return (cells + MAP_CELLS - 1) / MAP_CELLS;
}

static size_t make_runs(const struct view *v, const struct state_hub *hub,
			const struct state_class *class, const struct top_class *k, struct run *run)
{
	if (v->slots == SLOTS_BY_OWNER)
		return runs_by_owner(hub, class, run);
	if (v->slots == SLOTS_BY_AGE)
		return runs_by_age(hub, class->index, k, v->frame->st.now_us, run);
	return runs_by_state(k, run);
}

/* One class from column `left` on; its figures behind its cells, or at `figures` if that is
 * further right. Returns the rows it took. */
static int draw_class(const struct view *v, struct canvas *c, int row, int left,
		      const struct state_hub *hub, const struct state_class *class, int figures)
{
	const struct top_class k = top_class_of(hub, class, v->frame->st.now_us);
	const uint64_t most = MAP_CELLS * (k.total > 512 ? MAP_ROWS : 1);
	const uint64_t per_cell = k.total > most ? (k.total + most - 1) / most : 1;
	struct run run[RUNS_MAX];
	char size[UNITS_TEXT];

	canvas_right(c, row, left + 5, STYLE_HEAD, units_class(size, k.bytes));
	const size_t runs = make_runs(v, hub, class, &k, run);
	const int rows = draw_map(c, row, left + 6, run, runs, k.total, per_cell);
	canvas_printf(c, row, figures + 2, STYLE_PLAIN, "%" PRIu64 "/%" PRIu64 "%s", k.used,
		      k.total, k.dead ? " !!" : "");
	if (per_cell > 1 && rows > 1)
		canvas_printf(c, row + 1, figures + 2, STYLE_DIM, "%" PRIu64 " a cell", per_cell);
	else if (per_cell > 1)
		canvas_printf(c, row, figures + 11, STYLE_DIM, "x%" PRIu64, per_cell);
	return rows;
}

/* Two small classes share a row, as long as the screen has eighty columns. */
static bool is_pair(const struct canvas *c, const struct state_class *a,
		    const struct state_class *b)
{
	return c->cols >= 80 && a->slots <= HALF_CELLS && b->slots <= HALF_CELLS / 2;
}

static int draw_classes(const struct view *v, struct canvas *c, int row, int end,
			const struct state_hub *hub)
{
	for (size_t i = 0; i < hub->classes && row < end; i++) {
		const struct state_class *k = &hub->klass[i];

		if (i + 1 < hub->classes && is_pair(c, k, k + 1)) {
			draw_class(v, c, row, 0, hub, k, 6 + HALF_CELLS + 1);
			row += draw_class(v, c, row, RIGHT_HALF, hub, k + 1, 6 + MAP_CELLS);
			i++;
			continue;
		}
		row += draw_class(v, c, row, 0, hub, k, 6 + MAP_CELLS);
	}
	return row;
}

static const char *slot_state_word(unsigned s)
{
	static const char *const words[] = { "free", "allocated", "in flight", "held", "punching" };

	return s < HUB_SLOT_STATES ? words[s] : "bad";
}

static void slot_text(const struct view *v, const struct state_hub *hub,
		      const struct state_slot *s, char *buf, size_t room)
{
	const uint64_t now_us = v->frame->st.now_us;
	const struct state_owner owner = top_slot_owner(s);
	const bool dead = owner_is_dead(hub, &owner);
	const uint32_t id = top_owner_id(hub, &owner);
	const uint32_t bytes = s->klass < hub->classes ? hub->klass[s->klass].bytes : 0;
	const int64_t held_us =
		s->time_us && s->time_us <= now_us ? (int64_t)(now_us - s->time_us) : -1;
	char size[UNITS_TEXT], in[UNITS_TEXT], of[UNITS_TEXT], age[UNITS_TEXT];

	snprintf(buf, room, "slot %5s#%-5u %c  owner %s(%u)%s  %s  %s of %s  for %s",
		 units_class(size, bytes), s->index, dead ? 'X' : ' ', top_owner_name(hub, id), id,
		 dead ? " dead" : "", slot_state_word(s->slot_state), units_bytes(in, s->bytes),
		 units_class(of, bytes), text_span(age, held_us));
}

static void text(const struct view *v, size_t at, char *buf, size_t room)
{
	const struct state_hub *hub = view_chosen_hub(v);

	slot_text(v, hub, v->slot[at], buf, room);
}

static void draw_slot(const struct view *v, struct canvas *c, int row, const struct state_hub *hub,
		      const struct state_slot *s, bool is_chosen)
{
	const enum style plain = top_slot_is_dead(hub, s) ? STYLE_DEAD : STYLE_PLAIN;
	char line[200];

	slot_text(v, hub, s, line, sizeof(line));
	canvas_printf(c, row, 0, is_chosen ? STYLE_CHOSEN : plain, "%c%s", is_chosen ? '>' : ' ',
		      line);
}

static int draw_slot_list(const struct view *v, struct canvas *c, int row, int rows,
			  const struct state_hub *hub)
{
	if (rows <= 0)
		return row;
	if (!v->listed) {
		canvas_text(c, row, 1, STYLE_DIM,
			    hub->slots_listed ? "no slot has been in use for more than a second"
					      : "single slots are not listed by this source");
		return row + 1;
	}
	view_scroll(v->cursor, v->listed, rows);
	for (int i = 0; i < rows && v->cursor->first + (size_t)i < v->listed; i++) {
		const size_t at = v->cursor->first + (size_t)i;

		canvas_target(c, row, 0, c->cols, ACT_CHOOSE, (int)at);
		draw_slot(v, c, row++, hub, v->slot[at], at == v->cursor->at);
	}
	return row;
}

static void draw_owners(const struct view *v, struct canvas *c, int row,
			const struct state_hub *hub)
{
	int col = canvas_text(c, row, 1, STYLE_HEAD, "BY OWNER") + 2;

	for (size_t i = 0; i <= hub->peers; i++) {
		const uint32_t peer = i ? hub->peer[i - 1].id : 0;
		const struct top_owner o = top_owner_of(hub, peer);

		if (!o.slots || (i && peer == 0))
			continue;
		if (col > c->cols - 12) {
			canvas_text(c, row, col, STYLE_DIM, "...");
			return;
		}
		if (v->slots == SLOTS_BY_OWNER)
			col = canvas_printf(c, row, col, STYLE_PLAIN, "%c ", owner_letter(peer));
		col = canvas_printf(c, row, col, o.dead ? STYLE_DEAD : STYLE_PLAIN,
				    o.dead ? "%s X%" PRIu64 : "%s %" PRIu64,
				    top_owner_name(hub, peer), o.dead ? o.dead : o.slots) +
		      3;
	}
}

static void draw(const struct view *v, struct canvas *c, int rows)
{
	const struct state_hub *hub = view_chosen_hub(v);
	int row = 1;

	if (!hub) {
		canvas_text(c, 0, 0, STYLE_TITLE, "SLOTS");
		view_nothing(c, rows / 2, "no hub: a process alone has no slots");
		return;
	}
	canvas_text(c, 0, 0, STYLE_TITLE, titles[v->slots]);
	row = draw_classes(v, c, row, rows - 2, hub);
	row = draw_slot_list(v, c, row, rows - row - 1, hub);
	draw_owners(v, c, row, hub);
}

static const char *const help[] = {
	"One character is one slot, or as many as the end of its line says.",
	"The owner of a slot is whoever must give it back: the sender while it is",
	"allocated or in flight, the receiver while it is held.",
	"X      its owner has ended: nobody will ever give it back",
	"v      by state, by owner, by age",
	"The list below: slots in use for more than a second, the oldest of each class.",
	NULL,
};

const struct view_ops view_slots = { .screen = SCREEN_SLOTS,
				     .name = "slots",
				     .tab = "Slots",
				     .items = items,
				     .draw = draw,
				     .text = text,
				     .help = help };
