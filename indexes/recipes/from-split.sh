#!/usr/bin/env bash
# Builds indexes/NAME from the real set NAME (seneca or lund), its queries left out, and lays the queries beside it:
#     indexes/recipes/from-split.sh seneca
#     geoloc locate indexes/seneca-queries --index indexes/seneca
set -euo pipefail
name=${1:?which set: seneca or lund}
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
PATH=$PWD/.venv/bin:$PATH
data=${GEOLOC_TEST_DATA:-../shared/data}
queries=indexes/$name-queries

python3 -c 'import json, sys; print(*json.load(open(sys.argv[1]))[sys.argv[2]]["queries"], sep="\n")' \
  "$data/splits.json" "$name" > "$queries.txt"
mkdir -p "$queries"
while read -r photo; do ln -sf "$(realpath "$data/$name/photos/$photo")" "$queries/$photo"; done < "$queries.txt"

geoloc index build "$data/$name/photos" --index "indexes/$name" --exclude-list "$queries.txt"
geoloc index info "indexes/$name"
