#!/usr/bin/env bash
# Runs the exporter on the example configuration and sends it simulated rooms
# until Ctrl-C: run.sh WEBHOOK_ADDRESS WEB_ADDRESS, each HOST:PORT. It needs bin/.
set -euo pipefail
cd "$(dirname "$0")/.."
webhook=$1 web=$2

accepts() { (exec 3<>"/dev/tcp/${1%:*}/${1##*:}") 2>/dev/null; }

for address in "$webhook" "$web"; do
  if accepts "$address"; then
    echo "$address is taken by another process. Choose others with make run WEBHOOK_ADDRESS=HOST:PORT WEB_ADDRESS=HOST:PORT." >&2
    exit 1
  fi
done

# Each job a process group of its own: Ctrl-C must end the simulator first, and
# the exporter when it has answered everything.
set -m
bin/tuilivekit_exporter --config.file=deploy/exporter.yml --storage.path=data \
  --webhook.listen-address="$webhook" --web.listen-address="$web" &
exporter=$!
trap 'kill "$exporter" 2>/dev/null || true; wait "$exporter" || true' EXIT
until accepts "$web"; do
  kill -0 "$exporter" 2>/dev/null || { echo "The exporter did not start, see above." >&2; exit 1; }
  sleep 0.1
done

cat <<TEXT

  Webhook   http://$webhook/          signed with the token in deploy/exporter.token
  Metrics   http://$web/metrics
  Overview  http://$web/

  20 simulated rooms a second are being sent. Ctrl-C ends both and prints what was sent.

TEXT
bin/roomsim --url="http://$webhook/" --token-file=deploy/exporter.token --rooms=0 --rate=20 \
  --category 1=gaming --category 2=music --category 3=talk --category 4=shopping &
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
