#!/bin/sh
# Runs each fuzz target for the time given. Usage: scripts/fuzz.sh 60s
# Making a found input small is bounded: by default it takes most of the time.
set -eu

grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n 1 dirname | sort -u | while read -r dir; do
	for target in $(grep -h -o '^func Fuzz[A-Za-z0-9_]*' "$dir"/*_test.go | cut -d ' ' -f 2 | sort); do
		echo "== $dir $target"
		go test -run '^$' -fuzzminimizetime 10x -fuzz "^$target\$" -fuzztime "$1" "$dir"
	done
done
