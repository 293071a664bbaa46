/* waits_priv - how a scene makes its wait-for graph; rules read scene->waits. */
#ifndef SHMSCOPE_FINDINGS_WAITS_PRIV_H
#define SHMSCOPE_FINDINGS_WAITS_PRIV_H

#include "lib/findings/scene_priv.h"
#include "lib/findings/waits.h"

/*
 * waits_build - the graph of a scene whose hubs are built, in the scene's memory.
 * Returns 0 or -ENOMEM. Safety: one-owner.
 */
int waits_build(struct waits *w, struct scene *scene);

/* waits_of_hub - the edges that lead through the calls of hubs; threads that wait for a lock
 * have theirs already. Returns 0 or -ENOMEM. Safety: one-owner. */
int waits_of_hub(struct waits *w, struct scene *scene, const struct scene_hub *hub);

/*
 * waits_of_ends - the paths that lead through open files and children; threads that wait for a lock
 * have theirs already. Returns 0 or -ENOMEM. Safety: one-owner.
 */
int waits_of_ends(struct waits *w, struct scene *scene);

/* waits_first_of - the first node of the process of that number, as another one sees it; -1. Nodes of
 * a process stand together. Safety: one-owner. */
int waits_first_of(const struct waits *w, const struct waits_node *from, int32_t pid);

/* waits_is_own - it sleeps, without a time limit, on a word that only threads of its own process can
 * reach: one of these has to wake it. Safety: one-owner. */
bool waits_is_own(const struct state_thread *t);

/* waits_node_of - the node of a thread by number; NULL. Safety: one-owner. */
struct waits_node *waits_node_of(struct waits *w, const struct state_process *p, int32_t tid);

#endif
