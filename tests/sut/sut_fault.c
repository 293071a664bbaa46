#include "tests/sut/sut_fault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sut/sut.h"
#include "tests/sut/sut_faults.h"

static const struct sut_fault table[] = {
	{ "lost-bell", "to=peer|host", "messages are published and nobody rings", 0,
	  inject_lost_bell, act_lost_bell },
	{ "deaf-peer", "", "the bell rings; the peer's loop lost it from its epoll set", 0,
	  inject_deaf_peer, act_deaf_peer },
	{ "blocked-peer", "in=read|futex|flock|connect", "a handler blocks for ever", 0,
	  inject_blocked_peer, act_blocked_peer },
	{ "killed-peer", "", "SIGKILL while it holds slots, and nothing is taken back", 0,
	  inject_killed_peer, act_killed_peer },
	{ "spinning-peer", "", "a handler loops for ever", 0, inject_stuck_handler,
	  act_spinning_peer },
	{ "stopped-peer", "", "SIGSTOP", 0, inject_stopped_peer, NULL },
	{ "stopped-sender", "", "a peer is stopped between publishing and ringing", 0,
	  inject_stopped_sender, act_stopped_sender },
	{ "frozen-beat", "", "the peer's loop is stuck although its rings are empty", 0,
	  inject_frozen_beat, act_frozen_beat },
	{ "slow-peer", "", "its ring stays full, the host's threads wait for space", 0,
	  inject_slow_peer, act_slow_peer },
	{ "wrong-peer", "", "a call's descriptor goes to another peer's ring", 0, inject_wrong_peer,
	  NULL },
	{ "dropped-call", "", "a call is counted as pending and never enqueued", 0,
	  inject_dropped_call, NULL },
	{ "no-replies", "", "calls are swallowed until the peer's share of the table is used up", 0,
	  inject_no_replies, NULL },
	{ "reentrant-call", "", "its handler waits for the host, the host waits for it", 0,
	  inject_reentrant_call, act_reentrant_call },
	{ "lock-call-cycle", "", "a mutex and a call wait for each other", 0,
	  inject_lock_call_cycle, act_lock_call_cycle },
	{ "full-both", "", "both rings are full and each side waits for space", SUT_FAULT_STUCK,
	  inject_full_both, act_full_both },
	{ "hoarder", "", "one peer holds every slot of a class, the hub is at its limit",
	  SUT_FAULT_ALL_QUIET | SUT_FAULT_NO_UNPACK, inject_hoarder, NULL },
	{ "disk-full", "", "the hub's filesystem has no room for a slot's pages", SUT_FAULT_NO_ROOM,
	  inject_disk_full, NULL },
	{ "lost-descriptor", "", "a slot is in flight, no descriptor refers to it", 0,
	  inject_lost_descriptor, NULL },
	{ "corrupt", "what=head|tail|slot|class|offset|section|magic",
	  "bytes of the file are overwritten", 0, inject_corrupt, NULL },
	{ "deadlock", "", "two host threads take two mutexes in opposite order",
	  SUT_FAULT_HOST | SUT_FAULT_STUCK, inject_deadlock, NULL },
	{ "dead-owner", "", "a host thread waits for a mutex whose owner has exited",
	  SUT_FAULT_HOST | SUT_FAULT_STUCK, inject_dead_owner, NULL },
	{ "lost-futex-wake", "", "a host thread sleeps in a futex whose word has changed",
	  SUT_FAULT_HOST | SUT_FAULT_STUCK, inject_lost_futex_wake, NULL },
};

enum { FAULTS = sizeof(table) / sizeof(table[0]) };

/* The part of "in=read|futex to=peer|host" that belongs to `key`: "read|futex". */
static const char *values_of(const struct sut_fault *kind, const char *key, size_t *len)
{
	const size_t key_len = strlen(key);

	for (const char *at = kind->keys; at && *at;
	     at += strcspn(at, " ") + (strchr(at, ' ') != NULL)) {
		if (strncmp(at, key, key_len) == 0 && at[key_len] == '=') {
			at += key_len + 1;
			*len = strcspn(at, " ");
			return at;
		}
	}
	return NULL;
}

static bool is_value(const char *values, size_t len, const char *value)
{
	const size_t value_len = strlen(value);

	for (const char *at = values; at < values + len;) {
		const size_t n = strcspn(at, "| ");

		if (n == value_len && strncmp(at, value, n) == 0)
			return true;
		at += n + 1;
	}
	return false;
}

static int check_arg(const struct sut_fault *kind, const char *key, const char *value,
		     struct err *err)
{
	size_t len;

	/* who is hit, and what the host tells a peer besides: every fault has these */
	if (strcmp(key, "peer") == 0 || strcmp(key, "path") == 0)
		return 0;
	const char *values = values_of(kind, key, &len);
	if (!values)
		return err_set(err, -EINVAL, "--fault: %s has no \"%s\"", kind->name, key);
	if (!is_value(values, len, value))
		return err_set(err, -EINVAL, "--fault: %s:%s=%s: is not one of %.*s", kind->name,
			       key, value, (int)len, values);
	return 0;
}

static const struct sut_fault *find(const char *name, size_t len)
{
	for (unsigned i = 0; i < FAULTS; i++)
		if (strlen(table[i].name) == len && strncmp(table[i].name, name, len) == 0)
			return &table[i];
	return NULL;
}

static int parse_arg(struct sut_fault_spec *spec, const char *at, size_t len, struct err *err)
{
	const char *equals = memchr(at, '=', len);
	char key[sizeof(spec->arg[0].key)], value[SUT_VALUE];

	if (!equals || (size_t)(equals - at) >= sizeof(key) ||
	    len - (size_t)(equals - at) > sizeof(value))
		return err_set(err, -EINVAL, "--fault: %s: \"%.*s\" is not KEY=VALUE",
			       spec->kind->name, (int)len, at);
	if (spec->args == SUT_ARGS)
		return err_set(err, -EINVAL, "--fault: %s: too many arguments", spec->kind->name);
	snprintf(key, sizeof(key), "%.*s", (int)(equals - at), at);
	snprintf(value, sizeof(value), "%.*s", (int)(at + len - equals - 1), equals + 1);
	const int r = check_arg(spec->kind, key, value, err);
	if (!r)
		sut_fault_set(spec, key, value);
	return r;
}

int sut_fault_parse(const char *text, struct sut_fault_spec *spec, struct err *err)
{
	const size_t name_len = strcspn(text, ":");
	const char *at = text + name_len;

	*spec = (struct sut_fault_spec){ 0 };
	if (strcmp(text, "none") == 0)
		return 0;
	spec->kind = find(text, name_len);
	if (!spec->kind) {
		err_set(err, -EINVAL, "--fault: no fault \"%.*s\"", (int)name_len, text);
		return err_next(err, "`hubdemo --help` lists them");
	}
	while (*at) {
		const size_t len = strcspn(++at, ",");
		const int r = parse_arg(spec, at, len, err);

		if (r)
			return r;
		at += len;
	}
	return 0;
}

static char *value_at(struct sut_fault_spec *spec, const char *key)
{
	for (size_t i = 0; i < spec->args; i++)
		if (strcmp(spec->arg[i].key, key) == 0)
			return spec->arg[i].value;
	return NULL;
}

const char *sut_fault_arg(const struct sut_fault_spec *spec, const char *key)
{
	static _Thread_local char first[SUT_VALUE];
	const char *given = value_at((struct sut_fault_spec *)spec, key);
	size_t len;

	if (given)
		return given;
	const char *values = values_of(spec->kind, key, &len);
	if (!values)
		return NULL;
	snprintf(first, sizeof(first), "%.*s", (int)strcspn(values, "| "), values);
	return first;
}

void sut_fault_set(struct sut_fault_spec *spec, const char *key, const char *value)
{
	char *at = value_at(spec, key);

	if (!at && spec->args < SUT_ARGS) {
		snprintf(spec->arg[spec->args].key, sizeof(spec->arg[0].key), "%s", key);
		at = spec->arg[spec->args++].value;
	}
	if (at)
		snprintf(at, SUT_VALUE, "%s", value);
}

size_t sut_fault_text(const struct sut_fault_spec *spec, char *buf, size_t size)
{
	size_t n = (size_t)snprintf(buf, size, "%s", spec->kind->name);

	for (size_t i = 0; i < spec->args && n < size; i++)
		n += (size_t)snprintf(buf + n, size - n, "%c%s=%s", i ? ',' : ':', spec->arg[i].key,
				      spec->arg[i].value);
	return n < size ? n : size - 1;
}

int sut_fault_target(struct sut_fault_spec *spec, unsigned peers, struct err *err)
{
	const char *named = sut_fault_arg(spec, "peer");
	char name[SUT_NAME], *end;

	spec->peer = 0;
	if (spec->kind->flags & SUT_FAULT_HOST)
		return named ? err_set(err, -EINVAL, "--fault: %s concerns no peer",
				       spec->kind->name)
			     : 0;
	if (!named)
		named = "search";
	for (unsigned i = 1; i <= peers; i++)
		if (strcmp(named, sut_peer_name(i, name)) == 0)
			spec->peer = i;
	if (!spec->peer && !value_at(spec, "peer"))
		spec->peer = peers; /* too small a hub for a search */
	if (!spec->peer) {
		const unsigned long id = strtoul(named, &end, 10);

		if (*named && !*end && id >= 1 && id <= peers)
			spec->peer = (unsigned)id;
	}
	if (spec->peer)
		return 0;
	return err_set(err, -EINVAL, "--fault: %s: no peer \"%s\" among %u", spec->kind->name,
		       named, peers);
}

void sut_fault_help(FILE *out)
{
	fprintf(out, "Faults (:peer=NAME or ID, default search):\n  %-28s %s\n", "none",
		"everybody is healthy");
	for (unsigned i = 0; i < FAULTS; i++) {
		char left[64];

		snprintf(left, sizeof(left), "%s%s%s", table[i].name, *table[i].keys ? ":" : "",
			 table[i].keys);
		fprintf(out, "  %-28s %s%s\n", left,
			strlen(left) > 28 ? "\n                               " : "",
			table[i].help);
	}
}
