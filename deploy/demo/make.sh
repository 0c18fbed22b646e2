#!/bin/sh
# Makes the demo's recording and its ground truth anew; the same simulator gives the same bytes.
set -eu
cd "$(dirname "$0")"
hubblewatch=${HUBBLEWATCH:-../../.venv/bin/hubblewatch}
"$hubblewatch" simulate --seed 78 --minutes 25 --nodes 2 --namespaces 8 --workloads 12 --rate 0.42 \
  --scenario rollout:at=5 \
  --scenario policy-break:at=12:for=5 \
  --scenario port-scan:at=16:for=2 \
  --scenario udp-flood:at=18:for=2:intensity=0.2 \
  --scenario namespace-sprawl-fast:at=21:for=4 \
  --scenario exporter-restart:at=9 \
  --scenario hijacked-pod:at=14:for=11 \
  --out - --truth truth.jsonl | zstd -q -19 --long=27 -f -o recording.jsonl.zst
