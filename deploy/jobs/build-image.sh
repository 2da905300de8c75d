#!/usr/bin/env bash
# Builds an image of a model, and pushes it if told to.
set -euo pipefail

usage() {
    cat <<'EOF'
build-image.sh MODEL [--target worker|train] [--device cpu|gpu] [--base] [--version V] [--push]

Builds REGISTRY/predict-mesh/MODEL:TAG, where TAG is COMMIT-TARGET-DEVICE. Its name is the last
line of stdout; what the builder says goes to stderr.

  --target   worker (default) answers the requests in the model's queue; train trains,
             evaluates and releases the model
  --device   cpu (default), or gpu: on NVIDIA's Triton image
  --base     first builds REGISTRY/predict-mesh/base:COMMIT-DEVICE, which the image is built on;
             that of gpu is also what Triton itself runs from
  --version  a second tag, V-TARGET-DEVICE
  --push     pushes all that was built

environment:
  IMAGE_REGISTRY   what the names start with; default: localhost
  IMAGE_BUILDER    docker or buildah; default: the one that is there
  PYTHON_IMAGE, TRITON_IMAGE  stand in for the public images that the base is built on
  PIP_CONFIG_FILE  a pip.conf for the build, which is in no image
EOF
}

fail() {
    echo "build-image.sh: $1; see --help" >&2
    exit 2
}

model='' target=worker device=cpu version='' base='' push=''
while [[ $# -gt 0 ]]; do
    case $1 in
        --help) usage && exit ;;
        --target) target=${2:?} && shift ;;
        --device) device=${2:?} && shift ;;
        --version) version=${2:?} && shift ;;
        --base) base=yes ;;
        --push) push=yes ;;
        -*) fail "there is no option $1" ;;
        *) model=$1 ;;
    esac
    shift
done
[[ $target == worker || $target == train ]] || fail "there is no target $target"
[[ $device == cpu || $device == gpu ]] || fail "there is no device $device"

cd "$(dirname "$0")/../.."
[[ -n $model && -f models/$model/values.yaml ]] || fail "there is no models/$model/values.yaml"
[[ $target == worker || -f models/$model/model.py ]] ||
    fail "there is no models/$model/model.py to train"

builder=${IMAGE_BUILDER:-}
[[ -n $builder ]] || builder=$(basename "$(command -v docker || command -v buildah)") ||
    fail "neither docker nor buildah is installed"
commit=$(git describe --always --dirty --abbrev=12 --exclude='*')
images=${IMAGE_REGISTRY:-localhost}/predict-mesh
base_image=$images/base:$commit-$device
image=$images/$model:$commit-$target-$device
built=()

# build DOCKERFILE TARGET IMAGE [OPTION...]
build() {
    local options=(--label "org.opencontainers.image.revision=$commit")
    [[ -z ${PIP_CONFIG_FILE:-} ]] || options+=(--secret "id=pip,src=$PIP_CONFIG_FILE")
    "$builder" build --file "$1" --target "$2" --tag "$3" "${options[@]}" "${@:4}" . >&2
    built+=("$3")
}

if [[ -n $base ]]; then
    arguments=()
    for name in PYTHON_IMAGE TRITON_IMAGE; do
        [[ -z ${!name:-} ]] || arguments+=(--build-arg "$name=${!name}")
    done
    build deploy/docker/Dockerfile.base "$device" "$base_image" "${arguments[@]}"
fi
build deploy/docker/Dockerfile.model "$target" "$image" \
    --build-arg "BASE_IMAGE=$base_image" --build-arg "MODEL=$model" \
    ${version:+--label "org.opencontainers.image.version=$version"}
if [[ -n $version ]]; then
    "$builder" tag "$image" "$images/$model:$version-$target-$device"
    built+=("$images/$model:$version-$target-$device")
fi
if [[ -n $push ]]; then
    for name in "${built[@]}"; do
        "$builder" push "$name" >&2
    done
fi
echo "$image"
