#!/usr/bin/env bash
# Runs every check of the workspace: ./test.sh [--long]. What it must skip it names at the end.
set -u
cd "$(dirname "$0")" || exit 1
long=0
[ "${1:-}" = --long ] && long=1
export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never}
target=${CARGO_TARGET_DIR:-$PWD/target}
skipped=()
failed=()

stage() { # NAME COMMAND...
    local name=$1 begin=$SECONDS
    shift
    printf '\n=== %s\n' "$name"
    if "$@" </dev/null; then
        printf -- '--- %s: ok (%d s)\n' "$name" $((SECONDS - begin))
    else
        printf -- '--- %s: FAILED (%d s)\n' "$name" $((SECONDS - begin))
        failed+=("$name")
    fi
}

# Interop peers, all from Debian; a tool that is there already is not touched.
packages() {
    local missing=() pair
    for pair in curl:curl swaks:swaks smtp-source:postfix mpop:mpop fetchmail:fetchmail msmtp:msmtp \
        cdb:tinycdb openssl:openssl python3:python3 mkfs.ext4:e2fsprogs mount:mount kill:procps cc:gcc c++:g++ \
        tcprules:ucspi-tcp svscan:daemontools runsv:runit; do
        PATH=$PATH:/usr/sbin:/sbin command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        skipped+=("installing ${missing[*]}: needs root and apt-get")
        return 0
    fi
    # smtp-source and smtp-sink come with postfix, which must not start a server of its own.
    echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null && return 0
    skipped+=("installing ${missing[*]}: apt-get could not")
}

# The tests that came with ucspi-tcp are in Debian's source package only.
ucspi_source() {
    local place=$target/ucspi-tcp
    export MTA_UCSPI_TCP_SOURCE=$place/source
    [ -f "$MTA_UCSPI_TCP_SOURCE/rts.tests" ] && return 0
    command -v apt-get >/dev/null || { skipped+=('source of ucspi-tcp: needs apt-get'); return 0; }
    local keys=/usr/share/keyrings/debian-archive-keyring.gpg suite options
    suite=$(sed -n "s/^VERSION_CODENAME=//p" /etc/os-release)
    mkdir -p "$place/lists/partial" "$MTA_UCSPI_TCP_SOURCE" || return 0
    echo "deb-src [signed-by=$keys] http://deb.debian.org/debian $suite main" >"$place/sources.list"
    options="-o Dir::Etc::sourcelist=$place/sources.list -o Dir::Etc::sourceparts=- -o Dir::State::lists=$place/lists"
    # shellcheck disable=SC2086 # they are several words
    (cd "$place" && apt-get $options update -qq && apt-get $options source -qq --download-only --tar-only ucspi-tcp &&
        tar xzf ucspi-tcp_*.orig.tar.gz --strip-components=1 -C source) >/dev/null 2>&1 && return 0
    skipped+=('source of ucspi-tcp: apt-get could not')
}

# Not in Debian: judges the TLS ports in the long run.
install_sslyze() {
    local place=$target/sslyze
    PATH=$PATH:$place/bin command -v sslyze >/dev/null && return 0
    python3 -m venv "$place" && "$place/bin/pip" --quiet install sslyze && return 0
    skipped+=("installing sslyze: needs python3-venv and PyPI")
}

# The long versions are marked as ignored; properties get more cases through proptest's own variable.
run_tests() {
    if cargo nextest --version >/dev/null 2>&1; then
        if [ $long = 1 ]; then set -- --run-ignored all; fi
        cargo nextest run --workspace --no-fail-fast "$@"
    else
        if [ $long = 1 ]; then set -- -- --include-ignored; fi
        cargo test --workspace --no-fail-fast --lib --bins --tests "$@"
    fi
}

fuzz_smoke() {
    local seconds=5
    [ $long = 1 ] && seconds=600
    CARGO_TARGET_DIR=$target/fuzz fuzz/run.sh "$seconds"
}

packages
ucspi_source
export PATH=$PATH:/usr/sbin:/sbin
export MTA_TEST_SKIPS=$target/skipped-tests
mkdir -p "$target" && : >"$MTA_TEST_SKIPS"
if [ $long = 1 ]; then
    install_sslyze
    export PATH=$PATH:$target/sslyze/bin
fi
if [ $long = 1 ]; then export PROPTEST_CASES=${PROPTEST_CASES:-5000}; fi

stage 'formatting' cargo fmt --all --check
stage 'clippy' cargo clippy --workspace --all-targets --locked -- -D warnings
stage 'documentation' env RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked --quiet
stage 'doc tests' cargo test --workspace --doc --locked --quiet
stage 'tests, examples, interop' run_tests
stage 'fuzz smoke' fuzz_smoke
if command -v cargo-deny >/dev/null; then
    stage 'licences and sources' cargo deny --offline check licenses bans sources
else
    skipped+=('licences and sources: cargo-deny is not installed')
fi

echo
for line in "${skipped[@]}"; do echo "skipped: $line"; done
sort -u "$MTA_TEST_SKIPS" | sed 's/^/skipped: /'
if [ ${#failed[@]} -gt 0 ]; then
    for line in "${failed[@]}"; do echo "failed: $line"; done
    exit 1
fi
echo "all checks passed in $SECONDS s"
