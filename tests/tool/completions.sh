#!/bin/bash
# Each shell is offered what the helps name, no more and no less, and every word that is offered
# for an argument is one that the tool takes.
set -u
export PATH=$PWD/$B/bin:$PATH
trap 'rm -rf "$TMPDIR"/*' EXIT
fail() { echo "$*" >&2; exit 1; }
[ -z "$SAN" ] || { echo "skipped: the plain build is what it is about"; exit 77; }

options_of() { # help on stdin: "--name" and "-n", one a line
	sed -nE 's/^ +(-([A-Za-z]),)? +--([a-z-]+).*/\1 --\3/p' | tr -d , | tr -s ' ' '\n' | grep . | sort
}
offered() { # words of a command line, the last one being completed: what bash would show
	COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
	"_$1" 2>/dev/null
	printf '%s\n' "${COMPREPLY[@]}" | grep . | sort
}
same() { # what, offered, wanted
	diff <(echo "$2") <(echo "$3") >&2 || fail "$1: offered (<) and wanted (>) differ"
}

for tool in sigdump shmtop shminspect; do
	"$tool" --completion bash >"$TMPDIR/$tool.bash" || fail "$tool --completion bash"
	"$tool" --completion zsh >"$TMPDIR/_$tool" || fail "$tool --completion zsh"
	"$tool" --completion fish >"$TMPDIR/$tool.fish" || fail "$tool --completion fish"
	. "$TMPDIR/$tool.bash" || fail "$tool: bash does not take it"
	"$tool" --completion csh 2>/dev/null && fail "$tool --completion csh"
done

# options
for tool in shmtop shminspect; do
	wanted=$($tool --help | options_of)
	same "$tool, bash" "$(offered $tool -)" "$wanted"
	same "$tool, zsh" "$(sed -n '/_arguments/,/^}/p' "$TMPDIR/_$tool" | grep -Eo "^[[:space:]]*'[^[]*\[" |
		grep -Eo -- '-(-[a-z-]+|[A-Za-z])' | sort -u)" "$wanted"
	same "$tool, fish" "$(sed -nE 's/^complete -c [a-z]+( -s (.))? -l ([a-z-]+).*/-\2 --\3/p' "$TMPDIR/$tool.fish" |
		tr ' ' '\n' | grep -vx -- - | sort)" "$wanted"
done
for command in run dump list status; do
	wanted=$(sigdump $command --help | options_of)
	same "sigdump $command, bash" "$(offered sigdump $command -)" "$wanted"
	same "sigdump $command, zsh" "$(sed -n "/^	$command) _arguments/,/;;/p" "$TMPDIR/_sigdump" |
		grep -Eo "^[[:space:]]*'[^[]*\[" | grep -Eo -- '-(-[a-z-]+|[A-Za-z])' | sort -u)" "$wanted"
	same "sigdump $command, fish" "$(sed -nE "s/^complete -c sigdump -n '__fish_seen_subcommand_from $command'( -s (.))? -l ([a-z-]+).*/-\2 --\3/p" \
		"$TMPDIR/sigdump.fish" | tr ' ' '\n' | grep -vx -- - | sort)" "$wanted"
done
same "commands" "$(offered sigdump '')" $'dump\nlist\nrun\nstatus'

# values: taken by the tool, and all of them offered
takes() { # tool, command or "", option, a wrong value's complaint names the right ones
	local tool=$1 command=$2 option=$3 named
	named=$($tool $command "$option" no-such-word x 2>&1 | grep -Eo 'none of .*' | sed 's/none of //; s/, /\n/g' | sort)
	[ -n "$named" ] || fail "$tool $command $option: takes no-such-word"
	same "$tool $command $option" "$(offered "$tool" $command "$option" '')" "$named"
}
takes shmtop '' --sort
takes shmtop '' --color
takes shmtop '' --fail-on
takes shminspect '' --format
takes shminspect '' --color
takes shminspect '' --fail-on
takes sigdump dump --format
takes sigdump dump --color
same "--explain" "$(offered shminspect --explain '')" \
	"$(shminspect --explain list | sed -nE 's/^  ([a-z-]+) .*/\1/p' | sort)"
for signal in $(offered sigdump run --signal ''); do
	sigdump run --signal "$signal" -- true || fail "--signal $signal is offered and not taken"
done

# as a person types: a word begun, "--color=al" (bash splits it), files, what comes after "--"
same "a begun word" "$(offered shminspect --explain missed)" missed-wakeup
same "--color=al" "$(offered shminspect --color = al)" always
same "--color=" "$(offered shminspect --color =)" $'always\nauto\nnever'
mkdir "$TMPDIR/dir"
: >"$TMPDIR/dir/a b.hub"
same "files" "$(offered shminspect "$TMPDIR/dir/a")" "$TMPDIR/dir/a b.hub"
same "the command of run" "$(offered sigdump run -- shmto)" shmtop
if SHMSCOPE_FEED=$TMPDIR sigdump run -- sleep 100 & then
	pid=$!
	for _ in {1..100}; do
		sigdump list | grep -q "^ *$pid " && break
		sleep 0.05
	done
	offered sigdump dump -p '' | grep -qx "$pid" || fail "-p: process $pid is not offered"
	kill $pid
	wait $pid 2>/dev/null
fi

# the other shells, where they are
if command -v zsh >/dev/null; then
	for tool in sigdump shmtop shminspect; do
		zsh -n "$TMPDIR/_$tool" || fail "$tool: zsh does not take it"
	done
fi
if command -v fish >/dev/null; then
	for tool in sigdump shmtop shminspect; do
		fish -n "$TMPDIR/$tool.fish" || fail "$tool: fish does not take it"
		HOME=$TMPDIR/home fish -c "source $TMPDIR/$tool.fish; complete -C '$tool --'" >"$TMPDIR/said" 2>&1
		grep -q -- '^--help' "$TMPDIR/said" || [ $tool = sigdump ] || fail "$tool: fish offers: $(cat "$TMPDIR/said")"
	done
fi
exit 0
