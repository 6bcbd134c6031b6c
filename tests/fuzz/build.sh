#!/usr/bin/env bash
# Builds the fuzz targets on stable Rust, or runs one.
#
#   tests/fuzz/build.sh                               builds all of them
#   tests/fuzz/build.sh run TARGET [libFuzzer flags]  fuzzes: build.sh run mllp_frames -max_total_time=60
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

if [ "${1:-}" = run ]; then
    target=${2:?which target: mllp_frames, hl7_batches, hl7_bytes_to_answer}
    shift 2
    mkdir -p "$here/corpus/$target" "$here/artifacts/$target"
    # Found inputs go to corpus/ (not kept in git); seeds/ is kept: inputs that once failed, and good ones to begin with.
    exec "$CARGO_TARGET_DIR/debug/$target" -artifact_prefix="$here/artifacts/$target/" "$@" \
        "$here/corpus/$target" "$here/seeds/$target"
fi
