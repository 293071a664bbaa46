#include "tests/program.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/t.h"

enum { ARGS = 8 };

static void become(const char *fixture, char **argv, const int in[2], const int out[2])
{
	const char *b = getenv("B");
	char path[512];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(in[0], 0);
	dup2(out[1], 1);
	snprintf(path, sizeof(path), "%s/fixture/%s", b ? b : "build/plain", fixture);
	execv(path, argv);
	_exit(127);
}

void program_start(struct program *prog, const char *fixture, ...)
{
	char *argv[ARGS + 1] = { (char *)fixture };
	int in[2], out[2];
	va_list ap;

	va_start(ap, fixture);
	for (unsigned n = 1; n < ARGS && (argv[n] = va_arg(ap, char *)); n++)
		;
	va_end(ap);
	T_EQ(pipe2(in, O_CLOEXEC), 0);
	T_EQ(pipe2(out, O_CLOEXEC), 0);
	*prog = (struct program){ .pid = fork(), .in = in[1], .out = out[0] };
	T_OK(prog->pid >= 0);
	if (!prog->pid)
		become(fixture, argv, in, out);
	close(in[0]);
	close(out[1]);
}

void program_expect(struct program *prog, const char *word)
{
	size_t n = 0;

	for (;;) {
		T_OK(n < sizeof(prog->line) - 1);
		if (read(prog->out, prog->line + n, 1) != 1)
			T_FAIL("the program ended before it said \"%s\"", word);
		if (prog->line[n++] != '\n')
			continue;
		prog->line[n - 1] = '\0';
		if (strncmp(prog->line, word, strlen(word)) == 0)
			return;
		n = 0;
	}
}

void program_end(struct program *prog)
{
	close(prog->in);
	close(prog->out);
	kill(prog->pid, SIGKILL);
	waitpid(prog->pid, NULL, 0);
}
