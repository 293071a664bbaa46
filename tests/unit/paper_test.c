#include "lib/report/paper.h"

#include <stdlib.h>

#include "tests/t.h"

static char *text;
static size_t len;

static struct paper begin(unsigned columns)
{
	return (struct paper){ .out = open_memstream(&text, &len), .columns = columns };
}

static const char *end(struct paper *p)
{
	fclose(p->out);
	return text;
}

TEST(a_label_is_followed_by_text_that_wraps_in_its_own_column)
{
	struct paper p = begin(40);

	paper_label(&p, 2, "next", 10, INK_PLAIN, "one two three four five six seven eight nine");
	T_STR(end(&p), "  next    one two three four five six\n"
		       "          seven eight nine\n");
	free(text);
}

TEST(a_word_wider_than_the_page_is_not_cut)
{
	struct paper p = begin(30);

	paper_label(&p, 0, "f", 4, INK_PLAIN,
		    "see /usr/share/very/long/path/to/something/else now");
	T_STR(end(&p), "f   see\n"
		       "    /usr/share/very/long/path/to/something/else\n"
		       "    now\n");
	free(text);
}

TEST(an_empty_text_is_an_empty_line)
{
	struct paper p = begin(30);

	paper_label(&p, 0, "", 4, INK_PLAIN, "");
	T_STR(end(&p), "    \n");
	free(text);
}

TEST(colour_is_put_around_text_and_only_when_wanted)
{
	struct paper p = begin(0);

	paper_ink(&p, INK_RED, "!%d", 1);
	p.color = true;
	paper_ink(&p, INK_RED, "!%d", 2);
	paper_ink(&p, INK_PLAIN, "x");
	T_STR(end(&p), "!1\033[1;31m!2\033[0mx");
	free(text);
}

TEST(what_is_not_ascii_is_one_question_mark_per_character)
{
	struct paper p = begin(0);

	p.ascii = true;
	paper_put(&p, "gr\u00fc\u00df \u65e5!");
	T_STR(end(&p), "gr?? ?!");
	T_EQ(paper_width("gr\u00fc\u00df"), 4);
	free(text);
}
