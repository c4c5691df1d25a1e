#!/usr/bin/env bash
# Whole-program measurements against Debian's postfix and dovecot, in one run on one disk; prints ratios.
# usage: bench/run.sh [--reps N] [--dir DIR] [--only NAME[,NAME]]     (root, for postfix and dovecot)
set -eu
cd "$(dirname "$0")/.."
cargo build --release --quiet -p mtad -p mta-bench
export MTAD=${CARGO_TARGET_DIR:-target}/release/mtad LOAD=${CARGO_TARGET_DIR:-target}/release/load CEILING=${CARGO_TARGET_DIR:-target}/release/ceiling HANDSHAKES=${CARGO_TARGET_DIR:-target}/release/handshakes
exec python3 bench/compare.py "$@"
