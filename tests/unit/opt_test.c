#include "lib/base/opt.h"

#include <stdlib.h>
#include <string.h>

#include "tests/t.h"

static const struct opt table[] = {
	{ 'i', "interval", "DUR", "Time", "between samples", 'i' },
	{ 'b', "batch", NULL, "Output", "plain lines", 'b' },
	{ 'j', "json", NULL, "Output", "one object", 'j' },
	{ 0, "color", "WHEN", "Output", "auto, always or never", 'C' },
	{ 0, "script", "KEYS", NULL, NULL, 'S' },
	{ 0, NULL, NULL, NULL, NULL, 0 },
};
static const struct opt_page page = { .tool = "shmtop",
				      .does = "does",
				      .usage = "[OPTIONS]",
				      .examples = "  a\n  b\n  c\n",
				      .options = table };

TEST(options_cluster_take_arguments_and_leave_operands_in_order)
{
	char *argv[] = { "shmtop", "one", "-bi", "2", "--color=never", "two", "--", "-x", NULL };
	struct opt_walk w;

	opt_begin(&w, &page, 8, argv);
	T_EQ(opt_next(&w, NULL), 'b');
	T_EQ(opt_next(&w, NULL), 'i');
	T_STR(w.arg, "2");
	T_EQ(opt_next(&w, NULL), 'C');
	T_STR(w.arg, "never");
	T_EQ(opt_next(&w, NULL), OPT_END);
	T_EQ(w.operands, 3);
	T_STR(argv[1], "one");
	T_STR(argv[2], "two");
	T_STR(argv[3], "-x");
}

TEST(a_wrong_option_names_the_nearest_right_one)
{
	char *argv[] = { "shmtop", "--colour", NULL };
	struct opt_walk w;
	struct err err;

	opt_begin(&w, &page, 2, argv);
	T_EQ(opt_next(&w, &err), OPT_WRONG);
	T_STR(err.text, "--colour: unknown option (did you mean --color?)");
}

TEST(a_missing_argument_is_said)
{
	char *argv[] = { "shmtop", "-i", NULL };
	struct opt_walk w;
	struct err err;

	opt_begin(&w, &page, 2, argv);
	T_EQ(opt_next(&w, &err), OPT_WRONG);
	T_STR(err.text, "--interval: needs an argument (DUR)");
}

TEST(with_stop_early_everything_after_the_first_operand_is_the_commands)
{
	char *argv[] = { "sigdump", "-b", "cmd", "-b", "--json", NULL };
	struct opt_walk w;

	opt_begin(&w, &page, 5, argv);
	w.stop_early = 1;
	T_EQ(opt_next(&w, NULL), 'b');
	T_EQ(opt_next(&w, NULL), OPT_END);
	T_EQ(w.operands, 3);
	T_STR(argv[2], "-b");
}

TEST(an_option_without_help_works_but_is_never_offered)
{
	char *argv[] = { "shmtop", "--script", "q", "--scrip", NULL };
	char *text = NULL;
	struct opt_walk w;
	struct err err;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	opt_begin(&w, &page, 3, argv);
	T_EQ(opt_next(&w, NULL), 'S');
	T_STR(w.arg, "q");
	opt_help(f, &page, 0);
	fclose(f);
	T_OK(strstr(text, "script") == NULL);
	free(text);
	char *wrong[] = { "shmtop", "--scripf", NULL };
	opt_begin(&w, &page, 2, wrong);
	T_EQ(opt_next(&w, &err), OPT_WRONG);
	T_STR(err.text, "--scripf: unknown option");
}

TEST(help_begins_with_what_it_does_and_three_examples)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	opt_help(f, &page, 0);
	fclose(f);
	T_HAS(text, "shmtop - does\nusage: shmtop [OPTIONS]\nexamples:\n  a\n  b\n  c\nTime:\n");
	T_HAS(text, "  -i, --interval DUR           between samples\n");
	free(text);
}
