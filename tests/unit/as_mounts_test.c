#include "lib/as/as_mounts.h"

#include <string.h>

#include "tests/t.h"

static bool parse(const char *line, struct as_mount *m)
{
	return as_mounts_parse(line, strlen(line), m);
}

TEST(a_line_of_mountinfo_tells_device_place_and_type)
{
	struct as_mount m;

	T_OK(parse("36 35 0:52 / /mnt/sshfs rw,noatime shared:1 master:2 - fuse.sshfs host:/ rw,user_id=0", &m));
	T_EQ(m.dev_major, 0);
	T_EQ(m.dev_minor, 52);
	T_EQ(m.point_len, 10);
	T_OK(memcmp(m.point, "/mnt/sshfs", 10) == 0);
	T_OK(as_mounts_is_served(&m));
	T_OK(parse("21 1 8:1 / / rw - ext4 /dev/sda1 rw", &m));
	T_EQ(m.dev_major, 8);
	T_EQ(m.point_len, 1);
	T_OK(!as_mounts_is_served(&m));
}

TEST(those_that_a_server_or_a_program_answers_for_are_known_by_their_type)
{
	const struct {
		const char *line;
		bool served;
	} is[] = { { "1 2 0:3 / /a rw - nfs4 s:/ rw", true },    { "1 2 0:3 / /a rw - fuse x rw", true },
		   { "1 2 8:3 / /a rw - fuseblk x rw", true },   { "1 2 0:3 / /a rw - cifs //s/x rw", true },
		   { "1 2 0:3 / /a rw - fusectl x rw", false },  { "1 2 0:3 / /a rw - tmpfs x rw", false },
		   { "1 2 0:3 / /a rw - nfsd x rw", false },     { "1 2 0:3 / /a rw - overlay x rw", false } };
	struct as_mount m;

	for (size_t i = 0; i < sizeof(is) / sizeof(is[0]); i++) {
		T_OK(parse(is[i].line, &m));
		T_EQ(as_mounts_is_served(&m), is[i].served);
	}
}

TEST(what_is_no_such_line_is_none)
{
	static const char *const bad[] = { "", "36", "36 35", "36 35 0:52", "36 35 0-52 / /mnt rw - fuse x rw",
					   "36 35 0:52 / /mnt rw shared:1", "36 35 0:52 / /mnt rw -" };
	struct as_mount m;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		T_OK(!parse(bad[i], &m));
}
