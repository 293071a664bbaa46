#include "tests/t.h"

#include <errno.h>
#include <string.h>

#include "lib/hub/hub_check.h"
#include "lib/hub/hub_layout.h"

static int make(struct shmhub_config *c, uint64_t limit, struct hub_layout *l, struct err *err)
{
	return hub_layout_make(c, limit, l, err);
}

TEST(defaults_are_those_of_the_manual)
{
	static const uint32_t bytes[] = { 1024, 16384, 262144, 4194304, 16777216 };
	static const uint32_t first[] = { 1024, 256, 32, 8, 4 };
	struct shmhub_config c = { 0 };
	struct hub_layout l;
	struct err err;

	T_EQ(make(&c, INT64_MAX, &l, &err), 0);
	T_EQ(l.header.peers_max, 32);
	T_EQ(l.header.ring_cells, 256);
	T_EQ(l.header.calls_max, 8192);
	T_EQ(l.header.classes, 5);
	for (int i = 0; i < 5; i++) {
		T_EQ(l.klass[i].bytes, bytes[i]);
		T_EQ(l.klass[i].first, first[i]);
		T_EQ(l.klass[i].max, 16 * first[i]);
	}
}

TEST(tables_lie_in_the_file_aligned_and_apart)
{
	struct shmhub_config c = { .peers_max = 1024, .ring_cells = 16 };
	struct hub_layout l;
	struct err err;

	T_EQ(make(&c, INT64_MAX, &l, &err), 0);
	uint64_t end = HUB_PAGE;

	for (unsigned i = 0; i < l.header.section_count; i++) {
		const struct hub_section *s = &l.header.section[i];

		T_EQ(s->offset % HUB_PAGE, 0);
		T_OK(s->offset >= end);
		T_OK(s->count > 0);
		end = s->offset + s->stride * s->count;
	}
	T_OK(end <= l.header.file_bytes);
	/* the judge of headers agrees */
	struct hub_header out;

	l.header.crc = hub_check_crc(&l.header);
	T_EQ(hub_check_header("x", &l.header, sizeof(l.header), l.header.file_bytes, &out, NULL, &err), 0);
}

TEST(a_wrong_configuration_is_refused_with_the_field_that_is_wrong)
{
	static const struct {
		struct shmhub_config c;
		const char *says;
	} bad[] = {
		{ { .peers_max = 1025 }, "peers_max is 1025 (allowed: 1 to 1024)" },
		{ { .ring_cells = 8 }, "ring_cells is 8 (allowed: 16 to 65536)" },
		{ { .ring_cells = 100 }, "ring_cells is 100 (a power of two is needed)" },
		{ { .calls_max = 40000 }, "calls_max is 40000" },
		{ { .class_count = 17 }, "class_count is 17" },
		{ { .class_count = 1, .classes = { { 1000, 1, 1 } } }, "class of 1000 bytes" },
		{ { .class_count = 2, .classes = { { 4096, 1, 1 }, { 1024, 1, 1 } } },
		  "class of 1024 bytes" },
		{ { .class_count = 1, .classes = { { 1024, 0, 1 } } }, "0 slots growing to 1" },
		{ { .class_count = 1, .classes = { { 1024, 9, 8 } } }, "9 slots growing to 8" },
		{ { .limit = 1000 }, "limit is 1000 bytes" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct shmhub_config c = bad[i].c;
		struct hub_layout l;
		struct err err = { 0 };

		T_EQ(make(&c, INT64_MAX, &l, &err), -EINVAL);
		T_HAS(err.text, bad[i].says);
	}
}

TEST(the_limit_sets_how_far_classes_grow)
{
	struct shmhub_config c = { .limit = 3 * ((1024 << 10) + (256 << 14) + (32 << 18) + (8 << 22) +
						 (4 << 24)) };
	struct hub_layout l;
	struct err err;

	T_EQ(make(&c, INT64_MAX, &l, &err), 0);
	T_EQ(l.klass[0].max, 3 * 1024);
	T_EQ(l.klass[4].max, 12);
}

TEST(a_small_file_size_limit_makes_a_smaller_hub)
{
	struct shmhub_config c = { 0 };
	struct hub_layout l;
	struct err err;

	T_EQ(make(&c, 64 << 20, &l, &err), 0);
	T_OK(l.header.file_bytes <= 64 << 20);
	T_OK(l.klass[0].first > 0 && l.klass[0].max >= l.klass[0].first);
	T_EQ(make(&c, 8 << 20, &l, &err), 0);
	T_OK(l.header.file_bytes <= 8 << 20);
	T_OK(l.header.classes < 5); /* 16 MiB slots do not fit into 8 MiB */
	T_EQ(make(&c, 65536, &l, &err), -EFBIG);
	T_HAS(err.text, "ulimit -f");
}
