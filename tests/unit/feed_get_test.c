#include "lib/feed/feed_get.h"

#include "tests/t.h"

static json_t *record(const char *text)
{
	json_t *rec = json_loads(text, 0, NULL);

	T_OK(rec);
	return rec;
}

TEST(a_field_that_is_absent_or_of_the_wrong_type_is_not_known)
{
	json_t *rec = record("{\"n\":7,\"h\":\"0xffffffffffffffff\",\"neg\":-3,\"null\":null,\"b\":true,"
			     "\"x\":\"0x\",\"y\":\"0x1g\",\"z\":\"0x11112222333344445\",\"big\":4294967296,"
			     "\"s\":\"text\",\"f\":1.5,\"w\":\"0x 1\",\"m\":\"0x-1\"}");
	uint64_t v = 5;

	T_OK(feed_get_u64(rec, "h", &v));
	T_OK(v == UINT64_MAX);
	T_EQ(feed_u64(rec, "n", 9), 7);
	T_EQ(feed_u32(rec, "big", 9), 9);
	T_EQ(feed_i64(rec, "neg", 9), -3);
	static const char *const unknown[] = { "neg", "null", "b", "x", "y", "z", "s", "f", "w", "m", "no" };

	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		v = 5;
		if (feed_get_u64(rec, unknown[i], &v))
			T_FAIL("\"%s\" was taken for a number", unknown[i]);
		T_EQ(v, 5);
	}
	T_EQ(feed_i64(rec, "null", -1), -1);
	T_STR(feed_text(rec, "s"), "text");
	T_OK(!feed_text(rec, "n") && !feed_text(rec, "no"));
	T_OK(feed_is(rec, "b") && !feed_is(rec, "n") && !feed_is(rec, "no"));
	json_decref(rec);
}
