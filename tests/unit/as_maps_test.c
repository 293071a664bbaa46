#include "lib/as/as_maps.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/as/as_proc.h"
#include "tests/t.h"

static struct as_map parse(const char *line)
{
	struct as_map m;

	T_EQ(as_maps_parse(line, strlen(line), &m), 0);
	return m;
}

static void check_path(const struct as_map *m, const char *want)
{
	char path[256];

	T_OK(m->path_len < sizeof(path));
	memcpy(path, m->path, m->path_len);
	path[m->path_len] = '\0';
	T_STR(path, want);
}

TEST(every_kind_of_line_is_understood)
{
	struct as_map m = parse("7fcdbda9a000-7fcdbdbf0000 r-xp 00026000 fe:01 332835                     "
				"/usr/lib/x86_64-linux-gnu/libc.so.6");

	T_EQ(m.start, 0x7fcdbda9a000);
	T_EQ(m.end, 0x7fcdbdbf0000);
	T_EQ(m.perms, AS_MAP_READ | AS_MAP_EXEC);
	T_EQ(m.offset, 0x26000);
	T_EQ(m.dev_major, 0xfe);
	T_EQ(m.dev_minor, 1);
	T_EQ(m.inode, 332835);
	T_EQ(m.kind, AS_MAP_FILE);
	T_EQ(m.deleted, 0);
	check_path(&m, "/usr/lib/x86_64-linux-gnu/libc.so.6");

	m = parse("7f0000000000-7f0000001000 rw-s 00000000 00:05 9 /dev/shm/my hub (deleted)");
	T_EQ(m.perms, AS_MAP_READ | AS_MAP_WRITE | AS_MAP_SHARED);
	T_EQ(m.deleted, 1);
	check_path(&m, "/dev/shm/my hub");

	m = parse("7f0000000000-7f0000001000 rw-s 00000000 00:01 9 /memfd:jit (deleted)");
	T_EQ(m.kind, AS_MAP_MEMFD);
	T_EQ(m.deleted, 1);
	m = parse("7f0000000000-7f0000001000 rwxp 00000000 00:00 0 ");
	T_EQ(m.kind, AS_MAP_ANON);
	T_EQ(m.perms, AS_MAP_READ | AS_MAP_WRITE | AS_MAP_EXEC);
	T_EQ(parse("7ffea4d6a000-7ffea4d8b000 rw-p 00000000 00:00 0   [stack]").kind, AS_MAP_STACK);
	T_EQ(parse("561f0b5bf000-561f0b5e0000 rw-p 00000000 00:00 0   [heap]").kind, AS_MAP_HEAP);
	T_EQ(parse("7fcdbdc69000-7fcdbdc6b000 r-xp 00000000 00:00 0   [vdso]").kind, AS_MAP_VDSO);
	T_EQ(parse("7fcdbdc69000-7fcdbdc6b000 r--p 00000000 00:00 0   [vvar]").kind, AS_MAP_OTHER);
	T_EQ(parse("ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]").kind,
	     AS_MAP_OTHER);
}

TEST(a_line_of_another_form_is_refused)
{
	static const char *const lines[] = {
		"", "x", "7f00", "7f00-", "7f00-8000", "8000-7f00 r-xp 0 0:0 0", "7f00-8000 r-x",
		"7f00-8000 r-xp 0 00-00 1 /x", "7f00-8000 r-xp zz 00:00 1 /x",
		"11111111111111111-22222222222222222 r-xp 0 00:00 1",
	};
	struct as_map m;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		T_EQ(as_maps_parse(lines[i], strlen(lines[i]), &m), -EBADMSG);
}

struct seen {
	unsigned count;
	uint64_t sum;
	bool has_long, long_is_cut;
};

static struct seen walk(size_t room)
{
	static char buf[1 << 16];
	const int fd = as_proc_open(0);
	struct seen seen = { .count = 0 };
	struct as_maps r;
	struct as_map m;
	int more;

	T_EQ(as_maps_open(&r, fd, 0, buf, room), 0);
	while ((more = as_maps_next(&r, &m)) > 0) {
		seen.count++;
		seen.sum += m.start * 3 + m.end * 5 + m.offset + m.inode + m.perms;
		if (m.path_len > 200) {
			seen.has_long = true;
			seen.long_is_cut = m.path_cut;
		}
	}
	T_EQ(more, 0);
	T_EQ(r.bad_lines, 0);
	as_maps_close(&r);
	close(fd);
	return seen;
}

TEST(a_small_buffer_reads_the_same_mappings_as_a_large_one)
{
	char name[250];

	/* one line longer than the small buffer, in the middle of the file */
	memset(name, '\n', sizeof(name) - 1); /* four characters each in maps: \012 */
	name[sizeof(name) - 1] = '\0';
	const int fd = memfd_create(name, 0);

	T_EQ(ftruncate(fd, 4096), 0);
	T_OK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED);
	const struct seen large = walk(1 << 16), small = walk(AS_MAPS_ROOM_MIN);

	T_OK(large.count > 10);
	T_EQ(small.count, large.count);
	T_EQ(small.sum, large.sum);
	T_OK(large.has_long && !large.long_is_cut);
	T_OK(small.has_long && small.long_is_cut);
}

TEST(a_process_that_is_gone_has_no_maps)
{
	char buf[1024];
	struct as_maps r;

	T_OK(as_maps_open(&r, -1, 0, buf, sizeof(buf)) < 0);
	as_maps_close(&r);
}
