# shmscope: the whole build, one file, not recursive.
#
#   make                 the programs and libraries          build/plain/{bin,lib}
#   make check           every test (installs what is missing, by apt)
#   make demo            a hang and its explanation, FAULT=NAME picks another
#   make bench           figures against the peers, BENCH=ipc runs one
#   make fuzz            a fuzzer of tests/fuzz: FUZZ=hub_live SECONDS=60 JOBS=1
#   make install         DESTDIR=, PREFIX=/usr/local
#   SAN=address|thread|undefined   the same in a directory of its own; V=1 shows commands

SAN    ?=
CFLAGS ?= -O2 -g
PREFIX ?= /usr/local
FAULT  ?= lost-bell
VERSION := 0.1.0

B   := build/$(or $(SAN),plain)
O   := $(B)/obj
Q   := $(if $(V),,@)
say  = $(if $(V),,@printf '  %-5s %s\n' $(1) '$(@:$(B)/%=%)';)

# ---- flags: CC, CPPFLAGS, CFLAGS and LDFLAGS belong to the user ------------------------------
warnings     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
san_flags    := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
ALL_CPPFLAGS  = -I. -D_GNU_SOURCE -DSHMSCOPE_VERSION='"$(VERSION)"' $(CPPFLAGS)
ALL_CFLAGS    = -std=gnu11 -fPIC -pthread $(warnings) $(if $(WERROR),-Werror) $(san_flags) $(CFLAGS)
ALL_LDFLAGS   = -pthread $(san_flags) $(LDFLAGS)
TOOL_LIBS     = -ljansson -ldw -lelf -lz
SCREEN_LIBS   = -lncursesw -ltinfo

# ---- what is built from what: a new .c joins by its directory -------------------------------
src      = $(sort $(wildcard $(1)))
objs     = $(patsubst %.c,$(O)/%.o,$(call src,$(1)))

base_objs    := $(call objs,lib/base/*.c)
as_objs      := $(call objs,lib/as/*.c)
hub_objs     := $(call objs,lib/hub/*.c)
lib_objs     := $(call objs,lib/*/*.c)
preload_objs := $(call objs,sigdump/preload/*.c sigdump/preload/as/*.c)
# What becomes libsigdump.so: never instrumented, because it runs before a sanitizer's own start,
# and in a thread that the sanitizer knows nothing of.
guest_objs   := $(if $(SAN),$(patsubst $(O)/%,$(O)/guest/%,$(preload_objs) $(as_objs)),$(preload_objs) $(as_objs))
sigpath_objs := $(as_objs) $(call objs,sigdump/preload/as/*.c)
# The copy of libshmhub with the fault seam (hub_fault.h): only tests and hubdemo link it.
fault_objs   := $(patsubst %.c,$(O)/fault/%.o,$(call src,lib/hub/*.c))
sut_objs     := $(call objs,tests/sut/*.c)

unit_srcs    := $(call src,tests/unit/*_test.c tests/stress/*_stress.c tests/crash/*_crash.c)
unit_bins    := $(patsubst tests/%.c,$(B)/tests/%,$(unit_srcs))
# One fixture in several builds: what an unwinder meets depends on the flags.
stacks_O0    := -O0
stacks_O2    := -O2 -fomit-frame-pointer
stacks_fp    := -O2 -fno-omit-frame-pointer -fno-plt
stacks_bins  := $(foreach k,O0 O2 fp,$(B)/fixture/stacks-$(k))
fixture_bins := $(patsubst tests/%.c,$(B)/%,$(call src,tests/fixture/*.c)) $(stacks_bins)
# Examples: what a stranger's program has, public headers and libshmhub.so. The one for libuv and
# the one in C++ are left out where these are not installed; their test says so.
example_bins := $(B)/example/words_host $(B)/example/words_run $(B)/example/words_epoll \
	$(if $(wildcard /usr/include/uv.h),$(B)/example/words_uv) \
	$(if $(shell command -v $(CXX)),$(B)/example/words_cxx)
bench_bins   := $(patsubst tests/%.c,$(B)/%,$(call src,tests/bench/*_bench.c))
bench_objs   := $(filter-out %_bench.o,$(call objs,tests/bench/*.c))
helper_objs  := $(call objs,tests/*.c tests/sut/sut_message.c)

libs  := $(B)/lib/libshmhub.a $(B)/lib/libshmhub.so $(if $(preload_objs),$(B)/lib/libsigdump.so)
tools := $(foreach t,sigdump shmtop shminspect,$(if $(call src,$(t)/*.c),$(B)/bin/$(t)))
sut   := $(if $(sut_objs),$(B)/bin/hubdemo)

all: $(libs) $(tools) $(sut)

# Code that a signal may land in: no lazy TLS, no lazy binding (checked by check-as).
# (A variable of its own: what is added to ALL_CFLAGS here would leak into $(B)/flags.)
$(as_objs) $(preload_objs) $(guest_objs): OBJ_CFLAGS += -ftls-model=initial-exec
$(hub_objs) $(fault_objs) $(preload_objs) $(base_objs): OBJ_CFLAGS += -fvisibility=hidden
# Who links that copy sees the seam in its header too.
$(sut_objs) $(helper_objs) $(O)/tests/unit/%.o $(O)/tests/stress/%.o $(O)/tests/crash/%.o: OBJ_CFLAGS += -DSHMHUB_FAULTS

$(O)/%.o: %.c $(B)/flags Makefile | deps
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(OBJ_CFLAGS) -MMD -MP -c -o $@ $<

# The names of the system calls, from the headers of the kernel we build for.
$(O)/gen/syscall_names.inc: Makefile $(B)/flags | deps
	@mkdir -p $(@D)
	$(call say,GEN)echo '#include <asm/unistd.h>' | $(CC) $(ALL_CPPFLAGS) -E -dM - | sed -n -e /__NR_syscalls/d -e \
		's/^#define __NR_\([a-z][a-z0-9_]*\) \([0-9][0-9]*\)$$/[\2] = "\1",/p' | sort >$@
$(O)/lib/proc/proc_syscall.o: ALL_CPPFLAGS += -I$(O)/gen
$(O)/lib/proc/proc_syscall.o: $(O)/gen/syscall_names.inc

$(O)/fault/%.o: %.c $(B)/flags Makefile | deps
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(ALL_CPPFLAGS) -DSHMHUB_FAULTS $(ALL_CFLAGS) $(OBJ_CFLAGS) -MMD -MP -c -o $@ $<

$(O)/guest/%.o: %.c $(B)/flags Makefile | deps
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(ALL_CPPFLAGS) $(filter-out $(san_flags),$(ALL_CFLAGS)) $(OBJ_CFLAGS) \
		-fvisibility=hidden -MMD -MP -c -o $@ $<

$(B)/flags: FORCE                     # rebuild when compiler or flags change
	@mkdir -p $(@D); echo '$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(VERSION)' | cmp -s - $@ || \
	 echo '$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(VERSION)' >$@

# One object whose inner names are nobody else's: a program may have an err_set() of its own.
$(B)/lib/libshmhub.a: $(hub_objs) $(base_objs)
	@mkdir -p $(@D); rm -f $@
	$(call say,AR)$(LD) -r -o $(O)/libshmhub.o $^ && objcopy --localize-hidden $(O)/libshmhub.o && \
		$(AR) rcs $@ $(O)/libshmhub.o

$(B)/lib/libshmhub.so.0: $(hub_objs) $(base_objs) lib/hub/shmhub.map
	@mkdir -p $(@D)
	$(call say,LD)$(CC) -shared -Wl,-soname,libshmhub.so.0 -Wl,--version-script=lib/hub/shmhub.map \
		-Wl,-z,now $(if $(SAN),,-Wl,--no-undefined) $(ALL_LDFLAGS) -o $@ $(hub_objs) $(base_objs)

$(B)/lib/libshmhub.so: $(B)/lib/libshmhub.so.0
	@ln -sf libshmhub.so.0 $@

# initfirst: our constructor runs before any other, so that no thread exists yet.
# bsymbolic: our own calls stay ours, whatever the program exports.
$(B)/lib/libsigdump.so: $(guest_objs) sigdump/preload/sigdump.map
	@mkdir -p $(@D)
	$(call say,LD)$(CC) -shared -Wl,-soname,libsigdump.so -Wl,--version-script=sigdump/preload/sigdump.map \
		-Wl,-z,now -Wl,-z,initfirst -Wl,-Bsymbolic $(filter-out $(san_flags),$(ALL_LDFLAGS)) \
		-o $@ $(guest_objs) -ldl

# Everything under lib/ for the tools; the tests' copy carries the fault seam.
$(B)/lib/libshmscope.a: $(lib_objs)
	@mkdir -p $(@D); rm -f $@
	$(call say,AR)$(AR) rcs $@ $^

$(B)/lib/libshmscope-test.a: $(filter-out $(hub_objs),$(lib_objs)) $(fault_objs) $(helper_objs)
	@mkdir -p $(@D); rm -f $@
	$(call say,AR)$(AR) rcs $@ $^

$(B)/bin/sigdump: $(call objs,sigdump/*.c) $(B)/lib/libshmscope.a
$(B)/bin/shminspect: $(call objs,shminspect/*.c) $(B)/lib/libshmscope.a
$(B)/bin/shmtop: $(call objs,shmtop/*.c) $(B)/lib/libshmscope.a
$(B)/bin/shmtop: EXTRA_LIBS = $(SCREEN_LIBS)
$(B)/bin/sigdump $(B)/bin/shminspect $(B)/bin/shmtop:
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(EXTRA_LIBS) $(TOOL_LIBS)

# What the screens are made of, without main() and without a terminal, for their tests.
top_objs  := $(filter-out $(O)/shmtop/shmtop.o $(O)/shmtop/screen.o,$(call objs,shmtop/*.c))
top_tests := $(filter $(B)/tests/unit/top_%,$(unit_bins))
$(B)/lib/libshmtop-test.a: $(top_objs)
	@mkdir -p $(@D); rm -f $@
	$(call say,AR)$(AR) rcs $@ $^
$(top_tests): $(B)/lib/libshmtop-test.a
$(top_tests): TEST_LIBS = $(B)/lib/libshmscope-test.a $(TOOL_LIBS)

$(B)/bin/hubdemo: $(sut_objs) $(B)/lib/libshmscope-test.a
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(TOOL_LIBS)

$(B)/tests/%: $(O)/tests/%.o $(B)/lib/libshmscope-test.a
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(TOOL_LIBS) $(TEST_LIBS)

# Peers that are not installed are left out of a bench; their rows say so.
has = $(if $(wildcard $(1)),$(2))
BENCH_LIBS = $(call has,/usr/include/zmq.h,-lzmq) $(call has,/usr/include/nng/nng.h,-lnng) \
	$(if $(iceoryx_inc),-liceoryx_binding_c)
iceoryx_inc := $(patsubst %/iceoryx_binding_c/publisher.h,%,\
	$(firstword $(wildcard /usr/include/iceoryx/v*/iceoryx_binding_c/publisher.h)))
$(O)/tests/bench/ipc_iceoryx.o: ALL_CPPFLAGS += $(if $(iceoryx_inc),-isystem $(iceoryx_inc))
$(bench_objs) $(patsubst $(B)/bench/%,$(O)/tests/bench/%.o,$(bench_bins)): ALL_CFLAGS += -O3

# NAME_bench is made of its own NAME_*.c and of what all benches share.
bench_parts = $(call objs,tests/bench/bench.c $(filter-out %_bench.c,$(wildcard tests/bench/$(1)_*.c)))
.SECONDEXPANSION:
$(B)/bench/%_bench: $(O)/tests/bench/%_bench.o $$(call bench_parts,$$*) $(B)/lib/libshmscope.a
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(TOOL_LIBS) $(BENCH_LIBS)

# Fixtures are programs like anybody's: they link nothing of ours.
$(B)/fixture/%: tests/fixture/%.c $(B)/flags | deps
	@mkdir -p $(@D)
	$(call say,CC)$(CC) -I. -D_GNU_SOURCE -std=gnu11 $(warnings) -g -O1 -pthread -rdynamic $(san_flags) -o $@ $< -ldl

example_flags = -Ilib/hub -D_GNU_SOURCE -Wall -Wextra -O2 -g -pthread $(if $(WERROR),-Werror) $(san_flags)
example_libs  = -L$(B)/lib -Wl,-rpath,'$$ORIGIN/../lib' -lshmhub
$(B)/example/%: tests/example/%.c tests/example/words.c tests/example/words.h $(B)/lib/libshmhub.so $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(CC) -std=gnu11 $(example_flags) -o $@ $< $(if $(filter %_host,$@),,tests/example/words.c) \
		$(example_libs) $(if $(filter %_uv,$@),-luv)

$(B)/golden/%: tests/golden/%.c $(B)/lib/libshmhub.so $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(CC) -std=gnu11 $(example_flags) -o $@ $< $(example_libs)

$(B)/example/%: tests/example/%.cc tests/example/words.h $(B)/lib/libshmhub.so $(B)/flags
	@mkdir -p $(@D)
	$(call say,CXX)$(CXX) -std=c++17 $(example_flags) -o $@ $< $(example_libs)

$(stacks_bins): $(B)/fixture/stacks-%: tests/fixture/stacks.c $(B)/flags | deps
	@mkdir -p $(@D)
	$(call say,CC)$(CC) -D_GNU_SOURCE -std=gnu11 $(warnings) -g $(stacks_$*) -pthread -rdynamic -o $@ $<

# Our own walk of the unwind tables is held against libunwind's.
$(B)/tests/unit/as_chains_test: TEST_LIBS = -lunwind-ptrace -lunwind-x86_64 -lunwind

# ---- fuzzers: clang's libFuzzer, in a directory of their own ---------------------------------
# make fuzz FUZZ=hub_live SECONDS=600; goes on where the last run ended.
F         := build/fuzz
FUZZ_CC   ?= clang
FUZZ      ?= hub_live
SECONDS   ?= 60
JOBS      ?= 1
fuzz_san  := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
fuzz_bins := $(patsubst tests/fuzz/%_fuzz.c,$(F)/%,$(call src,tests/fuzz/*_fuzz.c))
fuzz_objs  = $(patsubst %.c,$(F)/obj/%.o,$(call src,$(1)) tests/fuzz/fuzz.c)
$(F)/obj/lib/proc/proc_syscall.o: ALL_CPPFLAGS += -I$(O)/gen
$(F)/obj/lib/proc/proc_syscall.o: $(O)/gen/syscall_names.inc
$(F)/obj/%.o: %.c Makefile | deps
	@mkdir -p $(@D)
	$(call say,CC)$(FUZZ_CC) $(ALL_CPPFLAGS) -std=gnu11 -O1 -g -pthread $(warnings) -fsanitize=fuzzer-no-link \
		$(fuzz_san) -MMD -MP -c -o $@ $<
$(F)/hub_live: $(call fuzz_objs,lib/base/*.c lib/hub/*.c) $(F)/hub_live_peer
$(filter-out $(F)/hub_live,$(fuzz_bins)): $(call fuzz_objs,lib/*/*.c) $(F)/obj/tests/hub_build.o
$(fuzz_bins): $(F)/%: $(F)/obj/tests/fuzz/%_fuzz.o
	@mkdir -p $(@D)
	$(call say,LD)$(FUZZ_CC) -pthread -fsanitize=fuzzer $(fuzz_san) -o $@ $(filter %.o,$^) $(TOOL_LIBS)
# What the host starts: a program like anybody's.
$(F)/hub_live_peer: $(O)/tests/fuzz/hub_live_peer.o $(B)/lib/libshmhub.a
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^
fuzz: $(F)/$(FUZZ)
	$(Q)scripts/fuzz $(FUZZ) $(SECONDS) $(JOBS)

# ---- checks -------------------------------------------------------------------------------
check: check-layers check-pairs check-as check-model check-tests
check-layers: | deps
	$(Q)scripts/check-layers
check-pairs: | deps
	$(Q)scripts/check-pairs lib/hub/*.[ch] lib/as/*.[ch] $(wildcard sigdump/preload/*.[ch] sigdump/preload/as/*.[ch])
check-as: $(sigpath_objs)
	$(Q)$(if $(SAN),true,scripts/check-as scripts/as-allowed.syms $^)
check-tests: all $(unit_bins) $(fixture_bins) $(example_bins) $(B)/golden/hub_golden
	$(Q)B=$(B) SAN=$(SAN) scripts/run-tests $(TESTS)
check-model: | deps
	$(Q)scripts/run-models tests/model

demo: all
	$(Q)B=$(B) FAULT=$(FAULT) scripts/demo

# Every fault x every source; SEEDS=20 MATRIX='--pairs' or '--silence 600' for more.
SEEDS ?= 1
matrix: all
	@mkdir -p $(B)/matrix
	$(Q)B=$(B) scripts/matrix --seeds $(SEEDS) --json $(B)/matrix/matrix.json $(MATRIX)

bench: all $(bench_bins)
	$(Q)B=$(B) scripts/run-bench $(BENCH)
bench-deps:
	$(Q)scripts/deps --install bench

# Which packages are needed, and why, stands in scripts/deps. Goals that promise to work on a
# bare machine install what is missing; plain `make` only names it.
deps_mode := $(if $(filter check% demo matrix bench fuzz deps,$(MAKECMDGOALS)),--install,--check)
deps:
	$(Q)scripts/deps $(deps_mode) $(if $(filter fuzz,$(MAKECMDGOALS)),ci,$(if $(filter check% matrix bench deps,$(MAKECMDGOALS)),check,build))

install: all
	$(Q)B=$(B) VERSION=$(VERSION) DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) scripts/install
clean:
	rm -rf build

FORCE:
.PHONY: all fuzz check check-layers check-pairs check-as check-tests check-model demo matrix bench bench-deps deps install clean FORCE
.DELETE_ON_ERROR:
.SECONDARY:
-include $(shell find $(B) $(F) -name '*.d' 2>/dev/null)
