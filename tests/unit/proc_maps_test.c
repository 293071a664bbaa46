#include "lib/proc/proc_maps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/t.h"

TEST(a_mapped_library_is_found_by_name_and_a_similar_name_is_not)
{
	T_EQ(proc_maps_has(getpid(), "libc.so.6", NULL), 1);
	T_EQ(proc_maps_has(getpid(), "libc.so", NULL), 0);
	T_EQ(proc_maps_has(getpid(), "c.so.6", NULL), 0);
	T_EQ(proc_maps_has(getpid(), "nothing.so", NULL), 0);
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
