#include "shmtop/draw.h"

#include <locale.h>
#include <string.h>

#include "tests/t.h"

static const char *drawn(struct canvas *c)
{
	static char text[2048];
	FILE *out = fmemopen(text, sizeof(text), "w");

	canvas_put(c, 0, out);
	fclose(out);
	text[strcspn(text, "\n")] = '\0';
	canvas_fini(c);
	return text;
}

static const char *bar(uint64_t value, uint64_t dead, uint64_t total)
{
	struct canvas c;

	T_EQ(canvas_init(&c, 1, 20, false), 0);
	T_EQ(draw_bar(&c, 0, 0, 10, value, dead, total), 10);
	return drawn(&c);
}

TEST(a_bar_is_full_only_when_it_is_and_shows_the_dead)
{
	T_STR(bar(0, 0, 256), "[........]");
	T_STR(bar(3, 0, 256), "[........]");
	T_STR(bar(7, 0, 256), "[#.......]");
	T_STR(bar(40, 0, 256), "[##......]");
	T_STR(bar(255, 0, 256), "[#######.]");
	T_STR(bar(256, 0, 256), "[########]");
	T_STR(bar(999, 0, 256), "[########]");
	T_STR(bar(52, 12, 64), "[######X.]");
	T_STR(bar(64, 64, 64), "[XXXXXXXX]");
	T_STR(bar(64, 1, 64), "[#######X]");
	T_STR(bar(0, 0, 0), "[........]");
}

TEST(in_utf_8_a_bar_has_eighths)
{
	struct canvas c;

	if (!setlocale(LC_ALL, "C.UTF-8"))
		t_skip("no locale C.UTF-8");
	T_EQ(canvas_init(&c, 1, 20, true), 0);
	draw_bar(&c, 0, 0, 6, 3, 0, 8); /* a block and a half of four */
	T_STR(drawn(&c), "[\u2588\u258c\u00b7\u00b7]");
}

static const char *spark(const double *value, size_t n)
{
	struct canvas c;

	T_EQ(canvas_init(&c, 1, 20, false), 0);
	draw_spark(&c, 0, 0, 10, value, n);
	return drawn(&c);
}

TEST(a_sparkline_rises_with_its_values_and_leaves_gaps)
{
	static const double rising[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 };
	static const double flat[] = { 100, 100.5, 101 };
	static const double gap[] = { 1, -1, 10 };

	T_STR(spark(rising, 10), "__..--''^^");
	T_STR(spark(flat, 3), "__________");
	T_STR(spark(gap, 3), "___    ^^^");
	T_STR(spark(NULL, 0), "");
}

TEST(figures_say_what_people_say)
{
	char b[UNITS_TEXT];

	T_STR(text_age(b, -1), "-");
	T_STR(text_age(b, 200000), "0.2");
	T_STR(text_age(b, 41 * INT64_C(1000000)), "41.0");
	T_STR(text_age(b, 120 * INT64_C(1000000)), "120");
	T_STR(text_age(b, 11400 * INT64_C(1000000)), "3h10");
	T_STR(text_age(b, 864000 * INT64_C(1000000)), "10d");
	T_STR(text_span(b, 8400000), "8.4 s");
	T_STR(text_rate(b, -1), "-");
	T_STR(text_rate(b, 0), "0");
	T_STR(text_rate(b, 42), "42");
	T_STR(text_rate(b, 400), "0.4k");
	T_STR(text_rate(b, 1200), "1.2k");
	T_STR(text_rate(b, 40000), "40k");
	T_STR(text_rate(b, 4.2e6), "4.2M");
	T_STR(text_short(b, 9999), "9999");
	T_STR(text_short(b, 98112), "98k");
	T_STR(text_bytes(b, -1), "-");
	T_STR(text_bytes(b, 812 << 20), "812M");
}

TEST(wrapped_text_breaks_at_blanks_and_says_when_it_is_cut)
{
	static const char words[] = "the message waits and nobody rang its bell";
	struct canvas c;
	char text[256];

	T_EQ(draw_wrapped(NULL, 0, 0, 20, 9, STYLE_PLAIN, words), 3);
	T_EQ(canvas_init(&c, 3, 20, false), 0);
	T_EQ(draw_wrapped(&c, 0, 0, 20, 2, STYLE_PLAIN, words), 2);
	FILE *out = fmemopen(text, sizeof(text), "w");
	canvas_write(&c, out);
	fclose(out);
	T_STR(text, "the message waits\nand nobody rang it..\n");
	canvas_fini(&c);
	T_EQ(draw_wrapped(NULL, 0, 0, 5, 9, STYLE_PLAIN, "anuncommonlylongword x"), 2);
}
