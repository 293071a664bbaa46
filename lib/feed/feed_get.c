#include "lib/feed/feed_get.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool parse_hex(const char *text, uint64_t *v)
{
	char *end;

	if (text[0] != '0' || text[1] != 'x' || !isxdigit((unsigned char)text[2]))
		return false;
	errno = 0;
	const unsigned long long n = strtoull(text + 2, &end, 16);
	if (*end || errno)
		return false;
	*v = n;
	return true;
}

bool feed_value_u64(const json_t *value, uint64_t *v)
{
	if (json_is_string(value))
		return parse_hex(json_string_value(value), v);
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return false;
	*v = (uint64_t)json_integer_value(value);
	return true;
}

bool feed_get_u64(const json_t *rec, const char *key, uint64_t *v)
{
	return feed_value_u64(json_object_get(rec, key), v);
}

uint64_t feed_u64(const json_t *rec, const char *key, uint64_t unknown)
{
	uint64_t v = unknown;

	feed_get_u64(rec, key, &v);
	return v;
}

uint32_t feed_u32(const json_t *rec, const char *key, uint32_t unknown)
{
	uint64_t v = unknown;

	return feed_get_u64(rec, key, &v) && v <= UINT32_MAX ? (uint32_t)v : unknown;
}

int64_t feed_i64(const json_t *rec, const char *key, int64_t unknown)
{
	const json_t *value = json_object_get(rec, key);

	return json_is_integer(value) ? json_integer_value(value) : unknown;
}

const char *feed_text(const json_t *rec, const char *key)
{
	return json_string_value(json_object_get(rec, key));
}

bool feed_is(const json_t *rec, const char *key)
{
	return json_is_true(json_object_get(rec, key));
}

bool feed_is_type(const json_t *rec, const char *t)
{
	const char *type = feed_text(rec, "t");

	return type && strcmp(type, t) == 0;
}
