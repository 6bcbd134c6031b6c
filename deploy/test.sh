#!/usr/bin/env bash
# Every check there is: format, lints, documentation, tests, each fuzz target for a short time. Installs what is missing first.
#
#   deploy/test.sh                 everything, stops at the first failure
#   deploy/test.sh fmt clippy      only these steps: fmt, clippy, doc, test, fuzz
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/setup.sh
. deploy/setup.sh

step_fmt() { cargo fmt --check; }
step_clippy() { cargo clippy --locked --all-targets -- --deny warnings; }
step_doc() { RUSTDOCFLAGS="--deny warnings" cargo doc --locked --no-deps; }
step_test() { tests/interop/install.sh && cargo test --locked; }
step_fuzz() { tests/fuzz/build.sh smoke; }

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
    cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1 && continue
    command -v rustup >/dev/null || fail "cargo is here without $component and without rustup: install $component as you installed cargo"
    rustup component add "$component"
done
for step in "${steps[@]}"; do run_step "$step"; done
say "all passed"
printf '%s\n' "${summary[@]}"
