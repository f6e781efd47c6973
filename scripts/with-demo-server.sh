#!/usr/bin/env bash
# Runs a command beside a server of its own that has the demo event, mapped
# once. The command finds the server's URL in SCARP_TEST_SERVER, and where it may
# be called back in SCARP_TEST_CALLBACKS.
#
#   scripts/with-demo-server.sh COMMAND [ARGUMENT...]
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
server=
stop() {
  [ -z "$server" ] || { kill "$server" 2>/dev/null && wait "$server" 2>/dev/null || true; }
  rm -rf "$work"
}
trap stop EXIT

port=${SCARP_TEST_PORT:-18480}
export SCARP_TEST_SERVER=http://127.0.0.1:$port
export SCARP_TEST_CALLBACKS=127.0.0.1:$((port + 1))
export SCARP_CALLBACK_HOSTS=$SCARP_TEST_CALLBACKS SCARP_CALLBACK_NETWORKS=127.0.0.0/8
export SCARP_DATA_DIR=$work/data SCARP_LISTEN=127.0.0.1:$port SCARP_RATE_LIMIT=0 SCARP_ACCESS_LOG=false
build/scarp simulate -o "$SCARP_DATA_DIR/demo" >"$work/log"
build/scarp event add "$SCARP_DATA_DIR/demo/event.yaml" >>"$work/log"
build/scarp serve >>"$work/log" 2>&1 &
server=$!
for _ in $(seq 300); do
  kill -0 "$server" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
  curl -fsS -o "$work/ready" "$SCARP_TEST_SERVER/readyz" 2>/dev/null && break
  sleep 0.2
done
curl -fsS -o "$work/mapped" -H 'Content-Type: application/json' \
  -d '{"inputs": {"event": "demo"}}' "$SCARP_TEST_SERVER/processes/map-landslides/execution"

failed=0
"$@" || failed=$?
if kill -0 "$server" 2>/dev/null; then
  ! grep -q 'msg=panic' "$work/log" || { grep -A40 'msg=panic' "$work/log" >&2; failed=1; }
else
  cat "$work/log" >&2
  failed=1
fi
exit "$failed"
