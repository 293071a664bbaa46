#include "shmtop/top_memory.h"

#include <stdlib.h>

#include "tests/state_build.h"
#include "tests/t.h"

static const struct findings none = { .verdict = "" };

/* Six processes (host and five peers); the host grows by a megabyte a sample. */
static void add_frame(struct history *h, int i)
{
	struct state *st = build_state(i);

	build_hub(st, 5);
	for (size_t k = 0; k < st->processes; k++)
		st->process[k].rss_bytes = (int64_t)(10 * (k + 1)) << 20;
	st->process[0].rss_bytes = (int64_t)i << 20;
	if (i == 50)
		st->process[0].rss_bytes = -1;
	T_OK(history_add(h, frame_make(st, &none, NULL)) >= 0);
	free(st);
}

TEST(the_host_comes_first_then_the_largest_with_their_course)
{
	struct history h;
	struct top top;
	struct top_memory m;
	const struct top_view view = { .sort = TOP_BY_ID };

	history_init(&h);
	top_init(&top);
	for (int i = 1; i <= 100; i++)
		add_frame(&h, i);
	T_EQ(top_update(&top, NULL, h.frame[99], &view), 0);
	top_memory_make(&m, &top, &h, h.frame[99]->st.now_us);
	T_EQ(m.n, TOP_SERIES);
	T_STR(m.series[0].row->name, "hostd");
	T_STR(m.series[1].row->name, "fonts");
	T_STR(m.series[2].row->name, "export");
	T_EQ(m.series[0].n, TOP_SERIES_POINTS);
	T_EQ(m.series[0].low, 1 << 20);
	T_EQ(m.series[0].high, 100 << 20);
	for (size_t i = 1; i < m.series[0].n; i++)
		T_OK(m.series[0].value[i] > m.series[0].value[i - 1]);

	/* at an earlier moment the rest is not yet known */
	top_memory_make(&m, &top, &h, h.frame[9]->st.now_us);
	T_EQ(m.series[0].n, 10);
	T_EQ(m.series[0].high, 10 << 20);
	top_fini(&top);
	history_fini(&h);
}

TEST(a_process_that_was_not_measured_leaves_a_gap_and_alone_none)
{
	struct history h;
	struct top top;
	struct top_memory m;
	const struct top_view view = { .sort = TOP_BY_ID };

	history_init(&h);
	top_init(&top);
	add_frame(&h, 49);
	add_frame(&h, 50);
	T_EQ(top_update(&top, NULL, h.frame[0], &view), 0);
	top_memory_make(&m, &top, &h, h.frame[1]->st.now_us);
	T_EQ(m.series[0].value[0], 49 << 20);
	T_EQ(m.series[0].value[1], -1);
	top_memory_make(&m, &top, NULL, 0);
	T_EQ(m.series[0].n, 1);
	T_EQ(m.series[0].value[0], 49 << 20);
	top_fini(&top);
	history_fini(&h);
}
