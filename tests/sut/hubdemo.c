#include <string.h>

#include "tests/sut/sut.h"

int main(int argc, char **argv)
{
	static struct sut_config config;
	struct err err;

	if (argc > 1 && strcmp(argv[1], "peer") == 0)
		return sut_peer_main(argc, argv);
	const int r = sut_options(argc, argv, &config, &err);
	if (r > 0)
		return 0;
	if (r < 0) {
		err_print(stderr, "hubdemo", "error", &err);
		return 2;
	}
	return sut_host_main(&config, argv);
}
