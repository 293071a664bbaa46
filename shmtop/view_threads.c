/* Screen 5: the threads of the selected process, one row per distinct stack. */
#include "shmtop/view.h"

#include <inttypes.h>
#include <stdio.h>

#include "lib/state/ends.h"
#include "lib/state/lock.h"
#include "shmtop/draw.h"
#include "shmtop/top_threads.h"

enum { HEAD_ROWS = 2, DETAIL_MIN = 3 };

/* Made anew by each of the two entries: a screen is drawn once a second. */
static int make_list(const struct view *v, struct top_threads *list)
{
	*list = (struct top_threads){ 0 };
	if (!v->chosen || !v->chosen->process)
		return 0;
	return top_threads_make(list, v->frame, v->chosen->process, v->split);
}

static size_t items(const struct view *v)
{
	struct top_threads list;

	if (make_list(v, &list))
		return 0;
	const size_t n = list.n;
	top_threads_fini(&list);
	return n;
}

static void draw_title(const struct view *v, struct canvas *c, const struct top_threads *list)
{
	const struct state_process *p = v->chosen->process;
	const struct state *st = &v->frame->st;
	char clock[UNITS_TEXT], age[UNITS_TEXT];
	int col = canvas_printf(c, 0, 0, STYLE_TITLE, "THREADS %s %d   %zu in %zu stack%s",
				v->chosen->name, v->chosen->pid, p->threads, list->stacks,
				list->stacks == 1 ? "" : "s");

	if (p->dump_us && p->dump_us <= st->now_us)
		col = canvas_printf(c, 0, col, STYLE_PLAIN, "   dump %s (%s old)",
			      text_clock(clock, p->dump_us, st->real_offset_us, false),
			      text_span(age, (int64_t)(st->now_us - p->dump_us)));
	view_title_finding(v, c, col);
}

static void top_of_stack(char *buf, size_t room, const struct state *st, const struct top_group *g)
{
	if (g->stack < 0)
		snprintf(buf, room, "%s", g->reason ? g->reason : "-");
	else
		view_top_text(buf, room, &st->stack[g->stack]);
}

/* "mutex index_lock", or the system call where no lock is known. */
static void waits_for(char *buf, size_t room, const struct top_group *g)
{
	const struct state_lock *lock = g->lock;

	if (lock && g->differ)
		snprintf(buf, room, "%s, each its own", lock_kind_name(lock->kind));
	else if (lock && lock->name)
		snprintf(buf, room, "%s %s", lock_kind_name(lock->kind), lock->name);
	else if (lock)
		snprintf(buf, room, "%s 0x%" PRIx64, lock_kind_name(lock->kind), lock->addr);
	else
		snprintf(buf, room, "%s", g->wait_text ? g->wait_text : "-");
}

/* Who has the other end of the only file that it waits on. */
static const struct state_party *party_of(const struct state_process *p, const struct state_thread *t)
{
	const struct state_end *e = t->ends == 1 && t->ends_all == 1 ? &t->end[0] : NULL;

	for (size_t i = 0; e && i < e->parties; i++)
		if (e->party[i].pid != p->pid)
			return &e->party[i];
	return NULL;
}

static void held_by(char *buf, size_t room, const struct state_process *p, const struct top_group *g)
{
	const struct state_lock *lock = g->lock;
	const struct state_party *party = party_of(p, g->thread);

	if (party)
		snprintf(buf, room, "%s %d", party->name ? party->name : "pid", party->pid);
	else if (lock && lock->kind == STATE_LOCK_FILE && lock->owner_pid)
		snprintf(buf, room, "pid %d", lock->owner_pid);
	else if (lock && lock->readers)
		snprintf(buf, room, "%u reader%s", lock->readers, lock->readers == 1 ? "" : "s");
	else if (!lock || !lock->owner_tid)
		snprintf(buf, room, "-");
	else if (lock->owner_alive == STATE_NO)
		snprintf(buf, room, "%d (ended)", lock->owner_tid);
	else if (lock->owner_name)
		snprintf(buf, room, "%s", lock->owner_name);
	else
		snprintf(buf, room, "tid %d", lock->owner_tid);
}

/* One of those whose waits make the finding. */
static bool has_part_in(const struct finding *f, int32_t pid, int32_t tid)
{
	for (size_t i = 0; i < f->edges; i++)
		if (f->edge[i].pid == pid && f->edge[i].tid == tid)
			return true;
	return false;
}

/* The confirmed finding that is about this stack; NULL. */
static const struct finding *finding_of(const struct view *v, const struct top_group *g)
{
	for (size_t i = 0; i < v->findings; i++) {
		const struct finding *f = v->finding[i];

		if (f->state != FINDING_CONFIRMED)
			continue;
		if (has_part_in(f, v->chosen->pid, g->tid))
			return f;
		if (f->where.pid != v->chosen->pid)
			continue;
		if (f->where.tid == g->tid || (g->stack >= 0 && f->where.stack == g->stack))
			return f;
	}
	return NULL;
}

static int waits_width(const struct canvas *c)
{
	return c->cols >= 120 ? 42 : 20;
}

static void draw_group(const struct view *v, struct canvas *c, int row, const struct top_group *g,
		       bool is_chosen)
{
	const enum style plain = g->own ? STYLE_DIM : STYLE_PLAIN;
	const enum style style = is_chosen ? STYLE_CHOSEN : plain;
	const struct finding *f = finding_of(v, g);
	char age[UNITS_TEXT], text[256];
	int col;

	canvas_char(c, row, 0, STYLE_CHOSEN, is_chosen ? '>' : ' ');
	if (f)
		canvas_text(c, row, 1, view_finding_style(f), view_mark(f));
	else if (g->disturbed)
		canvas_char(c, row, 2, STYLE_WARNING, '*');
	canvas_printf(c, row, 4, style, "%-4s %3u", g->id, g->count);
	canvas_text(c, row, 13, g->doing == THREAD_BLOCKED ? STYLE_WARNING : style,
		    thread_doing_word(g->doing));
	canvas_right(c, row, 29, style, text_span(age, g->longest_us));
	waits_for(text, sizeof(text), g);
	col = canvas_fit(c, row, 31, waits_width(c), style, text) + 1;
	held_by(text, sizeof(text), v->chosen->process, g);
	col = canvas_fit(c, row, col, 12, style, text) + 1;
	top_of_stack(text, sizeof(text), &v->frame->st, g);
	canvas_fit(c, row, col, c->cols - col, style, text);
}

static void draw_frame(struct canvas *c, int row, size_t number, const struct state_frame *f)
{
	char text[300];
	int col = canvas_printf(c, row, 3, STYLE_PLAIN, "#%-2zu ", number);

	col = canvas_text(c, row, col, STYLE_PLAIN, view_frame_text(text, sizeof(text), f));
	if (f->module && f->function)
		canvas_text(c, row, col < 50 ? 50 : col + 2, STYLE_DIM, f->module);
	if (f->inlined || f->guessed)
		canvas_right(c, row, c->cols, STYLE_DIM, f->inlined ? "  inlined" : "  guessed");
}

/* The chosen group in full: its first thread, and every frame. */
static void draw_stack(const struct view *v, struct canvas *c, int row, int rows,
		       const struct top_group *g)
{
	const struct state *st = &v->frame->st;
	char line[300], watched[ENDS_TEXT];

	snprintf(line, sizeof(line), "%s %s tid %d%s%s  %s", g->id, g->name, g->tid,
		 g->own ? " (of shmscope itself)" : "", g->disturbed ? " (was interrupted)" : "",
		 g->wait_text ? g->wait_text : "");
	draw_rule(c, row, line);
	if (rows > DETAIL_MIN && ends_text(v->chosen->process, g->thread, watched)[0]) {
		canvas_printf(c, row + 1, 3, STYLE_PLAIN, "watches %s", watched);
		row++;
		rows--;
	}
	if (g->stack < 0) {
		canvas_printf(c, row + 1, 3, STYLE_DIM, "no stack: %s",
			      g->reason ? g->reason : "not captured");
		return;
	}
	const struct state_stack *s = &st->stack[g->stack];
	int at = 1;
	for (size_t i = 0; i < s->frames && at < rows; i++, at++) {
		/* the last row says how many more there are */
		if (at == rows - 1 && i + 1 < s->frames) {
			canvas_printf(c, row + at, 3, STYLE_DIM, "(+%zu frames)", s->frames - i);
			return;
		}
		draw_frame(c, row + at, i, &s->frame[i]);
	}
	if (s->end && at < rows)
		canvas_printf(c, row + at, 3, STYLE_DIM, "ends here: %s", s->end);
}

static void draw_list(const struct view *v, struct canvas *c, int rows,
		      const struct top_threads *list)
{
	int visible = (int)list->n;

	if (visible > rows - HEAD_ROWS - DETAIL_MIN)
		visible = rows / 2;
	if (visible < 1)
		visible = 1;
	canvas_printf(c, 1, 1, STYLE_HEAD, "  ID  COUNT STATE    LONGEST  %-*s %-12s TOP OF STACK",
		      waits_width(c), "WAITS FOR", "HELD BY");
	view_scroll(v->cursor, list->n, visible);
	for (int i = 0; i < visible && v->cursor->first + (size_t)i < list->n; i++) {
		const size_t at = v->cursor->first + (size_t)i;

		canvas_target(c, HEAD_ROWS + i, 0, c->cols, ACT_CHOOSE, (int)at);
		draw_group(v, c, HEAD_ROWS + i, &list->group[at], at == v->cursor->at);
	}
	draw_stack(v, c, HEAD_ROWS + visible, rows - HEAD_ROWS - visible,
		   &list->group[v->cursor->at]);
}

static void text(const struct view *v, size_t at, char *buf, size_t room)
{
	struct top_threads list;
	char top[256];

	buf[0] = '\0';
	if (make_list(v, &list) || at >= list.n)
		return;
	const struct top_group *g = &list.group[at];
	top_of_stack(top, sizeof(top), &v->frame->st, g);
	snprintf(buf, room, "%s %s %d %s %s %s", g->id, g->name, g->tid,
		 thread_doing_word(g->doing), g->wait_text ? g->wait_text : "", top);
	top_threads_fini(&list);
}

static void draw(const struct view *v, struct canvas *c, int rows)
{
	struct top_threads list;

	if (make_list(v, &list) || !list.n) {
		if (v->chosen)
			canvas_printf(c, 0, 0, STYLE_TITLE, "THREADS %s %d", v->chosen->name,
				      v->chosen->pid);
		view_nothing(c, rows / 2, "no threads were captured (d: how to dump this process)");
		return;
	}
	draw_title(v, c, &list);
	draw_list(v, c, rows, &list);
	top_threads_fini(&list);
}

static const char *const help[] = {
	"ID     the stack; threads with equal stacks are one row (= splits them)",
	"STATE  blocked  running  idle(waits for work: event loop, sleep, queue)",
	"LONGEST  how long one of them is known to be blocked there",
	"WAITS FOR  the lock, or the system call and on what",
	"HELD BY    its owner, or who has the other end of the pipe or socket",
	"  *    a thread of this group was interrupted to be looked at",
	"Threads of shmscope itself are dimmed.",
	NULL,
};

const struct view_ops view_threads = { .screen = SCREEN_THREADS,
				       .name = "threads",
				       .tab = "Thr",
				       .items = items,
				       .draw = draw,
				       .text = text,
				       .help = help };
