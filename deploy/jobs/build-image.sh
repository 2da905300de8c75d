#!/usr/bin/env bash
# Builds the image of a program or of a model, or all that the charts run, and pushes it if told to.
set -euo pipefail

usage() {
    cat <<'EOF'
build-image.sh --program gateway|relay|features|runtime|rollout|monitoring|annotation|triton|
                         postgres|label-studio [--version V] [--push]
build-image.sh --all [--device cpu|gpu] [--version V] [--push]
build-image.sh MODEL [--target worker|train] [--device cpu|gpu] [--base] [--version V] [--push]

Builds REGISTRY/predict-mesh/PROGRAM:COMMIT, or REGISTRY/predict-mesh/MODEL:COMMIT-TARGET-DEVICE.
Its name is the last line of stdout; what the builder says goes to stderr. --all builds what the
charts run, which is every program and what trains each model, and prints a line for each.

  --program  what serves: gateway, relay, features (their shipper), runtime (a worker of any
             model); rollout, which releases and provisions; monitoring, which makes the figures
             of each hour; annotation, which makes labels of what people say; triton, which runs the models;
             postgres, with what backs it up; label-studio
  --target   worker (default) answers the requests in the model's queue; train trains and
             evaluates the model
  --device   cpu (default), or gpu: on NVIDIA's Triton image; with --all, as training.device says
  --base     first builds the program that the model's image is built on: runtime, or triton on gpu
  --version  a second tag: V, or V-TARGET-DEVICE
  --push     pushes all that was built

environment:
  IMAGE_REGISTRY   what the names start with; default: localhost
  IMAGE_BUILDER    docker or buildah; default: the one that is there
  PYTHON_IMAGE, TRITON_IMAGE, POSTGRES_IMAGE  what programs are built on: NAME@sha256:DIGEST
                   instead of the public images' tags
  PIP_CONFIG_FILE  a pip.conf for the build, which is in no image
EOF
}

fail() {
    echo "build-image.sh: $1; see --help" >&2
    exit 2
}

programs=(gateway relay features runtime rollout monitoring annotation triton postgres label-studio)
model='' program='' all='' target=worker device=cpu version='' base='' push=''
while [[ $# -gt 0 ]]; do
    case $1 in
        --help) usage && exit ;;
        --program) program=${2:?} && shift ;;
        --all) all=yes ;;
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
if [[ -n $all ]]; then
    [[ -z $program$model ]] || fail "all images, or those of a program or of a model"
elif [[ -n $program ]]; then
    [[ -z $model ]] || fail "a program or a model, not both"
    [[ " ${programs[*]} " == *" $program "* ]] || fail "there is no program $program"
else
    [[ -n $model && -f models/$model/values.yaml ]] ||
        fail "there is no models/$model/values.yaml"
    [[ $target == worker || -f models/$model/model.py ]] ||
        fail "there is no models/$model/model.py to train"
fi

builder=${IMAGE_BUILDER:-}
[[ -n $builder ]] || builder=$(basename "$(command -v docker || command -v buildah)") ||
    fail "neither docker nor buildah is installed"
export BUILDAH_LAYERS=${BUILDAH_LAYERS:-true} # as docker does: images share what they have in common
commit=$(git describe --always --dirty --abbrev=12 --exclude='*')
images=${IMAGE_REGISTRY:-localhost}/predict-mesh
built=()

# build DOCKERFILE TARGET IMAGE [OPTION...]
build() {
    local options=(--label "org.opencontainers.image.revision=$commit")
    [[ -z ${PIP_CONFIG_FILE:-} ]] || options+=(--secret "id=pip,src=$PIP_CONFIG_FILE")
    "$builder" build --file "deploy/docker/$1" --target "$2" --tag "$3" "${options[@]}" "${@:4}" \
        . >&2
    built+=("$3")
}

# build_program PROGRAM [OPTION...]
build_program() {
    local arguments=(--build-arg "PROGRAM=$1") name
    for name in PYTHON_IMAGE TRITON_IMAGE POSTGRES_IMAGE; do
        [[ -z ${!name:-} ]] || arguments+=(--build-arg "$name=${!name}")
    done
    build Dockerfile.programs "$1" "$images/$1:$commit" "${arguments[@]}" "${@:2}"
}

of_version=(${version:+--label "org.opencontainers.image.version=$version"})

# tagged IMAGE SECOND: SECOND is its name by the version, if one is given.
tagged() {
    if [[ -n $version ]]; then
        "$builder" tag "$1" "$2"
        built+=("$2")
    fi
    echo "$1"
}

below=runtime
[[ $device == cpu ]] || below=triton

# build_model MODEL TARGET
build_model() {
    local image=$images/$1:$commit-$2-$device
    build Dockerfile.model "$2" "$image" "${of_version[@]}" \
        --build-arg "BASE_IMAGE=$images/$below:$commit" --build-arg "MODEL=$1"
    tagged "$image" "$images/$1:$version-$2-$device"
}

if [[ -n $model ]]; then
    [[ -z $base ]] || build_program "$below"
    build_model "$model" "$target"
else
    [[ -n $all ]] || programs=("$program")
    for program in "${programs[@]}"; do
        build_program "$program" "${of_version[@]}"
        tagged "$images/$program:$commit" "$images/$program:$version"
    done
fi
if [[ -n $all ]]; then
    for trained in models/*/model.py; do
        build_model "$(basename "$(dirname "$trained")")" train
    done
fi
if [[ -n $push ]]; then
    for name in "${built[@]}"; do
        "$builder" push "$name" >&2
    done
fi
