#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/sut/sut_host.h"

int sut_links_create(struct sut_host *host, struct err *err)
{
	const unsigned n = host->config->peers;

	host->link = calloc(n + 1, sizeof(*host->link));
	if (!host->link)
		return err_set(err, -ENOMEM, "links: no memory");
	for (unsigned i = 1; i <= n; i++) {
		struct sut_link *link = &host->link[i];

		link->id = i;
		sut_peer_name(i, link->name);
		pthread_mutex_init(&link->lock, NULL);
		pthread_cond_init(&link->empty, NULL);
	}
	return 0;
}

bool sut_link_enter(struct sut_link *link)
{
	pthread_mutex_lock(&link->lock);
	const bool may = !link->closed && !link->dead && link->inside < SUT_SEATS;
	link->inside += may;
	pthread_mutex_unlock(&link->lock);
	return may;
}

void sut_link_leave(struct sut_link *link)
{
	pthread_mutex_lock(&link->lock);
	if (--link->inside == 0)
		pthread_cond_broadcast(&link->empty);
	pthread_mutex_unlock(&link->lock);
}

void sut_link_close(struct sut_link *link)
{
	pthread_mutex_lock(&link->lock);
	link->closed = true;
	while (link->inside)
		pthread_cond_wait(&link->empty, &link->lock);
	pthread_mutex_unlock(&link->lock);
}

void sut_link_open(struct sut_link *link)
{
	pthread_mutex_lock(&link->lock);
	link->closed = false;
	pthread_mutex_unlock(&link->lock);
}

void sut_link_arrived(struct sut_host *host, struct sut_link *link, const struct sut_head *head)
{
	struct sut_tally *tally = host->tally;

	pthread_mutex_lock(&link->lock);
	const struct sut_arrival a = sut_window_mark(&link->window, head->lane, head->number);
	pthread_mutex_unlock(&link->lock);
	sut_count(&link->received, 1);
	sut_count(&tally->verified, 1);
	sut_count(&tally->lost, a.lost);
	sut_count(&tally->duplicated, a.duplicated);
}

static void settle(struct sut_host *host, struct sut_link *link, const char *way, uint64_t sent,
		   uint64_t received)
{
	if (sent == received)
		return;
	fprintf(stderr, "hubdemo: warning: %s(%u): %s: %ju messages sent, %ju received\n",
		link->name, link->id, way, (uintmax_t)sent, (uintmax_t)received);
	if (sent > received)
		sut_count(&host->tally->lost, sent - received);
	else
		sut_count(&host->tally->duplicated, received - sent);
}

void sut_links_settle(struct sut_host *host)
{
	for (unsigned i = 1; i <= host->config->peers; i++) {
		struct sut_link *link = &host->link[i];
		struct sut_tally *theirs = &host->tally[i];

		if (link->faulty || link->unclean)
			continue;
		settle(host, link, "to it", sut_read(&link->sent), sut_read(&theirs->received));
		settle(host, link, "from it", sut_read(&theirs->sent), sut_read(&link->received));
	}
}
