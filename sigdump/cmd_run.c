#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/as/as_signal.h"
#include "lib/base/complete.h"
#include "lib/base/library.h"
#include "lib/base/settings.h"
#include "lib/base/units.h"
#include "sigdump/cmd.h"
#include "sigdump/program.h"

enum { OPT_FEED = 1, OPT_SIGNAL, OPT_WATCHDOG, OPT_NO_CHILDREN };

static const struct opt options[] = {
	{ 0, "feed", "DIR", "Output", "directory of the feeds (default: the state directory)", OPT_FEED },
	{ 0, "signal", "SIG", "Target", "signal that asks for a dump (default USR1), or off", OPT_SIGNAL },
	{ 0, "watchdog", "DUR", "Target", "dump by itself after DUR without progress (default 5 s), or off", OPT_WATCHDOG },
	{ 0, "no-children", NULL, "Target", "only this program, not what it starts", OPT_NO_CHILDREN },
	{ 0, NULL, NULL, NULL, NULL, 0 },
};

static const struct opt_values values[] = { { "SIG", "USR1 USR2 RTMIN+3 off" }, { NULL, NULL } };

const struct opt_page cmd_run_page = {
	.tool = "sigdump run",
	.does = "start a program with libsigdump.so, by becoming it",
	.usage = "[OPTIONS] -- COMMAND [ARG...]",
	.examples = "  sigdump run -- ./server -p 80           then: kill -USR1 PID, or sigdump dump -p PID\n"
		    "  sigdump run --feed /srv/feeds -- redis-server\n"
		    "  sigdump run --signal RTMIN+3 -- node app.js   (node uses SIGUSR1 itself)\n",
	.options = options,
	.operands = COMPLETE_COMMAND,
	.values = values,
};

static int set_signal(const char *name, struct err *err)
{
	const int sig = as_signal_number(name);

	if (strcmp(name, "off") != 0 && (sig < 0 || sig == SIGKILL || sig == SIGSTOP)) {
		err_set(err, -EINVAL, "--signal %s: not a signal that can be caught", name);
		return err_next(err, "a name as of `kill -l` (USR1, RTMIN+3), a number, or off");
	}
	setenv("SHMSCOPE_SIGNAL", name, 1);
	return 0;
}

static int set_feed(const char *dir, struct err *err)
{
	struct stat st;

	if (!*dir)
		return err_set(err, -EINVAL, "--feed: an empty path is no directory");
	/* said now: at the first dump, nobody listens */
	if (stat(dir, &st) == 0 && !S_ISDIR(st.st_mode)) {
		err_set(err, -ENOTDIR, "--feed %s: not a directory", dir);
		return err_next(err, "a directory, also one that is not there yet");
	}
	setenv("SHMSCOPE_FEED", dir, 1);
	return 0;
}

/* Said now, for at the first dump nobody listens; but no reason not to start a program. */
static void warn_of_feed(void)
{
	const char *feed = getenv("SHMSCOPE_FEED");
	char dir[PATH_MAX];
	struct err err;

	if (!feed || (size_t)snprintf(dir, sizeof(dir), "%s", feed) >= sizeof(dir))
		return;
	while (access(dir, F_OK) != 0 && strchr(dir + 1, '/'))
		*strrchr(dir, '/') = '\0';
	if (access(dir, F_OK) != 0)
		snprintf(dir, sizeof(dir), "%s", *feed == '/' ? "/" : ".");
	if (access(dir, W_OK | X_OK) == 0)
		return;
	err_set(&err, -errno, "%s: feeds cannot be written there (%s: %m): no signal will make a dump",
		feed, dir);
	err_next(&err, "another directory: sigdump run --feed DIR (`sigdump dump` looks from outside)");
	err_print(stderr, "sigdump", "warning", &err);
}

/* A sanitizer's runtime insists on being the first of all libraries. */
static size_t sanitizer_first(const char *list)
{
	const size_t n = strcspn(list, ": ");
	const char *name = memrchr(list, '/', n);
	const char *base = name ? name + 1 : list;

	return strncmp(base, "libasan.so", 10) == 0 || strncmp(base, "libtsan.so", 10) == 0 ? n : 0;
}

/* Between a tenth of a second and an hour; handed on in whole milliseconds. */
static int set_watchdog(const char *span, struct err *err)
{
	char text[32];
	uint64_t ns;

	if (strcmp(span, "off") == 0) {
		setenv("SHMSCOPE_WATCHDOG", span, 1);
		return 0;
	}
	const int code = units_parse_span(span, "--watchdog", 100000000, UINT64_C(3600000000000),
					  &ns, err);
	if (code)
		return code;
	snprintf(text, sizeof(text), "%llums", (unsigned long long)(ns / 1000000));
	setenv("SHMSCOPE_WATCHDOG", text, 1);
	return 0;
}

/* Puts the library in front of what is preloaded already. */
static int preload(struct err *err)
{
	char path[PATH_MAX], list[2 * PATH_MAX];
	const char *others = getenv("LD_PRELOAD");

	const int code = library_find(path, sizeof(path), err);
	if (code)
		return code;
	others = others ? others : "";
	const int first = (int)sanitizer_first(others);
	const char *rest = others + first + strspn(others + first, ": ");
	const int n = snprintf(list, sizeof(list), "%.*s%s%s%s%s", first, others, first ? ":" : "",
			       path, *rest ? ":" : "", rest);
	if ((size_t)n >= sizeof(list))
		return err_set(err, -E2BIG, "LD_PRELOAD: longer than %zu bytes", sizeof(list));
	setenv("LD_PRELOAD", list, 1);
	return 0;
}

/*
 * Until the library has its handler the signal would be deadly: it waits, blocked, and the library
 * lets it through. (One that our own starter had blocked stays so.)
 */
static void hold_signal(void)
{
	const char *name = getenv("SHMSCOPE_SIGNAL");
	const int sig = name ? as_signal_number(name) : SIGUSR1;
	sigset_t one, was;

	unsetenv("SHMSCOPE_HELD");
	sigemptyset(&one);
	if (sig <= 0 || sigaddset(&one, sig) != 0 || sigprocmask(SIG_BLOCK, &one, &was) != 0)
		return;
	if (!sigismember(&was, sig))
		setenv("SHMSCOPE_HELD", "1", 1);
}

static int become(char **command, struct err *err)
{
	char path[PATH_MAX];

	int code = program_find(command[0], path, sizeof(path), err);
	if (code)
		return code == -ENOENT ? CMD_NOT_FOUND : CMD_NOT_STARTED;
	code = program_check(path, err);
	if (!code)
		code = preload(err);
	if (code)
		return CMD_NOT_STARTED;
	hold_signal();
	execvp(path, command); /* it has a slash in it; a script without "#!" goes to the shell */
	err_set(err, -errno, "%s: cannot be started (%m)", path);
	return CMD_NOT_STARTED;
}

/*
 * Settings stand behind the environment, which stands behind options: what is there already, in
 * this environment or by an option, stays.
 */
static int set_setting(void *arg, const char *name, const char *value, struct err *err)
{
	(void)arg;
	if (strcmp(name, "feed") == 0)
		return getenv("SHMSCOPE_FEED") ? 0 : set_feed(value, err);
	if (strcmp(name, "signal") == 0)
		return getenv("SHMSCOPE_SIGNAL") ? 0 : set_signal(value, err);
	if (strcmp(name, "watchdog") == 0)
		return getenv("SHMSCOPE_WATCHDOG") ? 0 : set_watchdog(value, err);
	if (strcmp(name, "children") == 0 && strcmp(value, "off") == 0)
		return setenv("SHMSCOPE_NO_CHILDREN", "1", 0);
	if (strcmp(name, "children") == 0 && strcmp(value, "on") == 0)
		return 0;
	err_set(err, -EINVAL, "not a setting of sigdump");
	return err_next(err, "settings: feed = DIR, signal = SIG, watchdog = DUR, children = on|off");
}

static int take_settings(struct err *err)
{
	char path[PATH_MAX];

	if (!settings_path(path, sizeof(path), "sigdump.conf"))
		return 0;
	const int code = settings_read(path, set_setting, NULL, err);

	if (code != -EACCES)
		return code;
	/* su, setpriv and services keep the HOME of who started them: that must not stop a program */
	err_next(err, "it is started without these settings; HOME or XDG_CONFIG_HOME is somebody else's");
	err_print(stderr, "sigdump", "warning", err);
	return 0;
}

static int set_option(int id, const char *arg, struct err *err)
{
	switch (id) {
	case OPT_FEED:
		return set_feed(arg, err);
	case OPT_SIGNAL:
		return set_signal(arg, err);
	case OPT_WATCHDOG:
		return set_watchdog(arg, err);
	default:
		setenv("SHMSCOPE_NO_CHILDREN", "1", 1);
		return 0;
	}
}

int cmd_run(int argc, char **argv)
{
	struct opt_walk w;
	struct err err;
	int id, code;

	opt_begin(&w, &cmd_run_page, argc, argv);
	w.stop_early = 1;
	while ((id = opt_next(&w, &err)) != OPT_END) {
		if (cmd_common(id, &cmd_run_page, &err, &code))
			return code;
		if (set_option(id, w.arg, &err))
			return cmd_fail(&err, CMD_USAGE);
	}
	if (!w.operands) {
		err_set(&err, -EINVAL, "no command given");
		err_next(&err, "sigdump run -- COMMAND [ARG...]");
		return cmd_fail(&err, CMD_USAGE);
	}
	if (take_settings(&err))
		return cmd_fail(&err, CMD_USAGE);
	warn_of_feed();
	argv[w.operands + 1] = NULL;
	code = become(argv + 1, &err);
	return cmd_fail(&err, code);
}
