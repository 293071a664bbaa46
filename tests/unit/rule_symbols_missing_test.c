#include "tests/rule_test.h"

static struct state *with_stack(bool named, bool unnamed)
{
	const char *const frames[] = { "epoll_wait", "hub_poll", "main", NULL };
	struct state *st = build_state(0);

	build_hub(st, 2);
	const int index = build_stack(st, frames);
	struct state_stack *s = &st->stack[index];

	if (!named)
		s->frame[0].function = s->frame[1].function = s->frame[2].function = NULL;
	if (unnamed)
		s->frame[2].function = NULL;
	s->frame[1].module = "libthumbs.so";
	return st;
}

TEST(frames_without_names_are_counted_by_object)
{
	struct judge *judge = build_judge(with_stack(true, true), NULL);
	const struct finding *f = build_find(judge, "symbols-missing", FINDING_CONFIRMED);

	T_OK(f);
	T_STR(f->sentence, "1 frame without names in search (1)");
	judge_destroy(judge);
}

TEST(where_nobody_asked_for_names_none_is_missing)
{
	struct judge *judge = build_judge(with_stack(false, true), NULL);

	T_EQ(judge_findings(judge)->n, 0);
	judge_destroy(judge);
}

TEST(where_all_have_names_none_is_missing)
{
	struct judge *judge = build_judge(with_stack(true, false), NULL);

	T_EQ(judge_findings(judge)->n, 0);
	judge_destroy(judge);
}
