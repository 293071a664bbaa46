/* words_run - the peer in the library's own loop: all that most peers need. */
#include "words.h"

int main(int argc, char **argv)
{
	struct shmhub_peer *peer = words_attach(argc, argv);

	return words_end(peer, shmhub_peer_run(peer));
}
