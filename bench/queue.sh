#!/usr/bin/env bash
# What large queues cost mtad and qmail-qread, and what qmail-inject costs beside the original.
# usage: bench/queue.sh [--list N] [--memory N] [--inject N] [--dir DIR]     (0 leaves a part out)
set -eu
cd "$(dirname "$0")/.."
cargo build --release --quiet -p mtad -p qmail -p mta-bench
export BIN=${CARGO_TARGET_DIR:-$PWD/target}/release
exec python3 bench/queue.py "$@"
