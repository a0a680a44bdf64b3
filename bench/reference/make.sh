#!/usr/bin/env bash
# Makes the golden files anew with the reference implementations, in an environment of its own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/penstock
venv=$cache/reference-$(sha256sum requirements.txt | cut -c1-16)
if [ ! -x "$venv/bin/python" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r requirements.txt
fi
for script in esm2 nucleotide esmc t5 dnabert2 hyenadna caduceus; do
  "$venv/bin/python" "$script.py"
done
