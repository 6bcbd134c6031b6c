#!/usr/bin/env bash
# Cargo calls this in place of rustc: `rustc-with-coverage.sh rustc ARGUMENTS`. Adds what libFuzzer needs to our own crates alone.
set -euo pipefail
case "${CARGO_PKG_NAME:-}" in
    loopline | loopline-fuzz)
        exec "$@" -C passes=sancov-module \
            -C llvm-args=-sanitizer-coverage-level=4 \
            -C llvm-args=-sanitizer-coverage-inline-8bit-counters \
            -C llvm-args=-sanitizer-coverage-pc-table \
            -C llvm-args=-sanitizer-coverage-trace-compares
        ;;
    *) exec "$@" ;;
esac
