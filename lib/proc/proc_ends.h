/*
 * proc_ends - who has a pipe, a socket or another file open: one pass over the open files of every
 * process, remembered, so that many questions cost one reading of /proc.
 *
 *	proc_ends_scan(&ends, 300000);
 *	n = proc_ends_who(&ends, "pipe:[1234]", PROC_ENDS_WRITERS, who, 8);
 *
 * Nothing is opened but directories of /proc: nobody notices. What may not be read, is hidden, or
 * was not reached in time is counted: that nobody is found does not mean that there is nobody,
 * unless proc_ends_is_all() says so.
 */
#ifndef SHMSCOPE_PROC_ENDS_H
#define SHMSCOPE_PROC_ENDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum proc_ends_mode { PROC_ENDS_ANY, PROC_ENDS_READERS, PROC_ENDS_WRITERS };

struct proc_end {
	pid_t pid;
	int fd;
	char name[32];
};

struct proc_ends_entry {
	uint64_t hash; /* of the link's text */
	pid_t pid;
	int fd;
};

struct proc_ends {
	struct proc_ends_entry *entry; /* by hash, pid, fd */
	size_t n, room;
	pid_t *session;        /* of the processes that may not be looked at */
	size_t refused, refused_room;
	bool is_hidden;        /* /proc does not show all processes (hidepid) */
	bool is_cut;           /* time or memory was over before the last process */
};

/*
 * proc_ends_scan - look at every process, for at most limit_us. What was known before is forgotten;
 * a zeroed struct will do.  proc_ends_fini - give it back; zeroes it.
 * Returns 0, or why /proc cannot be listed.
 * Safety: one-owner.
 */
int proc_ends_scan(struct proc_ends *ends, uint64_t limit_us);
void proc_ends_fini(struct proc_ends *ends);

/*
 * proc_ends_who - the processes that have it open, each once, by pid.
 *
 * link  as in /proc/PID/fd: "pipe:[1234]", "socket:[1234]", a path.
 * mode  how it has to be open.
 * Returns how many there are; the first `room` are in who[].
 * Safety: MT-safe on what nobody scans.
 */
size_t proc_ends_who(const struct proc_ends *ends, const char *link, enum proc_ends_mode mode,
		     struct proc_end *who, size_t room);

/*
 * proc_ends_is_all - nobody else has it open. Processes of other users that may not be looked at
 * count if they belong to the session of `pid`: they may have inherited what it has.
 * Safety: MT-safe on what nobody scans.
 */
bool proc_ends_is_all(const struct proc_ends *ends, pid_t pid);

#endif
