#include "shmtop/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shmtop/draw.h"

static const char memory_words[] =
	"4 memory: needs heap samples by call site, which no feed holds yet";

static const struct view_ops view_memory = { .screen = SCREEN_MEMORY,
					     .name = "memory",
					     .tab = "Mem",
					     .why_not = memory_words };

static const struct view_ops *const views[SCREEN_END] = {
	[SCREEN_OVERVIEW] = &view_overview, [SCREEN_PEER] = &view_peer,
	[SCREEN_SLOTS] = &view_slots,       [SCREEN_MEMORY] = &view_memory,
	[SCREEN_THREADS] = &view_threads,   [SCREEN_FINDINGS] = &view_findings,
};

const struct view_ops *view_of(enum screen_id screen)
{
	return views[screen];
}

void view_scroll(struct cursor *cursor, size_t n, int visible)
{
	const size_t rows = visible > 0 ? (size_t)visible : 1;

	if (cursor->at >= n)
		cursor->at = n ? n - 1 : 0;
	if (cursor->first + rows > n)
		cursor->first = n > rows ? n - rows : 0;
	if (cursor->at < cursor->first)
		cursor->first = cursor->at;
	if (cursor->at >= cursor->first + rows)
		cursor->first = cursor->at - rows + 1;
}

void view_row_text(const struct view *v, size_t at, char *buf, size_t room)
{
	snprintf(buf, room, "%u %s %d %s", v->row[at]->key.peer, v->row[at]->name, v->row[at]->pid,
		 top_status_word(v->row[at]->status));
}

const struct state_hub *view_chosen_hub(const struct view *v)
{
	if (v->chosen && v->chosen->hub)
		return v->chosen->hub;
	return v->frame && v->frame->st.hubs ? &v->frame->st.hub[0] : NULL;
}

const char *view_mark(const struct finding *f)
{
	if (f->state == FINDING_CLEARED)
		return " -";
	return f->state == FINDING_SUSPECTED ? " ?" : severity_mark(f->rule->severity);
}

enum style view_finding_style(const struct finding *f)
{
	if (f->state == FINDING_CLEARED)
		return STYLE_DIM;
	return f->state == FINDING_SUSPECTED ? STYLE_PLAIN : severity_style(f->rule->severity);
}

char *view_place(char *buf, size_t room, const struct finding *f)
{
	static const char tail[] = " ring";

	snprintf(buf, room, "%s", f->place);
	const size_t len = strlen(buf);
	if (len > sizeof(tail) - 1 && strcmp(buf + len - (sizeof(tail) - 1), tail) == 0)
		buf[len - (sizeof(tail) - 1)] = '\0';
	return buf;
}

/* Where a line number says nothing about the program: the C library and the loader. */
static bool is_system(const struct state_frame *f)
{
	static const char *const names[] = { "libc.so", "libc-", "libpthread", "ld-linux", "[vdso]",
					     "linux-vdso", NULL };

	for (unsigned i = 0; f->module && names[i]; i++)
		if (strncmp(f->module, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

char *view_frame_text(char *buf, size_t room, const struct state_frame *f)
{
	if (f->function && f->file && !is_system(f))
		snprintf(buf, room, "%s %s:%d", f->function, f->file, f->line);
	else if (f->function)
		snprintf(buf, room, "%s", f->function);
	else if (f->module)
		snprintf(buf, room, "%s+0x%" PRIx64, f->module, f->offset);
	else
		snprintf(buf, room, "0x%" PRIx64, f->offset);
	return buf;
}

char *view_top_text(char *buf, size_t room, const struct state_stack *s)
{
	const struct state_frame *top = s->frames ? &s->frame[0] : NULL;

	for (size_t i = 0; i < s->frames; i++) {
		if (is_system(&s->frame[i]))
			continue;
		top = &s->frame[i];
		break;
	}
	if (!top)
		snprintf(buf, room, "-");
	else if (top->function && top->line && !is_system(top))
		snprintf(buf, room, "%s:%d", top->function, top->line);
	else
		view_frame_text(buf, room, top);
	return buf;
}

char *view_stack_text(char *buf, size_t room, const struct state_stack *s, size_t frames)
{
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < s->frames && i < frames && used < room; i++) {
		char one[256];

		used += (size_t)snprintf(buf + used, room - used, "%s%s", i ? " < " : "",
					 view_frame_text(one, sizeof(one), &s->frame[i]));
	}
	if (s->frames > frames && used < room)
		snprintf(buf + used, room - used, "   (+%zu)", s->frames - frames);
	return buf;
}

void view_title_finding(const struct view *v, struct canvas *c, int col)
{
	const struct finding *f = v->chosen_finding;
	char text[80];

	if (!f || f->state == FINDING_CLEARED)
		return;
	snprintf(text, sizeof(text), "%s F%u %s", view_mark(f), f->number, f->rule->name);
	if (col + 1 + (int)strlen(text) > c->cols)
		snprintf(text, sizeof(text), " %s F%u", view_mark(f), f->number);
	canvas_right(c, 0, c->cols, view_finding_style(f), text);
}

const struct state_thread *view_loop_thread(const struct top_row *row)
{
	if (!row->process || !row->peer)
		return NULL;
	return state_find_thread(row->process, (int32_t)row->peer->loop_tid);
}

const char *view_wait_text(const struct state_thread *t)
{
	if (t->wait_text)
		return t->wait_text;
	return t->state == 'R' ? "runs" : "waits, for what is not known";
}

void view_nothing(struct canvas *c, int row, const char *words)
{
	const int width = canvas_columns(words, c->utf8);

	if (width < c->cols)
		canvas_text(c, row, (c->cols - width) / 2, STYLE_DIM, words);
	else
		draw_wrapped(c, row, 1, c->cols - 2, 3, STYLE_DIM, words);
}
