#!/usr/bin/env bash
# Every check there is: format, lints, documentation, tests, fuzz targets that build. Installs what is missing first.
#
#   deploy/test.sh                 everything, stops at the first failure
#   deploy/test.sh fmt clippy      only these steps: fmt, clippy, doc, test, fuzz
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/setup.sh
. deploy/setup.sh

# The MLLP programs of other people that tests/it/interop.rs talks to: kept in target/interop until what is asked for changes.
install_peers() {
    local folder=target/interop asked
    asked=$(cat tests/interop/requirements.txt tests/interop/package-lock.json | sha256sum)
    if [ "$(cat "$folder/installed" 2>/dev/null)" != "$asked" ]; then
        say "MLLP peers: installing hl7, hl7apy, @medplum/hl7, node-hl7-client and node-hl7-server into $folder"
        # A Node.js from elsewhere brings npm along, and Debian's npm cannot be installed beside it.
        command -v npm >/dev/null || install_packages nodejs npm
        # A step's failing command does not end it by itself: each must say so.
        rm -rf "$folder" && mkdir -p "$folder/node" || return 1
        python3 -m venv "$folder/python" 2>/dev/null || { install_packages python3-venv && python3 -m venv "$folder/python"; } || return 1
        "$folder/python/bin/pip" install --quiet --disable-pip-version-check -r tests/interop/requirements.txt || return 1
        cp tests/interop/package.json tests/interop/package-lock.json "$folder/node" || return 1
        npm ci --prefix "$folder/node" --no-audit --no-fund --ignore-scripts --loglevel=error || return 1
        echo "$asked" >"$folder/installed"
    fi
    export INTEROP_PEERS=required
}

step_fmt() { cargo fmt --check; }
step_clippy() { cargo clippy --locked --all-targets -- --deny warnings; }
step_doc() { RUSTDOCFLAGS="--deny warnings" cargo doc --locked --no-deps; }
step_test() { install_peers && cargo test --locked; }
step_fuzz() { tests/fuzz/build.sh; }

# CI shows one collapsible group a step where it can; a person sees a heading.
run_step() {
    local name=$1 started=$SECONDS
    if [ -n "${GITHUB_ACTIONS:-}" ]; then echo "::group::$name"; else say "$name"; fi
    if ! "step_$name"; then
        if [ -n "${GITHUB_ACTIONS:-}" ]; then echo "::endgroup::"; fi
        fail "$name failed after $((SECONDS - started)) s; run it alone: deploy/test.sh $name"
    fi
    if [ -n "${GITHUB_ACTIONS:-}" ]; then echo "::endgroup::"; fi
    summary+=("$(printf '%-8s %5d s' "$name" $((SECONDS - started)))")
}

steps=("$@")
[ ${#steps[@]} -gt 0 ] || steps=(fmt clippy doc test fuzz)
for step in "${steps[@]}"; do
    declare -F "step_$step" >/dev/null || fail "there is no step $step: fmt, clippy, doc, test, fuzz"
done

summary=()
install_packages "${packages_to_run[@]}" "${packages_to_test[@]}"
install_toolchain
for component in rustfmt clippy; do
    cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1 || rustup component add "$component"
done
for step in "${steps[@]}"; do run_step "$step"; done
say "all passed"
printf '%s\n' "${summary[@]}"
