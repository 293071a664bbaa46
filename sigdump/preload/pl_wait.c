#include <sys/signalfd.h>

#include "sigdump/preload/pl_priv.h"

/*
 * Functions that wait with a mask of their own (the dump signal's bit stays in it), and those
 * by which a program takes signals itself (it then has the dump signal to itself).
 */

PL_EXPORT int sigsuspend(const sigset_t *set)
{
	sigset_t copy;

	return pl_real.sigsuspend(pl_mask_keep(set, &copy));
}

PL_EXPORT int ppoll(struct pollfd *on, nfds_t n, const struct timespec *timeout, const sigset_t *set)
{
	sigset_t copy;

	return pl_real.ppoll(on, n, timeout, pl_mask_keep(set, &copy));
}

int __ppoll_chk(struct pollfd *on, nfds_t n, const struct timespec *timeout, const sigset_t *set,
		size_t room);

PL_EXPORT int __ppoll_chk(struct pollfd *on, nfds_t n, const struct timespec *timeout,
			  const sigset_t *set, size_t room)
{
	sigset_t copy;

	return pl_real.__ppoll_chk(on, n, timeout, pl_mask_keep(set, &copy), room);
}

PL_EXPORT int pselect(int n, fd_set *in, fd_set *out, fd_set *odd, const struct timespec *timeout,
		      const sigset_t *set)
{
	sigset_t copy;

	return pl_real.pselect(n, in, out, odd, timeout, pl_mask_keep(set, &copy));
}

PL_EXPORT int epoll_pwait(int fd, struct epoll_event *events, int n, int timeout,
			  const sigset_t *set)
{
	sigset_t copy;

	return pl_real.epoll_pwait(fd, events, n, timeout, pl_mask_keep(set, &copy));
}

PL_EXPORT int epoll_pwait2(int fd, struct epoll_event *events, int n,
			   const struct timespec *timeout, const sigset_t *set)
{
	sigset_t copy;

	return pl_real.epoll_pwait2(fd, events, n, timeout, pl_mask_keep(set, &copy));
}

PL_EXPORT int sigwait(const sigset_t *set, int *sig)
{
	pl_mask_awaits(set);
	return pl_real.sigwait(set, sig);
}

PL_EXPORT int sigwaitinfo(const sigset_t *set, siginfo_t *info)
{
	pl_mask_awaits(set);
	return pl_real.sigwaitinfo(set, info);
}

PL_EXPORT int sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout)
{
	pl_mask_awaits(set);
	return pl_real.sigtimedwait(set, info, timeout);
}

PL_EXPORT int signalfd(int fd, const sigset_t *set, int flags)
{
	pl_mask_awaits(set);
	return pl_real.signalfd(fd, set, flags);
}
