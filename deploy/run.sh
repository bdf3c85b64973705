#!/usr/bin/env bash
# Runs the exporter on an example configuration and sends it simulated rooms until
# Ctrl-C: run.sh WEBHOOK_ADDRESS WEB_ADDRESS [CONFIG], each address HOST:PORT. If CONFIG
# relays, an app runs behind the exporter. It needs bin/.
set -euo pipefail
cd "$(dirname "$0")/.."
webhook=$1 web=$2 config=${3:-deploy/exporter.yml}
app=$(sed -n 's|^  url: http://||p' "$config") # empty: nothing is relayed

accepts() { (exec 3<>"/dev/tcp/${1%:*}/${1##*:}") 2>/dev/null; }

for address in "$webhook" "$web" $app; do
  if accepts "$address"; then
    echo "$address is taken by another process. Choose others with WEBHOOK_ADDRESS=HOST:PORT WEB_ADDRESS=HOST:PORT${app:+, the app\'s in $config}." >&2
    exit 1
  fi
done

# Each job a process group of its own: Ctrl-C must end the simulator first, then the
# exporter when it has answered everything, and the app last.
set -m
if [[ $app ]]; then
  bin/demo "$app" &
  app_process=$!
  trap 'kill "$app_process" 2>/dev/null || true; wait "$app_process" || true' EXIT
fi
bin/tuilivekit_exporter --config.file="$config" --storage.path=data \
  --webhook.listen-address="$webhook" --web.listen-address="$web" &
exporter=$!
trap 'for job in "$exporter" ${app_process:-}; do kill "$job" 2>/dev/null || true; wait "$job" || true; done' EXIT
until accepts "$web"; do
  kill -0 "$exporter" 2>/dev/null || { echo "The exporter did not start, see above." >&2; exit 1; }
  sleep 0.1
done

cat <<TEXT

  Webhook   http://$webhook/          signed with the token in deploy/exporter.token${app:+
  App       http://$app/          gets every webhook from the exporter}
  Metrics   http://$web/metrics
  Overview  http://$web/

  20 simulated rooms a second are being sent. Ctrl-C ends it all and prints what was sent.

TEXT
bin/roomsim --url="http://$webhook/" --token-file=deploy/exporter.token --rooms=0 --rate=20 \
  --category 1=gaming --category 2=music --category 3=talk --category 4=shopping ${app:+--other-commands=0.5} &
simulator=$!
trap 'kill -INT "$simulator" 2>/dev/null || true' INT TERM HUP
wait -n "$exporter" "$simulator" || true # a signal, or one of them ended by itself
if ! kill -0 "$exporter" 2>/dev/null; then
  echo "The exporter ended, see above." >&2
  kill -INT "$simulator"
  wait "$simulator" || true
  exit 1
fi
wait "$simulator"
