/*
 * rule_test - what tests of rules have in common: peer 3 ("search") of 16 in some trouble, in
 * two live looks a second apart.
 */
#ifndef SHMSCOPE_TESTS_RULE_TEST_H
#define SHMSCOPE_TESTS_RULE_TEST_H

#include "tests/state_build.h"
#include "tests/t.h"

/* Makes trouble in a state; `at` seconds have passed since the first look. */
typedef void trouble(struct state *st, struct state_hub *hub, struct state_peer *p, double at);

struct state *rule_state(double at, trouble *make);

/* Looks at 0 and `later` seconds. */
struct judge *rule_looks(trouble *make, double later);

/* One look at what a hub file tells after everybody was killed. */
struct judge *rule_file(trouble *make);

/* The only critical or warning finding is this one, confirmed; the judge lives on. */
const struct finding *rule_only(struct judge *judge, const char *name);

/* Nothing critical or warning is confirmed, nor is `name` suspected; frees the judge. */
void rule_none(struct judge *judge, const char *name);

#endif
