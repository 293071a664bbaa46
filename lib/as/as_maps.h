/*
 * as_maps - /proc/PID/maps, one mapping at a time, through a fixed buffer.
 *
 *	struct as_maps r;
 *	struct as_map m;
 *	int more;
 *
 *	int err = as_maps_open(&r, proc_fd, 0, buf, sizeof(buf));
 *	while (!err && (more = as_maps_next(&r, &m)) > 0) ...
 *	as_maps_close(&r);
 *
 * The kernel writes a page at a time, so a process that maps and unmaps meanwhile may show a
 * mapping cut or twice: mappings that do not lie above the one before are left out.
 */
#ifndef SHMSCOPE_AS_MAPS_H
#define SHMSCOPE_AS_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum as_map_kind {
	AS_MAP_ANON,  /* no name: heap of threads, stacks of threads, JIT code */
	AS_MAP_FILE,
	AS_MAP_MEMFD,
	AS_MAP_HEAP,  /* [heap] */
	AS_MAP_STACK, /* [stack], of the first thread */
	AS_MAP_VDSO,
	AS_MAP_OTHER, /* [vvar], [vsyscall], [anon:...] and what later kernels invent */
};

enum { AS_MAP_READ = 1, AS_MAP_WRITE = 2, AS_MAP_EXEC = 4, AS_MAP_SHARED = 8 };

struct as_map {
	uint64_t start, end;
	uint64_t offset; /* in the file */
	uint64_t inode;
	uint32_t dev_major, dev_minor;
	uint8_t perms; /* AS_MAP_READ | ... */
	uint8_t kind;  /* enum as_map_kind */
	bool deleted;  /* the file has no name any more */
	bool path_cut; /* the path was longer than the reader's buffer */
	const char *path; /* in the reader's buffer until the next call; not terminated */
	size_t path_len;  /* without " (deleted)" */
};

enum { AS_MAPS_ROOM_MIN = 512 };

struct as_maps {
	int fd;
	char *buf;
	size_t room;
	size_t at, len; /* buf[at..len) is read and not yet parsed */
	bool at_end;
	bool in_line; /* the rest of a line longer than the buffer is still to be dropped */
	uint64_t last_end;
	uint64_t bad_lines; /* lines that were not of the form expected */
};

/*
 * as_maps_open - begin at the first mapping.
 * proc_fd  of as_proc_open(), borrowed.
 * tid      0, or a thread of it: the file of a first thread that has ended is empty.
 * buf, room  borrowed until as_maps_close(); at least AS_MAPS_ROOM_MIN bytes, 4 KiB and more save
 * system calls.
 * Returns 0 or a negative errno; as_maps_close() may be called either way.
 * Safety: AS-safe, one-owner; may block while the target's memory map is locked.
 */
int as_maps_open(struct as_maps *r, int proc_fd, pid_t tid, char *buf, size_t room);

/*
 * as_maps_next - the next mapping.
 * Returns 1 with *m filled, 0 at the end, a negative errno when reading fails.
 * Safety: as as_maps_open().
 */
int as_maps_next(struct as_maps *r, struct as_map *m);

/* as_maps_close - Safety: AS-safe, one-owner. */
void as_maps_close(struct as_maps *r);

/*
 * as_maps_parse - one line of the file, without its line end.
 * Returns 0 or -EBADMSG. m->path points into the line.
 * Safety: AS-safe, MT-safe, wait-free.
 */
int as_maps_parse(const char *line, size_t n, struct as_map *m);

#endif
