#!/bin/sh
# Makes the demo's recording and its ground truth anew; the same simulator gives the same bytes.
set -eu
cd "$(dirname "$0")"
hubblewatch=${HUBBLEWATCH:-../../.venv/bin/hubblewatch}
"$hubblewatch" simulate --seed 157 --minutes 38 --nodes 2 --namespaces 8 --workloads 12 --rate 0.22 \
  --vantage source \
  --scenario rollout:at=5 \
  --scenario policy-break:at=23:for=5 \
  --scenario port-scan:at=28:for=2 \
  --scenario udp-flood:at=31:for=2:intensity=0.1 \
  --scenario namespace-sprawl-fast:at=35:for=4 \
  --scenario exporter-restart:at=12 \
  --scenario hijacked-pod:at=25:for=15:intensity=1.5 \
  --out - --truth truth.jsonl | zstd -q -19 --long=27 -f -o recording.jsonl.zst
