#include "lib/base/filter.h"

#include <errno.h>

#include "tests/t.h"

static const char *const fields[] = { "name", "peer", "slots", NULL };

struct row {
	const char *name;
	int64_t peer, slots; /* negative: not known */
};

static struct filter_value get(const void *arg, unsigned field)
{
	const struct row *r = arg;

	if (field == 0)
		return (struct filter_value){ .text = r->name, .is_known = true };
	const int64_t n = field == 1 ? r->peer : r->slots;
	return (struct filter_value){ .number = n, .is_known = n >= 0 };
}

static bool passes(const char *text, const char *name, int64_t peer, int64_t slots)
{
	const struct row r = { name, peer, slots };
	struct filter f;

	T_EQ(filter_parse(&f, text, fields, NULL), 0);
	return filter_is_match(&f, &r, get);
}

TEST(terms_must_all_hold_and_a_lone_word_is_looked_for_in_the_first_field)
{
	T_OK(passes("", "search", 3, 18));
	T_OK(passes("ARCH", "search", 3, 18));
	T_OK(!passes("thumbs", "search", 3, 18));
	T_OK(passes("peer=3 slots>=18", "search", 3, 18));
	T_OK(!passes("peer=3 slots>18", "search", 3, 18));
	T_OK(passes("slots>=64K", "search", 3, 65536));
	T_OK(passes("slots<1K  slots!=17", "search", 3, 18));
	T_OK(passes("name!~fonts name=search peer<=3", "search", 3, 18));
	T_OK(passes("peer~3", "search", 13, 18));
	T_OK(!passes("peer=fonts", "search", 3, 18));
}

TEST(what_is_not_known_passes_no_term_but_a_denial)
{
	T_OK(!passes("slots=0", "search", 3, -1));
	T_OK(!passes("slots<5", "search", 3, -1));
	T_OK(passes("slots!=0", "search", 3, -1));
}

static const char *error_of(const char *text)
{
	static struct err err;
	struct filter f;

	T_EQ(filter_parse(&f, text, fields, &err), -EINVAL);
	return err.text;
}

TEST(a_wrong_expression_says_what_was_not_understood)
{
	T_STR(error_of("class=1"), "filter: no field \"class\" (there are: name peer slots)");
	T_STR(error_of("slots>many"), "filter: \"many\" is not a number");
	T_STR(error_of("peer="), "filter: a value is missing, or longer than 63");
	T_STR(error_of("peer!3"), "filter: \"peer!3\" has no = != ~ !~ > < >= <=");
	T_STR(error_of("a b c d e f g h i"), "filter: more than 8 terms");
}
