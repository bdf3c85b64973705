#!/usr/bin/env bash
# Builds the images of deploy/image/Dockerfile with docker, podman or buildah,
# whichever is there: build.sh IMAGE TAG CONTEXT ARCH...
# For each architecture it makes IMAGE:TAG-ARCH and IMAGE-roomsim:TAG-ARCH; those
# of this machine are tagged IMAGE:TAG and IMAGE-roomsim:TAG, too.
# VERSION, REVISION and CREATED become labels.
set -euo pipefail
image=$1 tag=$2 context=$3
shift 3
dockerfile=$(dirname "$0")/Dockerfile

if docker info >/dev/null 2>&1; then
  builder=(docker build) tagger=(docker tag)
elif command -v podman >/dev/null; then
  builder=(podman build) tagger=(podman tag)
elif command -v buildah >/dev/null; then
  builder=(buildah build --isolation chroot) tagger=(buildah tag)
else
  echo 'Building an image needs a running docker, podman or buildah.' >&2
  exit 1
fi

for arch in "$@"; do
  for target in tuilivekit_exporter roomsim; do
    name=$image
    [[ $target == tuilivekit_exporter ]] || name+=-$target
    "${builder[@]}" --platform "linux/$arch" --target "$target" --tag "$name:$tag-$arch" \
      --build-arg "TARGETARCH=$arch" --build-arg "VERSION=$VERSION" \
      --build-arg "REVISION=$REVISION" --build-arg "CREATED=$CREATED" \
      --file "$dockerfile" "$context"
    [[ $arch != "$(go env GOHOSTARCH)" ]] || "${tagger[@]}" "$name:$tag-$arch" "$name:$tag"
  done
done
