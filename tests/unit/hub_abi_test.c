/*
 * hub_abi - programs built against an older shmhub.h go on working with this library.
 *
 * The table holds every field of every public struct where 0.1 has it. A later version adds rows
 * and changes none; a row that has to change is a new soname.
 */
#include "lib/hub/hub_abi.h"

#include <stddef.h>

#include "lib/hub/shmhub_codec.h"
#include "tests/hub_live.h"
#include "tests/t.h"

#define F(s, f, at, n) { #s "." #f, offsetof(struct s, f), sizeof(((struct s *)0)->f), at, n }

static const struct place {
	const char *name;
	size_t offset, size, want_offset, want_size;
} places[] = {
	F(shmhub_error, code, 0, 4), F(shmhub_error, text, 4, 480), F(shmhub_error, next, 484, 320),
	F(shmhub_msg, data, 0, 8), F(shmhub_msg, len, 8, 8), F(shmhub_msg, status, 16, 4),
	F(shmhub_msg, flags, 20, 4), F(shmhub_msg, opaque, 24, 32), F(shmhub_msg, small, 56, 192),
	F(shmhub_buf, data, 0, 8), F(shmhub_buf, size, 8, 8), F(shmhub_buf, opaque, 16, 32),
	F(shmhub_class, bytes, 0, 8), F(shmhub_class, first, 8, 4), F(shmhub_class, max, 12, 4),
	F(shmhub_config, size, 0, 8), F(shmhub_config, name, 8, 8), F(shmhub_config, path, 16, 8),
	F(shmhub_config, memfd, 24, 4), F(shmhub_config, peers_max, 28, 4),
	F(shmhub_config, ring_cells, 32, 4), F(shmhub_config, calls_max, 36, 4),
	F(shmhub_config, handler_threads, 40, 4), F(shmhub_config, keep_file, 44, 4),
	F(shmhub_config, class_count, 48, 4), F(shmhub_config, classes, 56, 256),
	F(shmhub_config, limit, 312, 8),
	F(shmhub_spawn, size, 0, 8), F(shmhub_spawn, name, 8, 8), F(shmhub_spawn, path, 16, 8),
	F(shmhub_spawn, argv, 24, 8), F(shmhub_spawn, envp, 32, 8), F(shmhub_spawn, restart, 40, 4),
	F(shmhub_spawn, backoff_first_ms, 44, 4), F(shmhub_spawn, backoff_max_ms, 48, 4),
	F(shmhub_spawn, die_with_host, 52, 4), F(shmhub_spawn, child, 56, 8),
	F(shmhub_spawn, arg, 64, 8),
	F(shmhub_peer_config, size, 0, 8), F(shmhub_peer_config, path, 8, 8),
	F(shmhub_peer_config, id, 16, 4), F(shmhub_peer_config, doorbell_fd, 20, 4),
	F(shmhub_peer_config, wait_ms, 24, 4), F(shmhub_peer_config, die_with_host, 28, 4),
	F(shmhub_peer_info, size, 0, 8), F(shmhub_peer_info, state, 8, 4),
	F(shmhub_peer_info, pid, 12, 4), F(shmhub_peer_info, incarnation, 16, 4),
	F(shmhub_peer_info, restarts, 20, 4), F(shmhub_peer_info, exit_status, 24, 4),
	F(shmhub_peer_info, calls_pending, 28, 4), F(shmhub_peer_info, sent, 32, 8),
	F(shmhub_peer_info, received, 40, 8), F(shmhub_peer_info, name, 48, 48),
	F(shmhub_stats, size, 0, 8), F(shmhub_stats, messages_out, 8, 8),
	F(shmhub_stats, messages_in, 16, 8), F(shmhub_stats, bytes_out, 24, 8),
	F(shmhub_stats, bytes_in, 32, 8), F(shmhub_stats, bells, 40, 8),
	F(shmhub_stats, sleeps, 48, 8), F(shmhub_stats, full_waits, 56, 8),
	F(shmhub_stats, alloc_failed, 64, 8), F(shmhub_stats, no_space, 72, 8),
	F(shmhub_stats, calls, 80, 8), F(shmhub_stats, calls_failed, 88, 8),
	F(shmhub_stats, calls_waited, 96, 8), F(shmhub_stats, calls_refused, 104, 8),
	F(shmhub_stats, late_replies, 112, 8), F(shmhub_stats, rescues, 120, 8),
	F(shmhub_stats, peers_died, 128, 8), F(shmhub_stats, slots_swept, 136, 8),
	F(shmhub_stats, quarantined, 144, 8), F(shmhub_stats, punched_bytes, 152, 8),
	F(shmhub_stats, calls_pending, 160, 4), F(shmhub_stats, peers_live, 164, 4),
	F(shmhub_peer_stats, size, 0, 8), F(shmhub_peer_stats, messages_out, 8, 8),
	F(shmhub_peer_stats, messages_in, 16, 8), F(shmhub_peer_stats, bytes_out, 24, 8),
	F(shmhub_peer_stats, bytes_in, 32, 8), F(shmhub_peer_stats, bells, 40, 8),
	F(shmhub_peer_stats, sleeps, 48, 8), F(shmhub_peer_stats, full_waits, 56, 8),
	F(shmhub_peer_stats, alloc_failed, 64, 8), F(shmhub_peer_stats, no_space, 72, 8),
	F(shmhub_peer_stats, handled, 80, 8), F(shmhub_peer_stats, interrupted, 88, 8),
	F(shmhub_peer_stats, calls_pending, 96, 4),
	F(shmhub_writer, data, 0, 8), F(shmhub_writer, size, 8, 8), F(shmhub_writer, len, 16, 8),
	F(shmhub_writer, error, 24, 4),
	F(shmhub_reader, at, 0, 8), F(shmhub_reader, left, 8, 8), F(shmhub_reader, error, 16, 4),
};

TEST(a_field_of_a_public_struct_lies_where_0_1_has_it)
{
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		const struct place *p = &places[i];

		if (p->offset != p->want_offset || p->size != p->want_size)
			T_FAIL("%s: at %zu, %zu bytes; programs have it at %zu, %zu bytes", p->name,
			       p->offset, p->size, p->want_offset, p->want_size);
	}
}

TEST(the_structs_without_a_size_never_change_theirs)
{
	T_EQ(sizeof(struct shmhub_error), 804);
	T_EQ(sizeof(struct shmhub_msg), 248);
	T_EQ(sizeof(struct shmhub_buf), 48);
	T_EQ(sizeof(struct shmhub_class), 16);
	T_EQ(sizeof(struct shmhub_writer), 32);
	T_EQ(sizeof(struct shmhub_reader), 24);
}

/* ---- a library that knows more, or less, than its caller ------------------------------------- */

struct old {
	size_t size;
	uint64_t a;
};

struct new {
	size_t size;
	uint64_t a, b;
};

TEST(a_field_that_an_older_caller_does_not_know_keeps_its_default)
{
	const struct old from = { sizeof(from), 5 };
	struct new to = { .b = 7 };

	T_EQ(hub_abi_take(&to, &from, sizeof(struct old), sizeof(to), "it", NULL), 0);
	T_EQ(to.size, sizeof(to));
	T_EQ(to.a, 5);
	T_EQ(to.b, 7);
}

TEST(nothing_is_written_behind_what_an_older_caller_knows)
{
	const struct new from = { 0, 5, 6 };
	struct {
		struct old mine;
		uint64_t behind;
	} to = { { sizeof(struct old), 1 }, 9 };

	T_EQ(hub_abi_give(&to.mine, &from, sizeof(struct old), sizeof(from)), 0);
	T_EQ(to.mine.size, sizeof(struct old));
	T_EQ(to.mine.a, 5);
	T_EQ(to.behind, 9);
}

/* ---- sizes that make no sense: forgotten, of another struct, of a later library -------------- */

static const size_t wrong[] = { 0, 1, 8, 31, 4096, SIZE_MAX };

TEST(a_config_whose_size_makes_no_sense_is_refused_and_said)
{
	struct shmhub_config config;
	struct shmhub_error error;
	struct shmhub *hub;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		shmhub_config_init(&config);
		config.memfd = 1;
		config.size = wrong[i];
		T_EQ(shmhub_create(&config, &hub, &error), -EINVAL);
		T_HAS(error.text, "config: its size is");
		T_HAS(error.next, "sizeof");
	}
}

TEST(a_peer_whose_size_makes_no_sense_is_refused_before_anything_is_read)
{
	struct shmhub *hub = hub_live_create(NULL);
	struct shmhub_error error;
	unsigned id;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		const size_t size = wrong[i]; /* all there is: a look beyond it is the sanitizer's */
		struct shmhub_peer *peer;

		T_EQ(shmhub_spawn(hub, (const void *)&size, &id, &error), -EINVAL);
		T_HAS(error.text, "spawn: its size is");
		T_EQ(shmhub_peer_attach((const void *)&size, &peer, &error), -EINVAL);
		T_HAS(error.text, "peer config: its size is");
	}
	hub_live_destroy(hub);
}

TEST(arguments_are_not_written_into_a_config_of_unknown_size)
{
	char *args[] = { "p", "--hub-path=/x", "--peer-id=7", "--doorbell-fd=12", NULL };
	struct shmhub_error error;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct shmhub_peer_config config = { .size = wrong[i], .id = 3 };
		char *argv[] = { args[0], args[1], args[2], args[3], NULL };
		int argc = 4;

		T_EQ(shmhub_peer_args(&argc, argv, &config, &error), -EINVAL);
		T_EQ(config.id, 3);
	}
}

static void figures_of_a_peer(struct shmhub_request *request, void *arg)
{
	struct shmhub_peer_stats stats = { .calls_pending = 99 };
	int32_t bad = 0;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		stats.size = wrong[i];
		bad += shmhub_peer_stats_get(arg, &stats) != -EINVAL || stats.calls_pending != 99;
	}
	stats.size = sizeof(stats);
	bad += shmhub_peer_stats_get(arg, &stats) != 0 || stats.calls_pending != 0 ||
	       stats.size != sizeof(stats);
	shmhub_reply(request, bad ? -EPROTO : 0, &bad, sizeof(bad));
}

static int tells_its_figures(const struct shmhub_peer_config *config, void *arg)
{
	struct shmhub_peer *peer = hub_live_attach(config);

	(void)arg;
	shmhub_peer_handle(peer, 1, NULL, figures_of_a_peer, peer);
	return hub_live_run(peer);
}

TEST(figures_are_given_only_to_who_says_how_much_room_there_is)
{
	struct shmhub *hub = hub_live_create(NULL);
	const unsigned peer = hub_live_spawn(hub, "figures", tells_its_figures, NULL);
	struct shmhub_peer_info info = { .pid = 99 };
	struct shmhub_stats stats = { .calls = 99 };

	T_EQ(shmhub_call(hub, peer, 1, NULL, 0, 10000, NULL), 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		info.size = stats.size = wrong[i];
		T_EQ(shmhub_peer_get(hub, peer, &info), -EINVAL);
		T_EQ(info.pid, 99);
		T_EQ(shmhub_stats_get(hub, &stats), -EINVAL);
		T_EQ(stats.calls, 99);
	}
	info.size = sizeof(info);
	T_EQ(shmhub_peer_get(hub, 7, &info), -ENOENT);
	T_EQ(info.pid, 99);
	T_EQ(shmhub_peer_get(hub, peer, &info), 0);
	T_OK(info.pid != 99);
	T_EQ(info.size, sizeof(info));
	stats.size = sizeof(stats);
	T_EQ(shmhub_stats_get(hub, &stats), 0);
	T_EQ(stats.calls, 1);
	T_EQ(stats.size, sizeof(stats));
	hub_live_destroy(hub);
}
