#include "lib/proc/proc_net.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/t.h"

static const char tcp[] =
	"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0\n"
	"   1: 0100007F:9C40 0500000A:01BB 01 00000000:00000000 02:000005C8 00000000  1000        0 4712 2 0\n"
	"   2: nonsense\n";
static const char tcp6[] =
	"  sl  local_address                         remote_address                        st\n"
	"   0: 00000000000000000000000001000000:0050 B80D0120000000000000000001000000:C001 01 "
	"00000000:00000000 00:00000000 00000000     0        0 4713 1 0\n"
	"   1: 0000000000000000FFFF00000100007F:0050 0000000000000000FFFF00000500000A:01BB 01 "
	"00000000:00000000 00:00000000 00000000     0        0 4714 1 0\n";

static struct proc_net net;

static const char *told(uint64_t inode)
{
	static char text[80];
	const struct proc_net_entry *e = proc_net_find(&net, inode);

	return e ? proc_net_text(e, text, sizeof(text)) : "none";
}

TEST(a_connected_socket_is_told_by_its_other_end_a_listening_one_by_its_own)
{
	T_EQ(proc_net_parse(&net, tcp, 0), 0);
	T_EQ(proc_net_parse(&net, tcp6, 1), 0);
	T_STR(told(4712), "tcp 10.0.0.5:443");
	T_STR(told(4711), "tcp listening on 127.0.0.1:8080");
	T_STR(told(4713), "tcp [2001:db8::1]:49153");
	T_STR(told(4714), "tcp 10.0.0.5:443");
	T_EQ(net.n, 4);
	proc_net_fini(&net);
}

TEST(what_is_not_in_the_table_is_not_found)
{
	T_EQ(proc_net_parse(&net, tcp6, 0), 0);
	T_EQ(proc_net_parse(&net, "", 0), 0);
	T_EQ(net.n, 0);
	T_EQ(proc_net_parse(&net, tcp, 0), 0);
	T_STR(told(9), "none");
	T_STR(told(0), "none");
	proc_net_fini(&net);
}

static uint64_t inode_of(int fd)
{
	struct stat st;

	T_EQ(fstat(fd, &st), 0);
	return st.st_ino;
}

/* A connection within the machine, of which one end sees the other through an IPv6 socket. */
TEST(both_ends_of_a_connection_to_this_machine_know_each_other)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_addr = in6addr_any };
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t n = sizeof(any);
	char wanted[80];
	const int listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int from = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (listener < 0 || bind(listener, (struct sockaddr *)&any, sizeof(any)))
		t_skip("no IPv6 here");
	T_EQ(listen(listener, 1), 0);
	T_EQ(getsockname(listener, (struct sockaddr *)&any, &n), 0);
	a.sin_port = any.sin6_port;
	T_EQ(connect(from, (struct sockaddr *)&a, sizeof(a)), 0);
	const int to = accept(listener, NULL, NULL);

	T_EQ(proc_net_read(&net, getpid(), NULL), 0);
	snprintf(wanted, sizeof(wanted), "tcp 127.0.0.1:%u", ntohs(a.sin_port));
	T_STR(told(inode_of(from)), wanted);
	const struct proc_net_entry *e = proc_net_find(&net, inode_of(from));
	const struct proc_net_entry *peer = e ? proc_net_peer(&net, e) : NULL;

	T_OK(peer);
	T_EQ(peer->inode, inode_of(to));
	T_EQ(proc_net_peer(&net, peer)->inode, inode_of(from));
	T_OK(proc_net_find(&net, inode_of(listener))->listens);
	T_OK(!proc_net_peer(&net, proc_net_find(&net, inode_of(listener))));
	proc_net_fini(&net);
	close(from);
	close(to);
	close(listener);
}
