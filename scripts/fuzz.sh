#!/bin/sh
# Runs every fuzz target for the time given, one after the other, and names
# those that found something at the end. What follows the time is for go test.
# Usage: scripts/fuzz.sh 60s [-parallel 1]
# Making a found input small is bounded: by default it takes most of the time.
set -eu

time=$1
shift

found=
for dir in $(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n 1 dirname | sort -u); do
	for target in $(grep -h -o '^func Fuzz[A-Za-z0-9_]*' "$dir"/*_test.go | cut -d ' ' -f 2 | sort); do
		echo "== $dir $target"
		go test -run '^$' -fuzzminimizetime 10x -fuzz "^$target\$" -fuzztime "$time" "$@" "$dir" || found="$found $dir:$target"
	done
done

if [ -n "$found" ]; then
	echo "found something:$found" >&2
	exit 1
fi
