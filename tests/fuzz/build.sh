#!/usr/bin/env bash
# Builds the fuzz targets on stable Rust, or runs one, or each for a short time.
#
#   tests/fuzz/build.sh                               builds all of them
#   tests/fuzz/build.sh run TARGET [libFuzzer flags]  fuzzes: build.sh run mllp_frames -max_total_time=60
#   tests/fuzz/build.sh smoke [SECONDS]               fuzzes each for so long (20 s), as CI does
#
# Only Loopline and the targets are built with coverage counters, by a compiler wrapper; everything else is taken as the main workspace
# compiled it. Instrumenting all of it would compile some 300 crates a second time, for code that is not ours to mend.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}
export RUSTC_WRAPPER=$here/rustc-with-coverage.sh

# The same versions as the main workspace; cargo adds the few that only fuzzing needs.
cp "$root/Cargo.lock" "$here/Cargo.lock"
cargo build --manifest-path "$here/Cargo.toml"

targets=()
for file in "$here"/fuzz_targets/*.rs; do targets+=("$(basename "$file" .rs)"); done

# Found inputs go to corpus/ (not kept in git); seeds/ is kept: inputs that once failed, and good ones to begin with.
fuzz() {
    local target=$1
    shift
    mkdir -p "$here/corpus/$target" "$here/artifacts/$target" "$here/seeds/$target"
    "$CARGO_TARGET_DIR/debug/$target" -artifact_prefix="$here/artifacts/$target/" "$@" \
        "$here/corpus/$target" "$here/seeds/$target"
}

case "${1:-}" in
    "") ;;
    run)
        target=${2:?which target: ${targets[*]}}
        shift 2
        fuzz "$target" "$@"
        ;;
    smoke)
        for target in "${targets[@]}"; do fuzz "$target" -max_total_time="${2:-20}" -verbosity=0; done
        ;;
    *)
        echo "build.sh: there is no $1: nothing, run TARGET or smoke" >&2
        exit 2
        ;;
esac
