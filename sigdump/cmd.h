/*
 * cmd - the commands of sigdump, and what they share.
 */
#ifndef SHMSCOPE_SIGDUMP_CMD_H
#define SHMSCOPE_SIGDUMP_CMD_H

#include <stdbool.h>

#include "lib/base/err.h"
#include "lib/base/opt.h"

/* Exit codes, the same in every tool. */
enum {
	CMD_DONE = 0,
	CMD_USAGE = 2,
	CMD_NO_TARGET = 3, /* target missing, or no permission */
	CMD_BAD_INPUT = 4,
	CMD_NO_ANSWER = 5, /* not in time, or it vanished */
	CMD_NOT_STARTED = 126,
	CMD_NOT_FOUND = 127,
};

/* What a command is called by: argv[0] is its name. Returns the exit code. */
int cmd_run(int argc, char **argv);
int cmd_dump(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_status(int argc, char **argv);

extern const struct opt_page cmd_run_page, cmd_dump_page, cmd_list_page, cmd_status_page;

/* cmd_fail - print the error; returns `code`. */
int cmd_fail(const struct err *err, int code);

/*
 * cmd_common - what every command does with OPT_HELP, OPT_HELP_SHORT, OPT_VERSION and OPT_WRONG.
 * Returns true when `id` was one of them: *code is then the exit code.
 */
bool cmd_common(int id, const struct opt_page *page, const struct err *err, int *code);

#endif
