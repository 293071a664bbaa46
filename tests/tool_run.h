/*
 * tool_run - run one of our programs as a user would, and keep what it says.
 *
 *	struct tool_run t = tool_run("shminspect --json '%s'", path);
 *	T_EQ(t.status, 1); T_HAS(t.out, "missed-wakeup"); tool_end(&t);
 */
#ifndef SHMSCOPE_TESTS_TOOL_RUN_H
#define SHMSCOPE_TESTS_TOOL_RUN_H

struct tool_run {
	int status;      /* exit status; 128 + signal */
	char *out, *err; /* everything it wrote */
};

/* Found in $B/bin; runs in the repository's root. */
struct tool_run tool_run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void tool_end(struct tool_run *t);

#endif
