#!/usr/bin/env bash
# Installs the charts, or brings what is installed up to this checkout.
set -euo pipefail

usage() {
    cat <<'EOT'
install.sh [CHART | MODEL...] --tag COMMIT [--values FOLDER]... [--dry-run]

Installs deploy/charts in the order in which they need each other: postgres into infra, mlflow, then
predict-mesh, which first migrates the database, then each model into model-MODEL, and annotation.
Each gets what pmesh render says of it, then FOLDER/CHART.yaml, for a model then FOLDER/MODEL.yaml;
and namespaces get the labels by which the mesh and its policies know them. Named ones only, if any
are named. What is right already stays as it is.

  --tag      the commit that the images were built of
  --values   where one's own values are; later ones win
  --dry-run  asks the server whether it would take all of it, and changes nothing

environment:
  KUBECONFIG      the cluster
  IMAGE_REGISTRY  what the names of images start with; localhost
  PATH            has helm and kubectl

examples:
  install.sh --tag 1a2b3c4d5e6f --values production/
  install.sh predict-mesh sentiment --tag 1a2b3c4d5e6f --values production/ --dry-run
EOT
}

fail() {
    echo "install.sh: $1; see --help" >&2
    exit 2
}

named=() folders=() tag='' dry_run=''
while [[ $# -gt 0 ]]; do
    case $1 in
        --help) usage && exit ;;
        --tag) tag=${2:?} && shift ;;
        --values) folders+=("$(realpath "${2:?}")") && shift ;;
        --dry-run) dry_run=yes ;;
        -*) fail "there is no option $1" ;;
        *) named+=("$1") ;;
    esac
    shift
done
[[ -n $tag ]] || fail "--tag is missing"
cd "$(dirname "$0")/../.."

models=()
for file in models/*/values.yaml; do
    models+=("$(basename "$(dirname "$file")")")
done
all=(postgres mlflow predict-mesh "${models[@]}" annotation)
for name in "${named[@]}"; do
    [[ " ${all[*]} " == *" $name "* ]] || fail "there is no chart and no model $name"
done

# apply NAME CHART NAMESPACE RENDERED [LABEL...]
apply() {
    local name=$1 chart=$2 namespace=$3 rendered=$4 options=() folder file
    for folder in "${folders[@]}"; do
        for file in "$chart" "${name#model-}"; do
            [[ ! -f $folder/$file.yaml ]] || options+=(--values "$folder/$file.yaml")
        done
    done
    [[ ! -f $rendered ]] || options=(--values "$rendered" "${options[@]}")
    # Others look for it at once, and give up after some minutes.
    [[ $name != postgres ]] || options+=(--wait --timeout 30m)
    if [[ -n $dry_run ]]; then
        options+=(--dry-run=server)
    else
        kubectl create namespace "$namespace" --dry-run=client --output yaml |
            kubectl apply --server-side --filename - >&2
        kubectl label namespace "$namespace" --overwrite istio-injection=enabled "${@:5}" >&2
        options+=(--create-namespace)
    fi
    echo "$name into $namespace"
    helm upgrade --install "$name" "deploy/charts/$chart" --namespace "$namespace" "${options[@]}" \
        --set-string "images.registry=${IMAGE_REGISTRY:-localhost}" --set-string "images.tag=$tag" >&2
}

[[ ${#named[@]} -gt 0 ]] || named=("${all[@]}")
for name in "${all[@]}"; do # in their order, whatever that of the arguments is
    [[ " ${named[*]} " == *" $name "* ]] || continue
    case $name in
        postgres) apply postgres postgres infra '' ;;
        mlflow | annotation) apply "$name" "$name" "$name" '' ;;
        predict-mesh)
            apply predict-mesh predict-mesh predict-mesh \
                deploy/charts/predict-mesh/rendered-values.yaml
            ;;
        *)
            apply "model-$name" model "model-$name" "deploy/charts/model/models/$name.yaml" \
                "predict-mesh.io/model=$name"
            ;;
    esac
done
