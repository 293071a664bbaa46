#include "lib/proc/proc_ident.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/proc/proc_priv.h"

int proc_boot_id(char id[PROC_BOOT_ID], struct err *err)
{
	static const char path[] = "/proc/sys/kernel/random/boot_id";
	FREES char *text = NULL;
	const ssize_t n = proc_read_all(path, 256, &text);

	id[0] = '\0';
	if (n < 0) {
		errno = (int)-n;
		return err_set(err, (int)n, "%s: cannot be read (%m)", path);
	}
	text[strcspn(text, "\n")] = '\0';
	if (strlen(text) != PROC_BOOT_ID - 1)
		return err_set(err, -EBADMSG, "%s: \"%.40s\" is no boot id", path, text);
	memcpy(id, text, PROC_BOOT_ID);
	return 0;
}

void proc_hostname(char name[PROC_HOSTNAME])
{
	struct utsname uts;

	uname(&uts); /* fails only for a bad pointer */
	snprintf(name, PROC_HOSTNAME, "%s", uts.nodename);
}

int proc_pidns(pid_t pid, uint64_t *inode, struct err *err)
{
	char path[64];
	struct stat st;

	if (!pid)
		pid = getpid();
	snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)pid);
	if (stat(path, &st) != 0)
		return proc_fail(pid, "ns/pid", -errno, err);
	*inode = st.st_ino;
	return 0;
}
