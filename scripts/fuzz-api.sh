#!/usr/bin/env bash
# Fuzzes the server at SCARP_TEST_SERVER after its own OpenAPI document, for
# FUZZ_SECONDS (600). Fails on a 5xx and on answers that the document does not
# describe. See scripts/with-demo-server.sh for a server.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${FUZZ_SECONDS:-600}
document=$(mktemp --suffix=.json)
trap 'rm -f "$document"' EXIT
python3 scripts/fuzz-api.py "$SCARP_TEST_SERVER" >"$document"
# One worker: threads trip over Python 3.11's parser, which Hypothesis uses.
build/fuzz/bin/schemathesis run "$document" --url "$SCARP_TEST_SERVER" \
  --max-time "$seconds" --phases examples,coverage,fuzzing,stateful --workers 1 \
  --checks not_a_server_error,response_schema_conformance,content_type_conformance,status_code_conformance \
  --request-timeout 120 --continue-on-failure --generation-database none --warnings off --no-color ${FUZZ_SEED:+--seed "$FUZZ_SEED"}
