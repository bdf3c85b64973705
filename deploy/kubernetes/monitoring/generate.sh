#!/usr/bin/env bash
# Makes the PrometheusRules of this folder from the rule files in dashboards/: a
# PrometheusRule's spec is such a file.
set -euo pipefail
cd "$(dirname "$0")"
for name in rules alerts; do
  {
    cat <<YAML
# Made from dashboards/$name.yml by \`make monitoring\`.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: tuilivekit-exporter-$name
spec:
YAML
    sed 's/^\(.\)/  \1/' "../../../dashboards/$name.yml"
  } >"$name.yaml"
done
