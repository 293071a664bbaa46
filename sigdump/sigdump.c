#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/complete.h"
#include "lib/base/outfile.h"
#include "sigdump/cmd.h"

enum { OPT_COMPLETION = 1 };

static const struct opt options[] = {
	{ 0, "completion", "SHELL", NULL, NULL, OPT_COMPLETION },
	{ 0, NULL, NULL, NULL, NULL, 0 },
};

static const struct opt_page page = {
	.tool = "sigdump",
	.does = "stacks and transport state of running programs, also of those that hang",
	.usage = "run [OPTIONS] -- COMMAND [ARG...]\n"
		 "dump [-p PID... | -H HUB | -a] [OPTIONS]\n"
		 "list [OPTIONS]\n"
		 "status -p PID [OPTIONS]",
	.examples = "  sigdump run -- ./server -p 80     start a program with the library\n"
		    "  sigdump dump -p 4112              what is each of its threads doing?\n"
		    "  sigdump dump -H /dev/shm/app.hub  the same for a host and all its peers\n",
	.options = options,
};

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "run", cmd_run },
	{ "dump", cmd_dump },
	{ "list", cmd_list },
	{ "status", cmd_status },
};

int cmd_fail(const struct err *err, int code)
{
	if (code == CMD_USAGE)
		err_print_usage(stderr, "sigdump", err);
	else
		err_print(stderr, "sigdump", "error", err);
	return code;
}

bool cmd_common(int id, const struct opt_page *p, const struct err *err, int *code)
{
	switch (id) {
	case OPT_HELP:
	case OPT_HELP_SHORT:
		opt_help(stdout, p, id == OPT_HELP_SHORT);
		*code = CMD_DONE;
		return true;
	case OPT_VERSION:
		opt_version(stdout, p);
		*code = CMD_DONE;
		return true;
	case OPT_WRONG:
		*code = cmd_fail(err, CMD_USAGE);
		return true;
	default:
		return false;
	}
}

static int put_completion(const char *shell)
{
	const struct opt_page *pages[] = { &page, &cmd_run_page, &cmd_dump_page, &cmd_list_page,
					   &cmd_status_page };
	struct err err;

	if (complete_write(stdout, shell, pages, sizeof(pages) / sizeof(*pages), &err))
		return cmd_fail(&err, CMD_USAGE);
	return CMD_DONE;
}

static int without_command(int argc, char **argv)
{
	struct opt_walk w;
	struct err err;
	int code;

	opt_begin(&w, &page, argc, argv);
	w.stop_early = 1;
	const int id = opt_next(&w, &err);
	if (id == OPT_WRONG && strchr("pHa", argv[1][1]))
		err_next(&err, "sigdump dump %s ...", argv[1]);
	if (cmd_common(id, &page, &err, &code))
		return code;
	if (id == OPT_COMPLETION)
		return put_completion(w.arg);
	err_set(&err, -EINVAL, "no command given");
	err_next(&err, "one of run, dump, list, status; `sigdump --help` explains them");
	return cmd_fail(&err, CMD_USAGE);
}

/* The word that was left out, where what is there tells it. */
static int no_such_command(const char *word)
{
	struct err err;

	err_set(&err, -EINVAL, "%s: no such command", word);
	if (!word[strspn(word, "0123456789,")])
		err_next(&err, "sigdump dump -p %s", word);
	else if (strchr(word, '/'))
		err_next(&err, "sigdump run -- %s ...", word);
	else
		err_next(&err, "one of run, dump, list, status; `sigdump --help` explains them");
	return cmd_fail(&err, CMD_USAGE);
}

static int run_tool(int argc, char **argv)
{
	if (argc < 2 || argv[1][0] == '-')
		return without_command(argc, argv);
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	return no_such_command(argv[1]);
}

int main(int argc, char **argv)
{
	outfile_std_begin();
	return outfile_std_end("sigdump", run_tool(argc, argv));
}
