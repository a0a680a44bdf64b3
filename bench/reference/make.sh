#!/usr/bin/env bash
# Makes the golden files anew with the reference implementations, in an environment of its own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
python=$(./environment.sh)
for script in esm2 nucleotide esmc t5 dnabert2 points meshes hyenadna caduceus gnn; do
  "$python" "$script.py"
done
