/* feed - shminspect on a feed: any bytes, beginning with real lines of one. */
#include <string.h>

#include "tests/fuzz/inspect.h"

void fuzz_start(void)
{
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	inspect(fuzz_file(data, size));
	return 0;
}

#define FEED                                                                                        \
	"{\"v\":1,\"t\":\"feed\",\"boot\":\"01234567-89ab-cdef-0123-456789abcdef\",\"host\":\"box\"," \
	"\"pidns\":4026531836,\"pid\":4101,\"start\":70,\"image\":\"0x1005\",\"comm\":\"host\","      \
	"\"exe\":\"/usr/bin/host\",\"uid\":1000,\"writer\":\"0.1.0\",\"segment\":1,\"by\":\"self\","  \
	"\"mono_us\":1000000,\"real_us\":1700000001000000,\"caps\":[\"peek\"]}\n"
#define DUMP "{\"v\":1,\"t\":\"dump\",\"d\":1,\"family\":\"0x7b\",\"why\":\"api\",\"mono_us\":2000000}\n"
#define LOOK "{\"v\":1,\"t\":\"look\",\"d\":1,\"look\":1,\"mono_us\":2000001}\n"
#define HUB                                                                                          \
	"{\"v\":1,\"t\":\"hub\",\"d\":1,\"look\":1,\"h\":0,\"path\":\"/dev/shm/demo.hub\",\"id\":"     \
	"\"0xfeed\",\"role\":\"host\",\"peer\":0,\"host_pid\":4101,\"host_start\":70,\"created_us\":" \
	"500000,\"file_bytes\":268435456,\"version\":1,\"writer\":\"0.1.0\",\"ring_cells\":256,"      \
	"\"calls_max\":8192,\"calls_pending\":1,\"last_alive_us\":1900000,\"stopping\":0,"            \
	"\"no_space\":2,\"no_space_us\":1800000,\"calls_waited\":3,\"calls_refused\":4,"              \
	"\"error\":null}\n"

void fuzz_seeds(void)
{
	static const char *const seed[] = { FEED, FEED DUMP LOOK HUB, DUMP FEED, FEED LOOK HUB "{\"v\":1" };
	static const char *const files[] = { "lib/feed/feed.schema.json" };
	char name[32], text[4096];

	for (unsigned i = 0; i < sizeof(seed) / sizeof(seed[0]); i++) {
		snprintf(name, sizeof(name), "lines-%u", i);
		fuzz_seed(name, seed[i], strlen(seed[i]));
	}
	/* the words of all records */
	FILE *f = fopen(files[0], "re");

	for (unsigned i = 0; f && i < 8; i++) {
		const size_t n = fread(text, 1, sizeof(text), f);

		snprintf(name, sizeof(name), "words-%u", i);
		if (n)
			fuzz_seed(name, text, n);
	}
	if (f)
		fclose(f);
}
