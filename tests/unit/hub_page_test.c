/*
 * hub.5 against hub_format.h: every field of every struct, with its offset and size as the
 * compiler has it. The list below has no gaps, so a field that is added to a struct and not to
 * the list, or not to the page, fails here.
 */
#include "lib/hub/hub_format.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/t.h"

#define F(s, f) { #f, offsetof(struct s, f), sizeof(((struct s *)0)->f) }

static const struct layout {
	const char *name;
	size_t bytes;
	struct field {
		const char *name;
		size_t offset, size;
	} field[48];
} layouts[] = {
	{ "hub_section", sizeof(struct hub_section), {
		F(hub_section, kind),
		F(hub_section, index),
		F(hub_section, offset),
		F(hub_section, stride),
		F(hub_section, count),
	} },
	{ "hub_header", sizeof(struct hub_header), {
		F(hub_header, magic),
		F(hub_header, byte_order),
		F(hub_header, version),
		F(hub_header, header_bytes),
		F(hub_header, page_bytes),
		F(hub_header, writer),
		F(hub_header, boot_id),
		F(hub_header, host_pid),
		F(hub_header, pid_ns),
		F(hub_header, host_start),
		F(hub_header, created_ns),
		F(hub_header, created_real_ns),
		F(hub_header, file_bytes),
		F(hub_header, peers_max),
		F(hub_header, ring_cells),
		F(hub_header, classes),
		F(hub_header, calls_max),
		F(hub_header, section_count),
		F(hub_header, uid),
		F(hub_header, id),
		F(hub_header, notify_window),
		F(hub_header, body_window),
		F(hub_header, reserved),
		F(hub_header, crc),
		F(hub_header, reserved2),
		F(hub_header, section),
	} },
	{ "hub_host", sizeof(struct hub_host), {
		F(hub_host, last_alive_ns),
		F(hub_host, last_alive_real_ns),
		F(hub_host, stopping),
		F(hub_host, calls_pending),
		F(hub_host, calls_waited),
		F(hub_host, calls_refused),
		F(hub_host, no_space),
		F(hub_host, no_space_ns),
		F(hub_host, peers_died),
		F(hub_host, slots_swept),
		F(hub_host, punched_bytes),
		F(hub_host, quarantined),
		F(hub_host, spin_ns),
		F(hub_host, tick),
		F(hub_host, late_replies),
		F(hub_host, slot_rescues),
		F(hub_host, calls_made),
		F(hub_host, answers_spilled),
		F(hub_host, is_crowded),
		F(hub_host, reserved),
	} },
	{ "hub_peer", sizeof(struct hub_peer), {
		F(hub_peer, state),
		F(hub_peer, id),
		F(hub_peer, incarnation),
		F(hub_peer, pid),
		F(hub_peer, exit_status),
		F(hub_peer, start),
		F(hub_peer, started_ns),
		F(hub_peer, died_ns),
		F(hub_peer, died_real_ns),
		F(hub_peer, host_bell_inode),
		F(hub_peer, peer_bell_inode),
		F(hub_peer, host_bell_fd),
		F(hub_peer, peer_bell_fd),
		F(hub_peer, name),
		F(hub_peer, restarts),
		F(hub_peer, reserved0),
		F(hub_peer, slots_limit_hits),
		F(hub_peer, reserved1),
		F(hub_peer, beat),
		F(hub_peer, loop_tid),
		F(hub_peer, reserved2),
		F(hub_peer, handled),
		F(hub_peer, alloc_failed),
		F(hub_peer, no_space),
		F(hub_peer, too_large),
		F(hub_peer, too_large_bytes),
		F(hub_peer, reserved3),
		F(hub_peer, peer_asleep),
		F(hub_peer, peer_asleep_ms),
		F(hub_peer, peer_wants),
		F(hub_peer, reserved4),
		F(hub_peer, host_asleep),
		F(hub_peer, host_asleep_ms),
		F(hub_peer, host_asleep_tid),
		F(hub_peer, reserved5),
		F(hub_peer, host_beat),
		F(hub_peer, host_alloc_failed),
		F(hub_peer, slots_held),
		F(hub_peer, calls_pending),
		F(hub_peer, host_handler_tid),
		F(hub_peer, reserved6),
		F(hub_peer, host_too_large),
		F(hub_peer, host_too_large_bytes),
		F(hub_peer, reserved8),
		F(hub_peer, reserved7),
	} },
	{ "hub_ring", sizeof(struct hub_ring), {
		F(hub_ring, head),
		F(hub_ring, sending),
		F(hub_ring, bell_ms),
		F(hub_ring, messages),
		F(hub_ring, bytes),
		F(hub_ring, bells),
		F(hub_ring, bell_head),
		F(hub_ring, full_waits),
		F(hub_ring, full),
		F(hub_ring, tail),
		F(hub_ring, taken),
		F(hub_ring, taken_bytes),
		F(hub_ring, sleeps),
		F(hub_ring, rescues),
		F(hub_ring, take_ms),
		F(hub_ring, reserved0),
		F(hub_ring, refused),
		F(hub_ring, handled),
	} },
	{ "hub_cell", sizeof(struct hub_cell), {
		F(hub_cell, word),
		F(hub_cell, time_ms),
		F(hub_cell, call),
		F(hub_cell, kind),
		F(hub_cell, flags),
		F(hub_cell, method),
		F(hub_cell, len),
		F(hub_cell, slot),
		F(hub_cell, slot_gen),
		F(hub_cell, aux),
		F(hub_cell, peer),
		F(hub_cell, payload),
	} },
	{ "hub_call", sizeof(struct hub_call), {
		F(hub_call, word),
		F(hub_call, id),
		F(hub_call, method),
		F(hub_call, enqueued_peer),
		F(hub_call, enqueued_at),
		F(hub_call, started_ns),
		F(hub_call, caller_tid),
		F(hub_call, deadline_ms),
		F(hub_call, bytes),
		F(hub_call, frames),
		F(hub_call, for_call),
		F(hub_call, for_peer),
		F(hub_call, reserved),
	} },
	{ "hub_method", sizeof(struct hub_method), {
		F(hub_method, method),
		F(hub_method, reserved),
		F(hub_method, name),
		F(hub_method, calls),
		F(hub_method, failed),
		F(hub_method, bucket),
	} },
	{ "hub_class", sizeof(struct hub_class), {
		F(hub_class, bytes),
		F(hub_class, slots_first),
		F(hub_class, slots_max),
		F(hub_class, slots),
		F(hub_class, waiters),
		F(hub_class, backed_unit),
		F(hub_class, grown),
		F(hub_class, slots_answers),
		F(hub_class, reserved),
		F(hub_class, claims),
		F(hub_class, failed),
		F(hub_class, no_space),
		F(hub_class, punched),
		F(hub_class, hint),
		F(hub_class, reserved0),
		F(hub_class, upward),
		F(hub_class, reserved1),
	} },
	{ "hub_slot", sizeof(struct hub_slot), {
		F(hub_slot, word),
		F(hub_slot, time_ms),
		F(hub_slot, bytes),
		F(hub_slot, call),
		F(hub_slot, method),
		F(hub_slot, reserved),
	} },
};
enum { LAYOUTS = sizeof(layouts) / sizeof(layouts[0]) };

static const char page_path[] = "lib/hub/hub.5";

TEST(the_list_of_this_test_has_every_byte_of_every_struct)
{
	for (size_t i = 0; i < LAYOUTS; i++) {
		const struct layout *l = &layouts[i];
		size_t end = 0;

		for (const struct field *f = l->field; f->name; f++) {
			if (f->offset != end)
				T_FAIL("struct %s: before %s: bytes %zu to %zu are no field of the list",
				       l->name, f->name, end, f->offset);
			end = f->offset + f->size;
		}
		if (end != l->bytes)
			T_FAIL("struct %s: bytes %zu to %zu are no field of the list", l->name, end,
			       l->bytes);
	}
}

/* The lines of the page's table about a struct: from its comment to the end of its list. */
static FILE *table_of(const struct layout *l)
{
	FILE *page = fopen(page_path, "r");
	char line[512], want[64];

	if (!page)
		T_FAIL("%s: cannot be opened", page_path);
	snprintf(want, sizeof(want), ".\\\" struct %s\n", l->name);
	while (fgets(line, sizeof(line), page))
		if (strcmp(line, want) == 0)
			return page;
	T_FAIL("%s has no table of struct %s", page_path, l->name);
}

TEST(the_page_tells_offset_size_and_name_of_every_field)
{
	for (size_t i = 0; i < LAYOUTS; i++) {
		const struct layout *l = &layouts[i];
		const struct field *f = l->field;
		FILE *page = table_of(l);
		size_t offset, size;
		char line[512], name[64];
		bool open = false;

		while (fgets(line, sizeof(line), page) && strcmp(line, ".El\n") != 0) {
			if (strncmp(line, ".Bl -tag", 8) == 0)
				open = true;
			if (sscanf(line, ".It \"%zu %zu\" Va %63s", &offset, &size, name) != 3)
				continue;
			if (!f->name)
				T_FAIL("%s: struct %s has no field %s", page_path, l->name, name);
			if (strcmp(f->name, name) != 0 || f->offset != offset || f->size != size)
				T_FAIL("%s: struct %s: \"%zu %zu %s\", but the compiler has \"%zu %zu %s\"",
				       page_path, l->name, offset, size, name, f->offset, f->size, f->name);
			f++;
		}
		T_OK(open);
		if (f->name)
			T_FAIL("%s: struct %s: no word about %s", page_path, l->name, f->name);
		while (fgets(line, sizeof(line), page) && sscanf(line, "%zu bytes", &size) != 1)
			;
		fclose(page);
		if (size != l->bytes)
			T_FAIL("%s: struct %s: %zu bytes, but the compiler has %zu", page_path, l->name,
			       size, l->bytes);
	}
}

TEST(the_page_lists_every_kind_of_section_with_its_number)
{
	static const char *const kind[] = { NULL, "HOST", "PEERS", "RINGS", "CALLS", "PEERCALLS",
					    "METHODS", "CLASSES", "SLOTS", "BACKED", "PAYLOAD" };
	FILE *page = fopen(page_path, "r");
	char line[512], name[64];
	unsigned n, seen = 0;

	_Static_assert(HUB_SECTION_PAYLOAD == 10, "the list above has all kinds");
	T_OK(page != NULL);
	while (fgets(line, sizeof(line), page))
		if (sscanf(line, ".It %u %63[A-Z]", &n, name) == 2) {
			T_EQ(n, seen + 1);
			T_OK(n <= HUB_SECTION_PAYLOAD);
			T_STR(name, kind[n]);
			seen = n;
		}
	fclose(page);
	T_EQ(seen, HUB_SECTION_PAYLOAD);
}
