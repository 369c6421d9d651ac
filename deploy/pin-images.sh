#!/usr/bin/env bash
# NOT EXECUTED HERE (needs Docker and a registry): writes the digest of each image behind its tag, in compose.yaml and
# Dockerfile, so that what runs is what was reviewed. Run it again after changing a tag; `git diff` shows the digests.
set -euo pipefail
cd "$(dirname "$0")"
images() { grep -hoE '(image:|FROM) +[a-z0-9./-]+:[A-Za-z0-9._-]+' compose.yaml Dockerfile | awk '{print $2}' | sort -u; }
for image in $(images); do
  case $image in sandbox-monitor:*) continue ;; esac # built here
  digest=$(docker buildx imagetools inspect "$image" --format '{{.Manifest.Digest}}')
  [[ $digest =~ ^sha256:[0-9a-f]{64}$ ]] || { echo "$image: no digest: $digest" >&2; exit 1; }
  echo "$image@$digest"
  sed -i -E "s#(image: |FROM )${image//./\\.}(@sha256:[0-9a-f]{64})?#\1$image@$digest#" compose.yaml Dockerfile
done
