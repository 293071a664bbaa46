#include "lib/base/filter.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/units.h"

static const struct {
	const char *sign;
	enum filter_op op;
} signs[] = { /* longer ones first: ">=" is not ">" */
	{ "!=", FILTER_DIFFERENT }, { "!~", FILTER_HAS_NOT }, { ">=", FILTER_AT_LEAST },
	{ "<=", FILTER_AT_MOST },   { "=", FILTER_EQUAL },    { "~", FILTER_HAS },
	{ ">", FILTER_MORE },       { "<", FILTER_LESS },
};

static int unknown_field(struct err *err, const char *name, size_t len, const char *const *fields)
{
	char list[200] = "";
	size_t used = 0;

	for (unsigned i = 0; fields[i] && used < sizeof(list); i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, " %s", fields[i]);
	return err_set(err, -EINVAL, "filter: no field \"%.*s\" (there are:%s)", (int)len, name,
		       list);
}

static bool is_ordering(enum filter_op op)
{
	return op >= FILTER_MORE;
}

static int set_value(struct filter_term *t, const char *value, size_t len, struct err *err)
{
	uint64_t number;

	if (!len || len >= sizeof(t->text))
		return err_set(err, -EINVAL, "filter: a value is missing, or longer than %d",
			       FILTER_TEXT - 1);
	memcpy(t->text, value, len);
	t->text[len] = '\0';
	t->is_number =
		units_parse_bytes(t->text, "filter", 0, INT64_MAX / 2, &number, NULL) == 0;
	t->number = t->is_number ? (int64_t)number : 0;
	if (is_ordering(t->op) && !t->is_number)
		return err_set(err, -EINVAL, "filter: \"%s\" is not a number", t->text);
	return 0;
}

static int parse_term(struct filter_term *t, const char *word, size_t len,
		      const char *const *fields, struct err *err)
{
	const size_t name = strcspn(word, "!=~<>");

	if (name >= len) { /* a word alone */
		*t = (struct filter_term){ .field = 0, .op = FILTER_HAS };
		return set_value(t, word, len, err);
	}
	unsigned field = 0;
	while (fields[field] &&
	       (strlen(fields[field]) != name || strncmp(fields[field], word, name) != 0))
		field++;
	if (!fields[field])
		return unknown_field(err, word, name, fields);
	for (unsigned i = 0; i < sizeof(signs) / sizeof(*signs); i++) {
		const size_t sign = strlen(signs[i].sign);

		if (strncmp(word + name, signs[i].sign, sign) != 0)
			continue;
		*t = (struct filter_term){ .field = field, .op = signs[i].op };
		return set_value(t, word + name + sign, len - name - sign, err);
	}
	return err_set(err, -EINVAL, "filter: \"%.*s\" has no = != ~ !~ > < >= <=", (int)len, word);
}

int filter_parse(struct filter *f, const char *text, const char *const *fields, struct err *err)
{
	struct filter made = { .n = 0 };

	for (;;) {
		text += strspn(text, " \t");
		const size_t len = strcspn(text, " \t");

		if (!len)
			break;
		if (made.n == FILTER_TERMS)
			return err_set(err, -EINVAL, "filter: more than %d terms", FILTER_TERMS);
		const int r = parse_term(&made.term[made.n++], text, len, fields, err);
		if (r)
			return r;
		text += len;
	}
	*f = made;
	return 0;
}

static bool holds_text(const struct filter_term *t, const char *text)
{
	switch (t->op) {
	case FILTER_EQUAL:
		return strcmp(text, t->text) == 0;
	case FILTER_DIFFERENT:
		return strcmp(text, t->text) != 0;
	case FILTER_HAS:
		return strcasestr(text, t->text) != NULL;
	case FILTER_HAS_NOT:
		return strcasestr(text, t->text) == NULL;
	default:
		return false; /* texts have no order here */
	}
}

static bool holds_number(const struct filter_term *t, int64_t n)
{
	char digits[32];

	switch (t->op) {
	case FILTER_EQUAL:
		return t->is_number && n == t->number;
	case FILTER_DIFFERENT:
		return !t->is_number || n != t->number;
	case FILTER_MORE:
		return n > t->number;
	case FILTER_LESS:
		return n < t->number;
	case FILTER_AT_LEAST:
		return n >= t->number;
	case FILTER_AT_MOST:
		return n <= t->number;
	default:
		snprintf(digits, sizeof(digits), "%lld", (long long)n);
		return holds_text(t, digits);
	}
}

bool filter_is_match(const struct filter *f, const void *row,
		     struct filter_value (*get)(const void *row, unsigned field))
{
	for (unsigned i = 0; i < f->n; i++) {
		const struct filter_term *t = &f->term[i];
		const struct filter_value v = get(row, t->field);
		bool holds;

		if (!v.is_known)
			holds = t->op == FILTER_DIFFERENT || t->op == FILTER_HAS_NOT;
		else
			holds = v.text ? holds_text(t, v.text) : holds_number(t, v.number);
		if (!holds)
			return false;
	}
	return true;
}
