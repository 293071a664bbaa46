#include <stdlib.h>
#include <string.h>

#include "lib/report/report.h"
#include "tests/rule_test.h"

static json_t *json_of(struct state *st)
{
	struct judge *judge = judge_create(NULL);

	setenv("TZ", "Europe/Berlin", 1);
	T_EQ(judge_look(judge, st), 0);
	struct report r = { .st = st, .findings = judge_findings(judge) };

	T_EQ(report_begin(&r), 0);
	json_t *o = report_json(&r);

	report_end(&r);
	judge_destroy(judge);
	build_free(st);
	T_OK(o);
	return o;
}

static struct state *hung(void)
{
	const char *const sleeps[] = { "epoll_wait", "hub_poll", "search_loop", NULL };
	struct state *st = build_state(0);
	struct state_hub *hub = build_hub(st, 4);
	struct state_input *in = state_add_input(st);

	*in = (struct state_input){ .path = hub->path, .type = "hub", .complete = true };
	build_class(st, hub, 65536, 64);
	build_lost_bell(st, build_peer(hub, 3), HUB_RECV, 8.4);
	build_loop(st, build_peer(hub, 3))->stack = build_stack(st, sleeps);
	build_peer(hub, 1)->ring[HUB_RECV].bell = -1;
	state_join(st);
	return st;
}

static json_t *at(json_t *o, const char *path)
{
	char copy[200];

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *key = strtok(copy, "."); key; key = strtok(NULL, ".")) {
		json_t *next = json_is_array(o) ? json_array_get(o, (size_t)atoi(key))
						: json_object_get(o, key);

		if (!next)
			T_FAIL("no %s in the report", path);
		o = next;
	}
	return o;
}

static const char *string_at(json_t *o, const char *path)
{
	return json_string_value(at(o, path));
}

TEST(a_finding_has_the_documented_keys)
{
	json_t *o = json_of(hung());

	T_EQ(json_array_size(at(o, "findings")), 1);
	T_STR(string_at(o, "findings.0.kind"), "finding");
	T_EQ(json_integer_value(at(o, "findings.0.v")), 1);
	T_STR(string_at(o, "findings.0.id"), "F1");
	T_STR(string_at(o, "findings.0.name"), "missed-wakeup");
	T_STR(string_at(o, "findings.0.severity"), "critical");
	T_STR(string_at(o, "findings.0.state"), "suspected");
	T_STR(string_at(o, "findings.0.where.hub"), "demo.hub");
	T_EQ(json_integer_value(at(o, "findings.0.where.peer")), 3);
	T_EQ(json_integer_value(at(o, "findings.0.where.pid")), 4003);
	T_EQ(json_integer_value(at(o, "findings.0.where.tid")), 4003);
	T_STR(string_at(o, "findings.0.where.ring"), "recv");
	T_STR(string_at(o, "findings.0.where.stack"), "S1");
	T_STR(string_at(o, "findings.0.where.site"), "hub_poll main.c:10");
	const char *const none[] = { "class", "slot", "gauge", "file", "offset" };

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		T_OK(json_is_null(json_object_get(at(o, "findings.0.where"), none[i])));
	T_OK(json_is_null(at(o, "findings.0.consequence_of")));
	T_STR(string_at(o, "findings.0.since"), "2026-11-21T13:59:51.600+01:00");
	T_OK(json_real_value(at(o, "findings.0.seconds")) == 8.4);
	T_EQ(json_integer_value(at(o, "findings.0.evidence.waiting")), 7);
	T_EQ(json_integer_value(at(o, "findings.0.evidence.bell")), 0);
	T_OK(json_array_size(at(o, "findings.0.next")) >= 1);
	json_decref(o);
}

TEST(a_report_is_one_object_with_the_documented_keys)
{
	json_t *o = json_of(hung());

	T_STR(string_at(o, "kind"), "report");
	T_OK(string_at(o, "verdict"));
	T_STR(string_at(o, "inputs.0.type"), "hub");
	T_OK(json_is_true(at(o, "inputs.0.complete")));
	T_OK(json_is_null(at(o, "inputs.0.from")));
	T_STR(string_at(o, "hubs.0.path"), "/dev/shm/demo.hub");
	T_EQ(json_array_size(at(o, "hubs.0.peers")), 4);
	T_EQ(json_integer_value(at(o, "hubs.0.peers.2.id")), 3);
	T_STR(string_at(o, "hubs.0.peers.2.state"), "live");
	T_EQ(json_integer_value(at(o, "hubs.0.peers.2.recv.head")), 1041);
	T_EQ(json_integer_value(at(o, "hubs.0.peers.2.recv.tail")), 1034);
	T_EQ(json_integer_value(at(o, "hubs.0.peers.2.recv.len")), 7);
	T_EQ(json_integer_value(at(o, "hubs.0.peers.2.recv.capacity")), 256);
	T_EQ(json_integer_value(at(o, "hubs.0.peers.2.recv.waiting_flag")), 1);
	T_EQ(json_integer_value(at(o, "hubs.0.peers.2.send.bell_pending")), 0);
	T_EQ(json_integer_value(at(o, "hubs.0.peers.2.calls_pending")), 0);
	T_EQ(json_integer_value(at(o, "hubs.0.classes.0.size")), 65536);
	T_EQ(json_integer_value(at(o, "hubs.0.classes.0.dead_owner")), 0);
	T_STR(string_at(o, "processes.3.name"), "search");
	T_STR(string_at(o, "processes.3.threads.0.stack"), "S1");
	T_STR(string_at(o, "processes.3.threads.0.captured"), "peek");
	T_OK(json_is_false(at(o, "processes.3.threads.0.own")));
	T_STR(string_at(o, "stacks.0.id"), "S1");
	T_STR(string_at(o, "stacks.0.frames.1.function"), "hub_poll");
	T_STR(string_at(o, "stacks.0.frames.1.offset"), "0x36501");
	T_OK(json_is_array(at(o, "series")));
	T_OK(json_is_array(at(o, "sites")));
	json_decref(o);
}

TEST(what_is_not_known_is_null_and_never_zero)
{
	json_t *o = json_of(hung());

	T_OK(json_is_null(at(o, "hubs.0.peers.0.recv.bell_pending")));
	T_OK(json_is_null(at(o, "hubs.0.peers.0.exit_status")));
	T_OK(json_is_null(at(o, "processes.0.memory.rss_bytes")));
	T_OK(json_is_null(at(o, "processes.0.fds")));
	T_OK(json_is_null(at(o, "stacks.0.frames.0.line")));
	json_decref(o);
}

TEST(bytes_that_are_no_text_and_numbers_beyond_2_53_become_strings)
{
	struct state *st = hung();

	st->hub[0].peer[0].name = "se\xff" "rch";
	st->hub[0].peer[0].ring[HUB_SEND].head = UINT64_MAX;
	json_t *o = json_of(st);

	T_STR(string_at(o, "hubs.0.peers.0.name"), "se\\xffrch");
	T_STR(string_at(o, "hubs.0.peers.0.send.head"), "0xffffffffffffffff");
	json_decref(o);
}

TEST(an_empty_state_gives_a_whole_report)
{
	json_t *o = json_of(build_state(0));

	T_EQ(json_array_size(at(o, "findings")), 0);
	T_EQ(json_array_size(at(o, "hubs")), 0);
	T_STR(string_at(o, "verdict"), "nothing to judge: no process and no hub is in what was given");
	json_decref(o);
}
