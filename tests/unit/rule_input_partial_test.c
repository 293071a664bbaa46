#include "tests/rule_test.h"

static struct state *with_input(const char *type, bool complete)
{
	struct state *st = build_state(0);
	struct state_input *in = state_add_input(st);

	build_hub(st, 2);
	in->path = "/tmp/x/search-4112-77ab.ndjson";
	in->type = type;
	in->complete = complete;
	in->note = "the last line is cut off";
	st->sources |= STATE_FEED;
	return st;
}

TEST(a_feed_that_is_cut_off_is_said_and_is_no_reason_to_fail)
{
	struct judge *judge = build_judge(with_input("feed", false), NULL);
	const struct finding *f = build_find(judge, "feed-gap", FINDING_CONFIRMED);

	T_OK(f);
	T_STR(f->sentence, "search-4112-77ab.ndjson is not complete: the last line is cut off");
	T_EQ(judge_findings(judge)->n, 1);
	T_STR(judge_findings(judge)->verdict, "no findings in one look at 3 processes");
	judge_destroy(judge);
}

TEST(a_hub_file_that_is_cut_off_is_said)
{
	struct judge *judge = build_judge(with_input("hub", false), NULL);

	T_OK(build_find(judge, "input-partial", FINDING_CONFIRMED));
	T_EQ(judge_findings(judge)->n, 1);
	judge_destroy(judge);
}

TEST(a_complete_input_is_not_mentioned)
{
	struct judge *judge = build_judge(with_input("feed", true), NULL);

	T_EQ(judge_findings(judge)->n, 0);
	judge_destroy(judge);
}
