#include <errno.h>
#include <grp.h>
#include <unistd.h>

#include "sigdump/preload/as/dumper.h"
#include "sigdump/preload/pl_priv.h"

/*
 * Calls that concern every thread of the process, or that a second thread forbids. The C
 * library changes the ids of each pthread, and the dumper is none (dumper.h); unshare() and
 * setns() refuse some namespaces to a process with more than one thread. So the dumper ends
 * before and is born again after, with whatever the process has become. A dump that is being
 * written ends early. When it cannot be born again, the process goes on without one.
 */
bool pl_without_dumper(void)
{
	return dumper_stop();
}

void pl_with_dumper(bool had)
{
	const int err = errno;

	if (had && dumper_start() != 0 && pl_keeps()) {
		/* nobody takes the signal any more: the handler in some thread will */
		dumper_keep_no_more();
		if (!dump_thread.blocks)
			pl_mask_unblock();
	}
	errno = err;
}

#define WITHOUT_DUMPER(call)                          \
	do {                                          \
		const bool had = pl_without_dumper(); \
		const int r = (call);                 \
		pl_with_dumper(had);                  \
		return r;                             \
	} while (0)

PL_EXPORT int setuid(uid_t uid)
{
	WITHOUT_DUMPER(pl_real.setuid(uid));
}

PL_EXPORT int setgid(gid_t gid)
{
	WITHOUT_DUMPER(pl_real.setgid(gid));
}

PL_EXPORT int seteuid(uid_t uid)
{
	WITHOUT_DUMPER(pl_real.seteuid(uid));
}

PL_EXPORT int setegid(gid_t gid)
{
	WITHOUT_DUMPER(pl_real.setegid(gid));
}

PL_EXPORT int setreuid(uid_t ruid, uid_t euid)
{
	WITHOUT_DUMPER(pl_real.setreuid(ruid, euid));
}

PL_EXPORT int setregid(gid_t rgid, gid_t egid)
{
	WITHOUT_DUMPER(pl_real.setregid(rgid, egid));
}

PL_EXPORT int setresuid(uid_t ruid, uid_t euid, uid_t suid)
{
	WITHOUT_DUMPER(pl_real.setresuid(ruid, euid, suid));
}

PL_EXPORT int setresgid(gid_t rgid, gid_t egid, gid_t sgid)
{
	WITHOUT_DUMPER(pl_real.setresgid(rgid, egid, sgid));
}

PL_EXPORT int setgroups(size_t n, const gid_t *groups)
{
	WITHOUT_DUMPER(pl_real.setgroups(n, groups));
}

PL_EXPORT int initgroups(const char *user, gid_t group)
{
	WITHOUT_DUMPER(pl_real.initgroups(user, group));
}

PL_EXPORT int unshare(int flags)
{
	WITHOUT_DUMPER(pl_real.unshare(flags));
}

PL_EXPORT int setns(int fd, int type)
{
	WITHOUT_DUMPER(pl_real.setns(fd, type));
}
