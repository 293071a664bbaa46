#include "lib/proc/proc_net.h"

#include <arpa/inet.h>
#include <errno.h>
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

TEST(a_connected_socket_is_told_by_its_other_end_a_listening_one_by_its_own)
{
	char text[80];

	T_EQ(proc_net_parse(tcp, 0, 4712, text, sizeof(text)), 0);
	T_STR(text, "tcp 10.0.0.5:443");
	T_EQ(proc_net_parse(tcp, 0, 4711, text, sizeof(text)), 0);
	T_STR(text, "tcp listening on 127.0.0.1:8080");
	T_EQ(proc_net_parse(tcp6, 1, 4713, text, sizeof(text)), 0);
	T_STR(text, "tcp [2001:db8::1]:49153");
	T_EQ(proc_net_parse(tcp6, 1, 4714, text, sizeof(text)), 0);
	T_STR(text, "tcp 10.0.0.5:443");
}

TEST(what_is_not_in_the_table_is_not_found)
{
	char text[80];

	T_EQ(proc_net_parse(tcp, 0, 9, text, sizeof(text)), -ENOENT);
	T_EQ(proc_net_parse("", 0, 9, text, sizeof(text)), -ENOENT);
	T_EQ(proc_net_parse(tcp6, 0, 4713, text, sizeof(text)), -ENOENT);
}

TEST(a_socket_of_this_process_is_found_in_the_kernels_own_tables)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t n = sizeof(a);
	char text[80], wanted[80];
	struct stat st;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	T_EQ(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	T_EQ(listen(fd, 1), 0);
	T_EQ(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	T_EQ(fstat(fd, &st), 0);
	T_EQ(proc_net_tcp(getpid(), st.st_ino, text, sizeof(text), NULL), 0);
	snprintf(wanted, sizeof(wanted), "tcp listening on 127.0.0.1:%u", ntohs(a.sin_port));
	T_STR(text, wanted);
	close(fd);
	T_EQ(proc_net_tcp(getpid(), 1, text, sizeof(text), NULL), -ENOENT);
}
