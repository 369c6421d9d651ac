#!/usr/bin/env bash
# Builds helm with Go on first use (two minutes, into var/tools), lints the chart, and renders it and the Strimzi
# resources. `render.sh --check` compares with the rendered files instead of writing them.
set -euo pipefail
cd "$(dirname "$0")"
tools=$PWD/../../var/tools
helm=$tools/helm
[ -x "$helm" ] || GOBIN=$tools GOFLAGS=-mod=mod go install helm.sh/helm/v3/cmd/helm@v3.18.6
python=../../.venv/bin/python
out=.
[ "${1:-}" = --check ] && out=$(mktemp -d)
"$helm" lint --strict --quiet chart --values example-values.yaml
{
  echo "# NOT EXECUTED HERE: the chart with example-values.yaml, rendered by render.sh. Inputs: $($python inputs.py)"
  "$helm" template sandbox chart --values example-values.yaml --kube-version 1.33.0
} >"$out/rendered.yaml"
$python strimzi.py --participant acme --participant bolt >"$out/strimzi.yaml"
if [ "$out" != . ]; then
  diff -u rendered.yaml "$out/rendered.yaml"
  diff -u strimzi.yaml "$out/strimzi.yaml"
fi
