#include "lib/proc/proc_status.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/proc/proc_priv.h"

/* The line of supplementary groups comes before the masks and may be long. */
enum { STATUS_LIMIT = 1 << 20 };

/* The text after "KEY:\t", or NULL. */
static const char *value_of(const char *text, const char *key)
{
	const size_t n = strlen(key);

	for (const char *line = text; line && *line;) {
		if (strncmp(line, key, n) == 0 && line[n] == ':')
			return line + n + 1;
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	return NULL;
}

/* One column for each namespace, the innermost last. */
static void read_levels(const char *text, struct proc_status *status)
{
	const char *value = value_of(text, "NSpid");

	for (char *end; value && *value != '\n' && *value; value = end) {
		const long n = strtol(value, &end, 10);

		if (end == value)
			break;
		status->inner_pid = (pid_t)n;
		if (status->levels < PROC_LEVELS)
			status->level_pid[status->levels++] = (pid_t)n;
	}
}

void proc_status_parse(const char *text, struct proc_status *status)
{
	const char *uids = value_of(text, "Uid"), *seccomp = value_of(text, "Seccomp");
	const char *tracer = value_of(text, "TracerPid");
	unsigned real = 0, effective = 0;

	if (uids)
		sscanf(uids, "%u %u", &real, &effective);
	*status = (struct proc_status){
		.uid = effective,
		.tracer = tracer ? atoi(tracer) : 0,
		.seccomp = seccomp ? atoi(seccomp) : -1,
		.has_memory = value_of(text, "VmSize") != NULL,
	};
	read_levels(text, status);
}

int proc_status(pid_t pid, pid_t tid, struct proc_status *status, struct err *err)
{
	FREES char *text = NULL;
	char name[64];
	struct as_proc_signals signals;
	CLOSES int dir = as_proc_open(pid);
	if (dir < 0)
		return proc_fail(pid, "", dir, err);
	snprintf(name, sizeof(name), "task/%d/status", (int)tid);
	const ssize_t n = proc_read_text(pid, name, STATUS_LIMIT, &text, err);
	if (n < 0)
		return (int)n;
	const int code = as_proc_signals(dir, tid, &signals);
	if (code < 0)
		return proc_fail(pid, name, code, err);
	proc_status_parse(text, status);
	status->signals = signals;
	return 0;
}
