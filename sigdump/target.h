/*
 * target - a process that shall be dumped: what is known of it, and asking its dumper.
 */
#ifndef SHMSCOPE_SIGDUMP_TARGET_H
#define SHMSCOPE_SIGDUMP_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/as/as_control.h"
#include "lib/as/as_proc.h"
#include "lib/base/err.h"

enum { TARGET_NAME = 64 };

struct target {
	pid_t pid;
	int proc_fd;
	char name[TARGET_NAME];         /* as registered, else its comm; printable */
	struct as_proc_stat stat;
	struct as_control_found found;
	int find_error;                 /* of as_control_find(), 0 */
	bool hidden;                    /* the kernel hides it from its own user, and its own dumper */
	struct as_control_link link;
	bool is_open;                   /* link can be used */
	bool asked;                     /* by us, with `ticket` */
	bool outside;                   /* nobody in it can be asked: to be looked at from here */
	bool told;                      /* by its parent's dumper */
	bool child;                     /* not asked for by name: its parent's dumper listed it */
	uint32_t ticket;
	bool answered;
	struct as_control answer;       /* the page when it had answered */
};

/*
 * target_init - look at a process. t filled; target_fini() it.
 * Returns 0 (what the control page is about stands in find_error); -ESRCH, -EACCES.
 * Safety: one-owner.
 */
int target_init(struct target *t, pid_t pid, struct err *err);
void target_fini(struct target *t);

/* target_is_stopped - it is stopped or traced: its dumper cannot run. Safety: one-owner. */
bool target_is_stopped(const struct target *t);

/*
 * target_has_stacks - false, with err set, for what has none of the user's: a process that has
 * ended and waits for its parent, a thread of the kernel. Safety: one-owner.
 */
bool target_has_stacks(const struct target *t, struct err *err);

/*
 * target_refused - why we may not look at it, after -EACCES or -EPERM: whose it is, or what rights it
 * has. Returns code. Safety: one-owner.
 */
int target_refused(const struct target *t, int code, struct err *err);

/*
 * target_ask - ask its dumper for a dump that carries `family`.
 * Returns 0; -ENOENT when it has no dumper; -ESTALE, -EACCES, ... with err set.
 * Safety: one-owner.
 */
int target_ask(struct target *t, uint64_t family, struct err *err);

/*
 * target_wait - until it has answered with a dump of this family, was found dead, or
 * `deadline_ns` of CLOCK_MONOTONIC has passed.
 * Returns 0 with t->answer set; -ETIMEDOUT or -ESRCH with err saying what is known; -EAGAIN when
 * it was stopped meanwhile: look from outside.
 * Safety: one-owner; blocks.
 */
int target_wait(struct target *t, uint64_t family, uint64_t deadline_ns, uint64_t began_ns,
		struct err *err);

/*
 * target_feed - the path by which we can open the feed that its page names: it may have another root,
 * or mounts of its own. Safety: one-owner.
 */
void target_feed(const struct target *t, char *path, size_t room);

/* A growing list of them. */
struct targets {
	struct target *list;
	size_t n, room;
};

/* targets_add - unless it is in the list. Returns the new one; NULL with err set when it could
 * not be looked at, NULL with err->code 0 when it was there. Safety: one-owner. */
struct target *targets_add(struct targets *all, pid_t pid, struct err *err);
void targets_fini(struct targets *all);

#endif
