#!/usr/bin/env bash
# Prints the interpreter that has the reference implementations; sets it up where it is not there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/penstock
venv=$cache/reference-$(sha256sum requirements.txt | cut -c1-16)
if [ ! -e "$venv/ready" ]; then
  rm -rf "$venv"
  python3 -m venv "$venv" >&2
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r requirements.txt >&2
  touch "$venv/ready"
fi
echo "$venv/bin/python"
