#!/bin/sh
# Makes the demo's recording and its ground truth anew; the same simulator gives the same bytes.
set -eu
cd "$(dirname "$0")"
hubblewatch=${HUBBLEWATCH:-../../.venv/bin/hubblewatch}
"$hubblewatch" simulate --seed 7 --minutes 25 --nodes 3 --namespaces 8 --workloads 12 --rate 0.55 \
  --scenario rollout:at=5 \
  --scenario policy-break:at=12:for=5 \
  --scenario port-scan:at=16:for=2 \
  --scenario udp-flood:at=18:for=2:intensity=0.2 \
  --scenario namespace-sprawl-fast:at=21:for=4 \
  --out - --truth truth.jsonl | zstd -q -19 --long=27 -f -o recording.jsonl.zst
