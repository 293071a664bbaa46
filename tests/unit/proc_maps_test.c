#include "lib/proc/proc_maps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/t.h"

TEST(a_line_is_read_with_blanks_in_its_path)
{
	struct proc_map map;

	T_OK(proc_maps_parse("7f12a000-7f12c000 r-xp 00001000 08:01 393  /a b/lib c.so (deleted)",
			     &map));
	T_EQ(map.start, 0x7f12a000);
	T_EQ(map.end, 0x7f12c000);
	T_EQ(map.offset, 0x1000);
	T_EQ(map.inode, 393);
	T_STR(map.perms, "r-xp");
	T_STR(map.path, "/a b/lib c.so (deleted)");
	T_OK(proc_maps_parse("7f12a000-7f12c000 rw-p 00000000 00:00 0 ", &map));
	T_STR(map.path, "");
	T_OK(!proc_maps_parse("7f12c000-7f12a000 rw-p 00000000 00:00 0 ", &map));
	T_OK(!proc_maps_parse("", &map));
	T_OK(!proc_maps_parse("ffff-", &map));
}

TEST(a_mapped_library_is_found_by_name_and_a_similar_name_is_not)
{
	T_EQ(proc_maps_has(getpid(), "libc.so.6", NULL), 1);
	T_EQ(proc_maps_has(getpid(), "libc.so", NULL), 0);
	T_EQ(proc_maps_has(getpid(), "c.so.6", NULL), 0);
	T_EQ(proc_maps_has(0x3fffffff, "libc.so.6", NULL), -ESRCH);
}

TEST(a_deleted_file_is_found_under_its_old_path)
{
	const char *dir = getenv("TMPDIR");
	char path[256];
	uint64_t start, end;

	snprintf(path, sizeof(path), "%s/gone.%d", dir ? dir : "/tmp", (int)getpid());
	const int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	T_OK(fd >= 0);
	T_EQ(ftruncate(fd, 8192), 0);
	const void *at = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
	unlink(path);
	T_EQ(proc_maps_find(getpid(), path, &start, &end, NULL), 0);
	T_EQ(start, (uintptr_t)at);
	T_EQ(end - start, 8192);
	path[strlen(path) - 1] ^= 1;
	T_EQ(proc_maps_find(getpid(), path, &start, &end, NULL), -ENOENT);
}
