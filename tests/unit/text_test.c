#include "lib/base/text.h"

#include <string.h>

#include "tests/t.h"

static const char *shown(const char *bytes, size_t n, size_t room)
{
	static char out[256];

	memset(out, '#', sizeof(out));
	const size_t len = text_printable(out, room, bytes, n);

	T_EQ(len, strlen(out));
	T_OK(len < room);
	return out;
}

TEST(valid_text_stays_as_it_is)
{
	static const char all[] = "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"; /* 1 to 4 bytes */

	T_STR(shown(all, sizeof(all), 99), all);
	T_STR(shown("", 1, 10), "");
	T_STR(shown("abc", 2, 10), "ab");
}

TEST(control_characters_and_foreign_bytes_become_escapes)
{
	T_STR(shown("a\x1b[2J\nb", sizeof("a\x1b[2J\nb"), 99), "a\\x1b[2J\\x0ab");
	T_STR(shown("\x7f", 1, 99), "\\x7f");
	T_STR(shown("\xc2\x9b", 2, 99), "\\xc2\\x9b");
	T_STR(shown("\xff\xfe", 2, 99), "\\xff\\xfe");
	T_STR(shown("\xc0\xaf", 2, 99), "\\xc0\\xaf"); /* overlong "/" */
	T_STR(shown("\xe0\x80\xaf", 3, 99), "\\xe0\\x80\\xaf");
	T_STR(shown("\xed\xa0\x80", 3, 99), "\\xed\\xa0\\x80"); /* surrogate */
	T_STR(shown("\xf4\x90\x80\x80", 4, 99), "\\xf4\\x90\\x80\\x80");
	T_STR(shown("\xe2\x82", 2, 99), "\\xe2\\x82"); /* cut */
	T_STR(shown("x\xc3(", 3, 99), "x\\xc3(");
}

TEST(what_does_not_fit_is_cut_at_a_whole_character)
{
	T_STR(shown("abcdef", 6, 4), "abc");
	T_STR(shown("ab\xe2\x82\xac", 5, 5), "ab");
	T_STR(shown("a\x01", 2, 5), "a");
	T_STR(shown("abc", 3, 1), "");
}
