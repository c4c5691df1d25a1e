#!/usr/bin/env bash
# Fuzzes every target, or those named, for SECONDS each on the stable toolchain.
# usage: fuzz/run.sh SECONDS [TARGET...]
set -eu
cd "$(dirname "$0")"
seconds=${1:?usage: fuzz/run.sh SECONDS [TARGET...]}
shift
target=${CARGO_TARGET_DIR:-$PWD/target}
host=$(rustc -vV | sed -n 's/^host: //p')
# The flags of cargo-fuzz without a sanitizer: safe code has its own checks, coverage is what counts.
# Naming the target keeps them away from build scripts and procedural macros.
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Ccodegen-units=1 \
-Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"
cargo build --release --quiet --target "$host" --target-dir "$target"
[ $# -gt 0 ] || set -- $(sed -n 's/^name = "\(fuzz_.*\)"$/\1/p' Cargo.toml)
mkdir -p artifacts
for name; do
    corpus=$target/corpus/$name
    mkdir -p "$corpus" "seeds/$name"
    printf 'fuzz %-24s ' "$name"
    log=$target/$name.log
    if "$target/$host/release/$name" "$corpus" "seeds/$name" -max_total_time="$seconds" -rss_limit_mb=2048 \
        -timeout=10 -max_len=65536 -artifact_prefix="artifacts/$name-" >"$log" 2>&1; then
        sed -n 's/^Done \([0-9]*\) runs in.*/\1 runs, no finding/p' "$log"
    else
        echo "FINDING:"
        tail -n 30 "$log"
        exit 1
    fi
done
