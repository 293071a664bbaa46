/*
 * dump_feed - the file that the dumps of this process image go to.
 *
 * DIR/COMM-PID-RANDOM.ndjson, created at the first dump: a process that is never dumped leaves
 * no file. DIR is what --feed or SHMSCOPE_FEED said, else the user's state directory, and where
 * that cannot be used (a daemon that gave up root, no home) /tmp/shmscope-UID/feeds. Directories
 * we make have mode 0700, the file 0600; a directory that belongs to somebody else is refused.
 * The file is opened O_EXCL under a random name and never followed through a link. Past
 * DUMP_FEED_MAX bytes it becomes NAME.1 (replacing the one before) and a new one begins.
 */
#ifndef SHMSCOPE_PRELOAD_DUMP_FEED_H
#define SHMSCOPE_PRELOAD_DUMP_FEED_H

#include <stdbool.h>
#include <stdint.h>

enum { DUMP_FEED_MAX = 64 << 20, DUMP_FEED_PATH = 512 };

struct dump_feed {
	int fd;        /* -1: closed */
	bool named;    /* path is that of this image's file */
	uint32_t segment;
	uint64_t bytes; /* of the file when it was opened */
	char path[DUMP_FEED_PATH];
};

/*
 * dump_feed_open - have the feed open for appending, in the calling thread's table.
 * is_new  set when the file has no first line yet.
 * Returns 0 or a negative errno.
 * Safety: AS-safe, one dump at a time; may block as open(2) does.
 */
int dump_feed_open(struct dump_feed *feed, bool *is_new);

/* dump_feed_close - the path stays known. Safety: AS-safe. */
void dump_feed_close(struct dump_feed *feed);

/* dump_feed_forget - for another image. Does not close: in a fork child the fd is not ours. */
void dump_feed_forget(struct dump_feed *feed);

#endif
