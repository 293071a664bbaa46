/*
 * sym_reach - whether a file can be opened without waiting for ever for a server that hangs, which may
 * be just what is looked into.
 *
 * Only for filesystems that a server answers for (proc_mount.h). A child tries it: one that waits for
 * such an answer often cannot be killed, and the tool could not end.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/as/as_sys.h"
#include "lib/base/cleanup.h"
#include "lib/proc/proc_mount.h"
#include "lib/stack/sym_priv.h"

enum { PATIENCE_MS = 1000 };

/* Opens it and reads its first and its last bytes; that this fails is an answer, too. */
static void try_it(const char *path)
{
	struct stat st;
	char byte;
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd >= 0 && fstat(fd, &st) == 0 && pread(fd, &byte, 1, 0) == 1)
		(void)!pread(fd, &byte, 1, st.st_size - 1);
	_exit(0);
}

static bool answers(const char *path)
{
	const pid_t child = fork();

	if (child < 0)
		return true;
	if (!child)
		try_it(path);
	CLOSES int fd = as_sys_pidfd_open(child, 0);
	const bool ended = fd < 0 || poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, PATIENCE_MS) > 0;

	/* else it ends when it can, and is init's then */
	kill(child, SIGKILL);
	waitpid(child, NULL, ended ? 0 : WNOHANG);
	return ended;
}

bool sym_reach(struct sym_reached *reached, pid_t pid, const char *own, const char *path)
{
	uint64_t dev;

	if (!proc_mount_is_served(pid, own, &dev))
		return true;
	for (unsigned i = 0; i < reached->n; i++)
		if (reached->dev[i] == dev)
			return reached->answers[i];
	const bool is_there = answers(path);

	if (reached->n < SYM_REACHED) {
		reached->dev[reached->n] = dev;
		reached->answers[reached->n++] = is_there;
	}
	return is_there;
}
