#include "lib/as/as_diag.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/as/as_sys.h"

/* The attribute, in the answer to one question about one socket. */
static bool find(const char *buf, size_t n, uint16_t type, void *value, size_t len)
{
	const struct nlmsghdr *h = (const void *)buf;
	const size_t fixed = NLMSG_LENGTH(sizeof(struct unix_diag_msg));

	if (n < fixed || h->nlmsg_type != SOCK_DIAG_BY_FAMILY || h->nlmsg_len > n)
		return false;
	for (size_t at = NLMSG_ALIGN(fixed); at + sizeof(struct rtattr) <= h->nlmsg_len;) {
		const struct rtattr *a = (const void *)(buf + at);

		if (a->rta_len < sizeof(*a) || at + a->rta_len > h->nlmsg_len)
			return false;
		if (a->rta_type == type && a->rta_len >= sizeof(*a) + len) {
			memcpy(value, buf + at + sizeof(*a), len);
			return true;
		}
		at += RTA_ALIGN(a->rta_len);
	}
	return false;
}

bool as_diag_unix(int diag, uint64_t inode, uint32_t show, uint16_t type, void *value, size_t len)
{
	struct {
		struct nlmsghdr h;
		struct unix_diag_req req;
	} ask = {
		.h = { .nlmsg_len = sizeof(ask),
		       .nlmsg_type = SOCK_DIAG_BY_FAMILY,
		       .nlmsg_flags = NLM_F_REQUEST },
		.req = { .sdiag_family = AF_UNIX,
			 .udiag_states = ~0u,
			 .udiag_ino = (uint32_t)inode,
			 .udiag_show = show,
			 .udiag_cookie = { ~0u, ~0u } },
	};
	_Alignas(8) char buf[512];

	if (diag < 0 || !inode || inode > UINT32_MAX ||
	    as_sys_sendto(diag, &ask, sizeof(ask), MSG_DONTWAIT, NULL, 0) < 0)
		return false;
	/* the kernel has answered before sendto() returned */
	const ssize_t n = as_sys_recv(diag, buf, sizeof(buf), MSG_DONTWAIT);
	return n >= 0 && find(buf, (size_t)n, type, value, len);
}
