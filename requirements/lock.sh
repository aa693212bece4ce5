#!/usr/bin/env bash
# Pins every package that any part, test or example needs, with hashes: requirements/lock.txt.
# `requirements/lock.sh` keeps the pins that still fit; `requirements/lock.sh --upgrade` takes the newest releases.
set -euo pipefail
cd "$(dirname "$0")/.."

parts=(proto/pyproject.toml libs/common/pyproject.toml services/*/pyproject.toml)
ours=(proto libs/common services/*/)
# Our own packages are no registry's: their dependencies are read from their folders.
for part in "${ours[@]}"; do
	name=$(sed -nE 's/^name = "(.*)"/\1/p' "${part%/}/pyproject.toml" | head -n 1)
	not_ours+=(--no-emit-package "$name")
done
# Compiled for a minute, so it is in a file of its own, below: for images of connector-mq, and whoever wants its provider amqp10.
not_ours+=(--no-emit-package python-qpid-proton)
uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url \
	--all-extras "${parts[@]}" requirements/*.in "${not_ours[@]}" --output-file requirements/lock.txt "$@"

# What each part runs with, of that, for its image and its release: a pin that changes makes the images anew that have it, no others.
declare -A extras=([connector-mq]="jms mqi" [server]="all")
for part in services/*/; do
	name=$(basename "$part")
	wanted=()
	for extra in ${extras[$name]:-}; do wanted+=(--extra "$extra"); done
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url \
		"${part}pyproject.toml" "${wanted[@]}" "${not_ours[@]}" --constraint requirements/lock.txt \
		--output-file "requirements/parts/$name.txt"
done
sed -nE 's/^amqp10 = \["(.*)"\]/\1/p' services/connector-mq/pyproject.toml | uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-annotate --no-header --no-emit-index-url --no-deps - --output-file requirements/parts/connector-mq-compiled.txt
# What their wheels are made with.
echo hatchling | uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	--no-emit-index-url - --constraint requirements/lock.txt --output-file requirements/parts/build.txt
