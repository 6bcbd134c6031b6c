# shellcheck shell=bash
# What run.sh and test.sh share: system packages and a Rust toolchain, each only where it is missing.
#
# Sourced, not run. Works on Debian 12 and Ubuntu 24.04, as root or with sudo, with or without a terminal. apt is used as this
# machine has it configured, so a company's mirror or proxy works as it does for everything else.

rust_minimum=1.95

# What building and reading documents needs. ca-certificates and tzdata are on every full system, but not on a minimal one.
# shellcheck disable=SC2034 # read by the scripts that source this one
packages_to_run=(
    ca-certificates gcc g++ libc6-dev libleptonica-dev libtesseract-dev make pkg-config
    tesseract-ocr-eng tesseract-ocr-osd tzdata
)
# What the tests drive besides: a real mail server, independent readers of PDF and TIFF, and other people's HL7 programs.
# shellcheck disable=SC2034
packages_to_test=(exim4-daemon-light libtiff-tools openssl poppler-utils python3-venv tesseract-ocr)

say() { printf '\n==> %s\n' "$*"; }
fail() {
    printf '\n!!! %s\n' "$*" >&2
    exit 1
}

# Runs a command as root: directly, or through sudo.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo --preserve-env=DEBIAN_FRONTEND,http_proxy,https_proxy,no_proxy "$@"
    else
        fail "this needs root, and there is no sudo: run as root: $*"
    fi
}

package_is_installed() {
    [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Installs those of the named packages that are missing. Does not touch apt when none is.
install_packages() {
    local missing=() package
    for package in "$@"; do
        package_is_installed "$package" || missing+=("$package")
    done
    if [ ${#missing[@]} -eq 0 ]; then
        say "system packages: all there"
        return
    fi
    command -v apt-get >/dev/null || fail "these packages are missing, and this is no Debian or Ubuntu: ${missing[*]}"
    say "system packages: installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    # A mirror that is briefly away fails update with a warning only; the install then says what it could not find.
    as_root apt-get update || printf 'apt-get update did not succeed; going on with what apt knows\n' >&2
    # Nothing that is there is taken away: another mail server than the tests' stays, and the tests need a machine without one.
    as_root apt-get install --yes --no-install-recommends --no-remove "${missing[@]}" ||
        fail "apt could not install: ${missing[*]} (Ubuntu: the universe component must be on; a mail server that is installed is in the way of exim4)"
}

# Whether this cargo is recent enough.
cargo_is_recent() {
    local version
    version=$("$1" --version 2>/dev/null | cut -d' ' -f2 | cut -d- -f1) || return 1
    [ -n "$version" ] && [ "$(printf '%s\n%s\n' "$rust_minimum" "$version" | sort --version-sort | head -n1)" = "$rust_minimum" ]
}

# Finds a recent cargo, or installs one by rustup, and leaves it first in PATH.
install_toolchain() {
    local cargo_home=${CARGO_HOME:-${HOME:-/root}/.cargo}
    if [ -x "$cargo_home/bin/cargo" ]; then
        export PATH="$cargo_home/bin:$PATH"
    fi
    if command -v cargo >/dev/null && cargo_is_recent cargo; then
        say "toolchain: $(cargo --version)"
        return
    fi
    if command -v rustup >/dev/null; then
        say "toolchain: cargo is older than $rust_minimum; installing the stable one beside it"
        rustup toolchain install stable --profile minimal --component rustfmt --component clippy
        export RUSTUP_TOOLCHAIN=stable
    else
        say "toolchain: no cargo of $rust_minimum or later; installing Rust by rustup into $cargo_home"
        install_packages ca-certificates curl
        curl --proto '=https' --tlsv1.2 --silent --show-error --fail --retry 3 https://sh.rustup.rs |
            sh -s -- -y --no-modify-path --profile minimal --component rustfmt --component clippy ||
            fail "rustup could not be installed: see https://rustup.rs, then run this again"
        export PATH="$cargo_home/bin:$PATH"
    fi
    cargo_is_recent cargo || fail "cargo $rust_minimum or later is needed; this is $(cargo --version 2>&1)"
}
