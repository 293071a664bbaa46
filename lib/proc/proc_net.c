#include "lib/proc/proc_net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/proc/proc_priv.h"

enum { TABLE_LIMIT = 16 << 20, TCP_LISTENING = 10 };

/* "0100007F", or four such words: each is in the byte order of the machine. */
static const char *address_text(const char *hex, int v6, char host[INET6_ADDRSTRLEN])
{
	uint32_t word[4] = { 0 };

	for (int i = 0; i < (v6 ? 4 : 1); i++)
		if (sscanf(hex + 8 * i, "%8" SCNx32, &word[i]) != 1)
			return NULL;
	/* ::ffff:10.0.0.5 is 10.0.0.5 to everybody but the kernel */
	const int mapped = v6 && !word[0] && !word[1] && word[2] == htonl(0xffff);
	return inet_ntop(v6 && !mapped ? AF_INET6 : AF_INET, mapped ? &word[3] : word, host,
			 INET6_ADDRSTRLEN);
}

/* "  0: 0100007F:1F90 0500000A:01BB 01 00000000:00000000 02:0000 00000000  1000        0 4711 ..." */
static int parse_line(const char *line, int v6, uint64_t wanted, char *buf, size_t room)
{
	char local[33], remote[33], host[INET6_ADDRSTRLEN];
	unsigned local_port, remote_port, state;
	uint64_t inode;

	if (sscanf(line, "%*d: %32[0-9A-F]:%x %32[0-9A-F]:%x %x %*s %*s %*s %*u %*d %" SCNu64, local,
		   &local_port, remote, &remote_port, &state, &inode) != 6 ||
	    inode != wanted)
		return -ENOENT;
	if (strlen(local) != (v6 ? 32 : 8) || strlen(remote) != strlen(local))
		return -ENOENT;
	const int listens = state == TCP_LISTENING;
	if (!address_text(listens ? local : remote, v6, host))
		return -ENOENT;
	const int bracket = strchr(host, ':') != NULL;
	snprintf(buf, room, "tcp %s%s%s%s:%u", listens ? "listening on " : "", bracket ? "[" : "", host,
		 bracket ? "]" : "", listens ? local_port : remote_port);
	return 0;
}

int proc_net_parse(const char *text, int v6, uint64_t inode, char *buf, size_t room)
{
	for (; text && *text; text = strchr(text, '\n'), text += text != NULL)
		if (parse_line(text, v6, inode, buf, room) == 0)
			return 0;
	return -ENOENT;
}

int proc_net_tcp(pid_t pid, uint64_t inode, char *buf, size_t room, struct err *err)
{
	static const char *const tables[] = { "net/tcp", "net/tcp6" };

	for (int v6 = 0; v6 < 2; v6++) {
		FREES char *text = NULL;
		const ssize_t n = proc_read_text(pid, tables[v6], TABLE_LIMIT, &text, err);

		if (n < 0 && n != -ENOENT)
			return (int)n;
		if (n > 0 && proc_net_parse(text, v6, inode, buf, room) == 0)
			return 0;
	}
	return err_set(err, -ENOENT, "socket:[%" PRIu64 "]: no TCP socket of pid %d", inode, (int)pid);
}
