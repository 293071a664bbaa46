#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/opt.h"
#include "lib/base/units.h"
#include "tests/sut/sut.h"

enum {
	O_HUB = 1, O_FEED, O_FAULT, O_PEERS, O_SECONDS, O_SEED, O_PRELOAD, O_INJECT_AFTER,
	O_RESTART, O_RESTART_EVERY, O_LOAD, O_THREADS, O_CROWD, O_INTERVAL, O_GROWTH_MIN, O_SAMPLE,
};

static const struct opt options[] = {
	{ 'H', "hub", "PATH", "Hub", "the hub file to create", O_HUB },
	{ 0, "peers", "N", "Hub", "peers to start (default 16)", O_PEERS },
	{ 0, "host-threads", "N", "Hub", "threads of the host that call them (default 8)",
	  O_THREADS },
	{ 0, "crowd", "N", "Hub", "further threads of the host, all at one healthy mutex", O_CROWD },
	{ 0, "load", "full|idle", "Hub", "calls without pause, or none (default full)", O_LOAD },
	{ 0, "seconds", "S", "Hub", "end after S (default: at SIGTERM)", O_SECONDS },
	{ 0, "seed", "N", "Hub", "of the traffic (default: the clock, printed)", O_SEED },
	{ 0, "restart", NULL, "Hub", "start peers again that die", O_RESTART },
	{ 0, "restart-every", "DUR", "Hub", "end one in order and start it again",
	  O_RESTART_EVERY },
	{ 0, "fault", "SPEC", "Fault", "NAME[:KEY=VALUE,...]; may stand several times", O_FAULT },
	{ 0, "inject-after", "S", "Fault", "healthy for S first (default 1)", O_INJECT_AFTER },
	{ 0, "preload", NULL, "Dump", "libsigdump.so in host and peers", O_PRELOAD },
	{ 0, "feed", "DIR", "Dump", "where it writes its feeds", O_FEED },
	{ 0, "interval", "DUR", "Dump", "between memory records, handed to it", O_INTERVAL },
	{ 0, "growth-min", "DUR", "Dump", "least history for a growth verdict, handed to it",
	  O_GROWTH_MIN },
	{ 0, "sample", "BYTES", "Dump", "mean bytes between heap samples, handed to it", O_SAMPLE },
	{ 0, NULL, NULL, NULL, NULL, 0 },
};

static const struct opt_page page = {
	.tool = "hubdemo",
	.does = "one host and its peers over a shared-memory hub, with faults to inject",
	.usage = "--hub PATH [OPTIONS]",
	.examples =
		"  hubdemo --hub /tmp/demo.hub --seconds 5                     healthy traffic\n"
		"  hubdemo --hub /tmp/demo.hub --fault lost-bell               a lost wake-up\n"
		"  hubdemo --hub /tmp/demo.hub --fault deaf-peer:peer=css --load idle\n",
	.options = options,
};

const char *sut_peer_name(unsigned peer, char buf[SUT_NAME])
{
	static const char *const names[] = {
		"fonts", "images", "search", "markdown", "code-exec", "css", "scripts", "templates",
		"sitemap", "feeds", "highlight", "math", "diagrams", "i18n", "links", "minify",
	};
	const unsigned n = sizeof(names) / sizeof(names[0]);

	if (peer >= 1 && peer <= n)
		snprintf(buf, SUT_NAME, "%s", names[peer - 1]);
	else
		snprintf(buf, SUT_NAME, "plugin-%u", peer);
	return buf;
}

static int take_load(const char *arg, bool *idle, struct err *err)
{
	*idle = strcmp(arg, "idle") == 0;
	if (*idle || strcmp(arg, "full") == 0)
		return 0;
	return err_set(err, -EINVAL, "--load: \"%s\" is neither full nor idle", arg);
}

static int take_number(const char *arg, const char *what, unsigned max, unsigned *n,
		       struct err *err)
{
	uint64_t v;
	const int r = units_parse_u64(arg, what, 1, max, &v, err);

	if (!r)
		*n = (unsigned)v;
	return r;
}

static int take_fault(const char *arg, struct sut_config *c, struct err *err)
{
	struct sut_fault_spec *spec = &c->fault[c->faults];

	if (c->faults == SUT_FAULTS_MAX)
		return err_set(err, -EINVAL, "--fault: more than %d", SUT_FAULTS_MAX);
	const int r = sut_fault_parse(arg, spec, err);
	if (!r)
		c->faults += spec->kind != NULL;
	return r;
}

static int take(struct sut_config *c, int id, const char *arg, struct err *err)
{
	const uint64_t second = 1000000000, day = 86400 * second;

	switch (id) {
	case O_HUB:
		c->hub = arg;
		return 0;
	case O_FEED:
		c->feed = arg;
		return 0;
	case O_FAULT:
		return take_fault(arg, c, err);
	case O_PEERS:
		return take_number(arg, "--peers", SUT_PEERS_MAX, &c->peers, err);
	case O_THREADS:
		return take_number(arg, "--host-threads", SUT_THREADS_MAX, &c->host_threads, err);
	case O_SECONDS:
		return units_parse_span(arg, "--seconds", 0, 30 * day, &c->seconds_ns, err);
	case O_INJECT_AFTER:
		return units_parse_span(arg, "--inject-after", 0, day, &c->inject_after_ns, err);
	case O_CROWD:
		return take_number(arg, "--crowd", SUT_CROWD_MAX, &c->crowd, err);
	case O_RESTART_EVERY:
		return units_parse_span(arg, "--restart-every", second / 10, day,
					&c->restart_every_ns, err);
	case O_SEED:
		return units_parse_u64(arg, "--seed", 0, UINT64_MAX, &c->seed, err);
	case O_LOAD:
		return take_load(arg, &c->idle, err);
	case O_RESTART:
		c->restart = true;
		return 0;
	case O_PRELOAD:
		c->preload = true;
		return 0;
	case O_INTERVAL:
		c->interval = arg;
		return 0;
	case O_GROWTH_MIN:
		c->growth_min = arg;
		return 0;
	case O_SAMPLE:
		c->sample = arg;
		return 0;
	}
	return -EINVAL;
}

static int aim(struct sut_config *c, struct err *err)
{
	for (size_t i = 0; i < c->faults; i++) {
		const int r = sut_fault_target(&c->fault[i], c->peers, err);

		if (r)
			return r;
		for (size_t j = 0; j < i; j++)
			if (c->fault[i].peer && c->fault[j].peer == c->fault[i].peer)
				return err_set(err, -EINVAL, "--fault: two faults for peer %u",
					       c->fault[i].peer);
	}
	return 0;
}

int sut_options(int argc, char **argv, struct sut_config *c, struct err *err)
{
	struct opt_walk w;
	int id;

	*c = (struct sut_config){
		.peers = SUT_PEERS_DEFAULT,
		.host_threads = SUT_THREADS_DEFAULT,
		.inject_after_ns = 1000000000,
		.seed = (uint64_t)time(NULL),
	};
	/* not as /proc/self/exe: the kernel names a process after what it executes */
	if (readlink("/proc/self/exe", c->self, sizeof(c->self) - 1) < 0)
		return err_set(err, -errno, "/proc/self/exe: cannot read (%m)");
	opt_begin(&w, &page, argc, argv);
	while ((id = opt_next(&w, err)) != OPT_END) {
		int r = -EINVAL;

		switch (id) {
		case OPT_HELP:
		case OPT_HELP_SHORT:
			opt_help(stdout, &page, id == OPT_HELP_SHORT);
			if (id == OPT_HELP)
				sut_fault_help(stdout);
			return 1;
		case OPT_VERSION:
			opt_version(stdout, &page);
			return 1;
		case OPT_WRONG:
			return -EINVAL;
		default:
			r = take(c, id, w.arg, err);
		}
		if (r)
			return r;
	}
	if (w.operands)
		return err_set(err, -EINVAL, "%s: hubdemo takes no operands", argv[1]);
	if (!c->hub) {
		err_set(err, -EINVAL, "--hub: is missing");
		return err_next(err, "hubdemo --hub /tmp/demo.hub");
	}
	return aim(c, err);
}
