#include "shmtop/canvas.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "tests/t.h"

static char *text_of(const struct canvas *c)
{
	static char text[4096];
	FILE *out = fmemopen(text, sizeof(text), "w");

	canvas_write(c, out);
	fclose(out);
	return text;
}

TEST(what_lies_outside_is_not_drawn)
{
	struct canvas c;

	T_EQ(canvas_init(&c, 2, 10, false), 0);
	T_EQ(canvas_text(&c, 0, 6, STYLE_PLAIN, "abcdefg"), 13);
	canvas_text(&c, -1, 0, STYLE_PLAIN, "x");
	canvas_text(&c, 2, 0, STYLE_PLAIN, "x");
	canvas_text(&c, 1, -2, STYLE_PLAIN, "xyz");
	T_STR(text_of(&c), "      abcd\nz\n");
	canvas_fini(&c);
}

TEST(foreign_bytes_cannot_reach_the_terminal)
{
	struct canvas c;

	T_EQ(canvas_init(&c, 1, 40, false), 0);
	canvas_text(&c, 0, 0, STYLE_PLAIN, "a\x1b[2J\x7f\x9b\xc3\xa4\xff\xe2\x82z");
	T_STR(text_of(&c), "a?[2J????" "??z\n");
	canvas_fini(&c);
}

TEST(utf_8_is_kept_where_it_can_be_shown_and_counted_in_columns)
{
	struct canvas c;

	if (!setlocale(LC_ALL, "C.UTF-8"))
		t_skip("no locale C.UTF-8");
	T_EQ(canvas_init(&c, 1, 20, true), 0);
	T_EQ(canvas_columns("gr\xc3\xb6\xc3\x9f" "e", true), 5);
	T_EQ(canvas_columns("\xe6\xbc\xa2", true), 2);
	T_EQ(canvas_text(&c, 0, 0, STYLE_PLAIN, "gr\xc3\xb6\xc3\x9f" "e \xe6\xbc\xa2!"), 9);
	T_STR(text_of(&c), "gr\xc3\xb6\xc3\x9f" "e \xe6\xbc\xa2!\n");
	/* half of a wide character is none */
	canvas_text(&c, 0, 7, STYLE_PLAIN, "x");
	T_STR(text_of(&c), "gr\xc3\xb6\xc3\x9f" "e  x!\n");
	canvas_fini(&c);
}

TEST(text_that_is_too_long_ends_in_a_mark_and_keeps_its_column)
{
	struct canvas c;

	T_EQ(canvas_init(&c, 3, 20, false), 0);
	T_EQ(canvas_fit(&c, 0, 0, 8, STYLE_PLAIN, "missed-wakeup"), 8);
	T_EQ(canvas_fit(&c, 1, 0, 8, STYLE_PLAIN, "exactly8"), 8);
	T_EQ(canvas_right(&c, 2, 8, STYLE_PLAIN, "42"), 8);
	T_STR(text_of(&c), "missed..\nexactly8\n      42\n");
	canvas_fini(&c);
}

TEST(the_last_target_drawn_is_the_one_that_is_hit)
{
	struct canvas c;

	T_EQ(canvas_init(&c, 3, 20, false), 0);
	canvas_target(&c, 1, 0, 20, 7, 1);
	canvas_target(&c, 1, 5, 3, 8, 2);
	T_EQ(canvas_target_at(&c, 1, 5)->action, 8);
	T_EQ(canvas_target_at(&c, 1, 8)->action, 7);
	T_OK(canvas_target_at(&c, 2, 5) == NULL);
	canvas_fini(&c);
}
