#include "shmtop/top_memory.h"

static bool is_before(const struct top_row *a, const struct top_row *b)
{
	const bool a_host = a->key.hub && a->key.peer == 0, b_host = b->key.hub && b->key.peer == 0;

	return a_host != b_host ? a_host : a->rss_bytes > b->rss_bytes;
}

static void choose_rows(struct top_memory *out, const struct top *top)
{
	out->n = 0;
	for (size_t i = 0; i < top->rows; i++) {
		const struct top_row *row = &top->row[i];
		size_t at = out->n;

		if (row->rss_bytes < 0)
			continue;
		while (at > 0 && is_before(row, out->series[at - 1].row))
			at--;
		if (at == TOP_SERIES)
			continue;
		if (out->n < TOP_SERIES)
			out->n++;
		for (size_t k = out->n - 1; k > at; k--)
			out->series[k].row = out->series[k - 1].row;
		out->series[at].row = row;
	}
}

static int64_t rss_in(const struct frame *f, const struct top_row *row)
{
	const struct state_process *p =
		state_find_process(&f->st, row->pid, row->process ? row->process->start : 0);

	return p ? p->rss_bytes : -1;
}

static void add_value(struct top_series *s, size_t at, int64_t rss)
{
	if (rss < 0)
		return;
	s->value[at] = (double)rss;
	if (s->low < 0 || rss < s->low)
		s->low = rss;
	if (rss > s->high)
		s->high = rss;
}

static void fill_series(struct top_series *s, const struct history *history, size_t frames)
{
	s->n = frames < TOP_SERIES_POINTS ? frames : TOP_SERIES_POINTS;
	s->low = s->high = -1;
	for (size_t i = 0; i < s->n; i++)
		s->value[i] = -1;
	for (size_t i = 0; i < frames; i++)
		add_value(s, i * s->n / frames, rss_in(history->frame[i], s->row));
	if (!frames) {
		s->n = 1;
		s->value[0] = -1;
		add_value(s, 0, s->row->rss_bytes);
	}
}

void top_memory_make(struct top_memory *out, const struct top *top, const struct history *history,
		     uint64_t now_us)
{
	const size_t frames = history && history->n ? history_find(history, now_us) + 1 : 0;

	choose_rows(out, top);
	for (size_t i = 0; i < out->n; i++)
		fill_series(&out->series[i], history, frames);
}
