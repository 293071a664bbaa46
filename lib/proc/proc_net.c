#include "lib/proc/proc_net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/grow.h"
#include "lib/proc/proc_priv.h"

enum { TABLE_LIMIT = 16 << 20, TCP_LISTENING = 10 };

/* "0100007F", or four such words: each is in the byte order of the machine. IPv4 becomes
 * ::ffff:10.0.0.5, which is how tcp6 has it as well. */
static bool take_address(const char *hex, int v6, uint32_t word[4])
{
	const int first = v6 ? 0 : 3;

	word[0] = word[1] = 0;
	word[2] = htonl(0xffff);
	if (strlen(hex) != (v6 ? 32 : 8))
		return false;
	for (int i = first; i < 4; i++)
		if (sscanf(hex + 8 * (i - first), "%8" SCNx32, &word[i]) != 1)
			return false;
	return true;
}

/* "  0: 0100007F:1F90 0500000A:01BB 01 00000000:00000000 02:0000 00000000  1000        0 4711 ..." */
static bool parse_line(const char *line, int v6, struct proc_net_entry *e)
{
	char local[33], remote[33];
	unsigned local_port, remote_port, state;

	if (sscanf(line, "%*d: %32[0-9A-F]:%x %32[0-9A-F]:%x %x %*s %*s %*s %*u %*d %" SCNu64, local,
		   &local_port, remote, &remote_port, &state, &e->inode) != 6 ||
	    !take_address(local, v6, e->local) || !take_address(remote, v6, e->remote))
		return false;
	e->local_port = (uint16_t)local_port;
	e->remote_port = (uint16_t)remote_port;
	e->listens = state == TCP_LISTENING;
	return true;
}

int proc_net_parse(struct proc_net *net, const char *text, int v6)
{
	for (; text && *text; text = strchr(text, '\n'), text += text != NULL) {
		struct proc_net_entry e;

		if (!parse_line(text, v6, &e))
			continue;
		if (!GROW(net->entry, net->n, net->room))
			return -ENOMEM;
		net->entry[net->n++] = e;
	}
	return 0;
}

int proc_net_read(struct proc_net *net, pid_t pid, struct err *err)
{
	static const char *const tables[] = { "net/tcp", "net/tcp6" };

	net->n = 0;
	for (int v6 = 0; v6 < 2; v6++) {
		FREES char *text = NULL;
		const ssize_t n = proc_read_text(pid, tables[v6], TABLE_LIMIT, &text, err);

		if (n < 0 && n != -ENOENT)
			return (int)n;
		if (n > 0 && proc_net_parse(net, text, v6))
			return err_set(err, -ENOMEM, "pid %d: out of memory", (int)pid);
	}
	return 0;
}

void proc_net_fini(struct proc_net *net)
{
	free(net->entry);
	*net = (struct proc_net){ 0 };
}

const struct proc_net_entry *proc_net_find(const struct proc_net *net, uint64_t inode)
{
	for (size_t i = 0; inode && i < net->n; i++)
		if (net->entry[i].inode == inode)
			return &net->entry[i];
	return NULL;
}

const struct proc_net_entry *proc_net_peer(const struct proc_net *net,
					   const struct proc_net_entry *of)
{
	for (size_t i = 0; !of->listens && i < net->n; i++) {
		const struct proc_net_entry *e = &net->entry[i];

		if (e->local_port == of->remote_port && e->remote_port == of->local_port &&
		    memcmp(e->local, of->remote, sizeof(e->local)) == 0 &&
		    memcmp(e->remote, of->local, sizeof(e->remote)) == 0)
			return e;
	}
	return NULL;
}

char *proc_net_text(const struct proc_net_entry *of, char *buf, size_t room)
{
	const uint32_t *word = of->listens ? of->local : of->remote;
	const bool is_v4 = !word[0] && !word[1] && word[2] == htonl(0xffff);
	char host[INET6_ADDRSTRLEN] = "?";

	inet_ntop(is_v4 ? AF_INET : AF_INET6, is_v4 ? &word[3] : word, host, sizeof(host));
	snprintf(buf, room, "tcp %s%s%s%s:%u", of->listens ? "listening on " : "", is_v4 ? "" : "[",
		 host, is_v4 ? "" : "]", of->listens ? of->local_port : of->remote_port);
	return buf;
}
