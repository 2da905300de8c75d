#!/usr/bin/env bash
# Installs the charts, or brings what is installed up to this checkout.
set -euo pipefail
shopt -s inherit_errexit

usage() {
    cat <<'EOT'
install.sh [CHART | MODEL...] --tag COMMIT [--values FOLDER]... [--dry-run]

First has all namespaces, with the labels by which the mesh and its policies know them; then looks
whether each secret and claim is there that the charts' notes name, and if not, tells how they are
made and ends; then applies istio/. Then installs deploy/charts in the order in which they need each
other: postgres into infra, mlflow, then predict-mesh, which first migrates the database, then each
model into model-MODEL, and annotation. What is right already stays as it is.

Routes to Tritons of a new kind (the canary's, or those of a version of its own) follow once these are
ready, so that no call is led to none; routes that no longer lead to some are changed before these go.
A model that would get some and lose others at once is refused: do one first.

Only the named ones, if any are named. Otherwise postgres, which is left out too where mesh.yaml
says another database, and mlflow only if they are not there yet: to bring them up to a commit
restarts them, so name them for that.

Each gets what pmesh render says of it, then FOLDER/CHART.yaml, for a model then FOLDER/MODEL.yaml. A
file of values there that is of no chart and no model is refused.

  --tag      the commit that the images were built of, unless images.tag in one's own values is another
  --values   where one's own values are; later ones win
  --dry-run  asks the server whether it would take each object, and changes nothing

environment:
  KUBECONFIG      the cluster, with Istio
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
        --values)
            [[ -d ${2:?} ]] || fail "there is no folder $2"
            folders+=("$(realpath "$2")") && shift
            ;;
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
    [[ " ${all[*]} " == *" $name "* ]] ||
        fail "there is no chart and no model $name, but ${all[*]}"
done
for folder in "${folders[@]}"; do
    for file in "$folder"/*.{yaml,yml}; do
        name=$(basename "${file%.yaml}")
        [[ ! -e $file || " ${all[*]} model " == *" $name "* ]] ||
            fail "$file would be left out; values are those of ${all[*]} model, each in NAME.yaml"
    done
done

work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT
images=$work/images.yaml
printf 'images: {registry: "%s", tag: "%s"}\n' "${IMAGE_REGISTRY:-localhost}" "$tag" >"$images"

# of NAME: sets release, chart, namespace, and options of helm.
of() {
    local folder file rendered=deploy/charts/$1/rendered-values.yaml
    release=$1 chart=$1 namespace=$1
    case $1 in
        postgres) namespace=infra ;;
        mlflow | predict-mesh | annotation) ;;
        *)
            release=model-$1 chart=model namespace=model-$1
            rendered=deploy/charts/model/models/$1.yaml
            ;;
    esac
    options=(--namespace "$namespace" --values "$images")
    [[ ! -f $rendered ]] || options+=(--values "$rendered")
    for folder in "${folders[@]}"; do
        for file in "$chart" "${release#model-}"; do
            [[ ! -f $folder/$file.yaml ]] || options+=(--values "$folder/$file.yaml")
        done
    done
}

has_database_outside() {
    grep --quiet '^database:' deploy/charts/predict-mesh/rendered-values.yaml
}

# chosen: what is to be installed, in its order, whatever that of the arguments is.
chosen() {
    local name
    for name in "${all[@]}"; do
        of "$name"
        if [[ ${#named[@]} -gt 0 ]]; then
            [[ " ${named[*]} " == *" $name "* ]] || continue
        elif [[ $name == postgres || $name == mlflow ]]; then
            [[ $name != postgres ]] || ! has_database_outside || continue
            [[ -z $(helm list --namespace "$namespace" --deployed --short --filter "^$name\$") ]] ||
                continue
        fi
        echo "$name"
    done
}

# have_namespaces: the mesh's, and ours with their labels.
have_namespaces() {
    local name missing=() labels needed
    needed=$(kubectl kustomize istio | sed -n 's/^  namespace: //p' | sort --unique)
    for name in "${all[@]}"; do
        of "$name"
        needed+=" $namespace"
    done
    for name in $needed; do
        [[ -z $(kubectl get namespace "$name" --ignore-not-found --output name) ]] || continue
        [[ -n $dry_run ]] || kubectl create namespace "$name" >&2
        missing+=("$name")
    done
    if [[ -n $dry_run ]]; then
        [[ ${#missing[@]} -eq 0 ]] ||
            fail "the server judges nothing in namespaces that it does not have: ${missing[*]}"
        return
    fi
    for name in "${all[@]}"; do
        of "$name"
        labels=(istio-injection=enabled)
        [[ $chart != model ]] || labels+=("predict-mesh.io/model=$name")
        kubectl label namespace "$namespace" --overwrite "${labels[@]}" >&2
    done
}

# notes: those of the chart that `of` has set.
notes() {
    helm upgrade --install "$release" "deploy/charts/$chart" "${options[@]}" --dry-run=client |
        sed '1,/^NOTES:$/d'
}

# lacking: reads notes, and repeats each line of theirs whose object is not there or not as it is to
# be, with what is wrong.
lacking() {
    local words kind name found word key
    while read -ra words; do
        case "${words[*]:0:2} ${words[*]:3:2}" in
            'kubectl -n create secret') kind=secret name=${words[6]} ;;
            'kubectl -n create configmap') kind=configmap name=${words[5]} ;;
            'kubectl -n get persistentvolumeclaim') kind=persistentvolumeclaim name=${words[5]} ;;
            *) continue ;;
        esac
        found=$(keys "${words[2]}" "$kind" "$name")
        if [[ -z $found ]]; then
            printf '  %s\n' "${words[*]}"
            continue
        fi
        for word in "${words[@]}"; do
            [[ $word =~ ^--from-(file|literal)=([^=]+) ]] || continue
            key=${BASH_REMATCH[2]}
            if ! grep --quiet --line-regexp --extended-regexp --regexp "${key//./\\.}( .*)?" <<<"$found"; then
                printf '  %s\n      %s is there without the key %s\n' "${words[*]}" "$name" "$key"
            elif [[ $word != *=*=* ]] && grep --quiet --line-regexp "$key ends a line" <<<"$found"; then
                printf '  %s\n      the key %s of %s ends with a new line\n' "${words[*]}" "$key" "$name"
            fi
        done
    done
}

# keys NAMESPACE KIND NAME: nothing if there is none, else its kind and its keys, each with whether its
# value ends with a new line, which programs would take for a part of it. No value is told.
keys() {
    # shellcheck disable=SC2016  # the template's own variables
    kubectl --namespace "$1" get "$2" "$3" --ignore-not-found --output go-template='{{.kind}}{{"\n"}}
{{- $decode := eq .kind "Secret"}}{{range $key, $value := .data}}{{$key}} {{if $decode}}
{{- $value | base64decode | printf "%q"}}{{else}}{{printf "%q" $value}}{{end}}{{"\n"}}{{end}}' |
        sed -E 's/^([^ ]+) "(.*[^\\])?(\\\\)*\\n"$/\1 ends a line/; t; s/ ".*"$//'
}

# install: what `of` has set; or asks whether the server would take it.
install() {
    local said
    echo "$release into $namespace"
    if [[ -n $dry_run ]]; then
        helm template "$release" "deploy/charts/$chart" "${options[@]}" --validate |
            kubectl apply --namespace "$namespace" "${as_rendered[@]}" --filename - >&2
        return
    fi
    said=$(notes)
    [[ ! $said =~ --timeout\ ([0-9]+s) ]] || options+=(--timeout "${BASH_REMATCH[1]}")
    [[ $release != postgres ]] || options+=(--wait) # others look for it at once
    helm upgrade --install "$release" "deploy/charts/$chart" "${options[@]}" >&2
}

# tracks: reads the routes of a model, and tells to which of its Tritons they lead.
tracks() {
    sed -n 's/^ *subset: //p' | sort --unique
}

# hold_back_routes: has in `held` the models that calls may come for already, and whose routes are to
# lead to Tritons that they do not lead to yet.
hold_back_routes() {
    local name live rendered gained lost
    for name in "${models[@]}"; do
        live=$(kubectl --namespace "model-$name" get virtualservice triton --ignore-not-found --output yaml |
            tracks)
        [[ -n $live && -f istio/models/$name/routes.yaml ]] || continue
        rendered=$(tracks <"istio/models/$name/routes.yaml")
        gained=$(comm -13 <(echo "$live") <(echo "$rendered"))
        lost=$(comm -23 <(echo "$live") <(echo "$rendered"))
        [[ -n $gained ]] || continue
        held+=("$name")
        if ! is_chosen "$name"; then
            echo "the routes of $name stay as they are until it is installed, with its Tritons: ${gained//$'\n'/, }" >&2
        elif [[ -n $lost ]]; then
            fail "$name would get Tritons (${gained//$'\n'/, }) and lose others (${lost//$'\n'/, }) at once: do one first"
        fi
    done
}

is_chosen() {
    grep --quiet --line-regexp --fixed-strings --regexp "$1" <<<"$names"
}

# apply_mesh: istio/, but for the routes that are held back.
apply_mesh() {
    local name
    cp --recursive istio "$work"
    for name in "${held[@]}"; do
        sed --in-place "\,^- models/$name/routes\.yaml\$,d" "$work/istio/kustomization.yaml"
    done
    kubectl apply "${as_rendered[@]}" --kustomize "$work/istio" >&2
}

# let_routes_follow MODEL: once all Tritons that they lead to are ready.
let_routes_follow() {
    local track
    if [[ -z $dry_run ]]; then
        for track in $(tracks <"istio/models/$1/routes.yaml"); do
            kubectl --namespace "$namespace" rollout status "deployment/triton-$track" >&2
        done
    fi
    kubectl apply "${as_rendered[@]}" --filename "istio/models/$1/routes.yaml" >&2
}

as_rendered=(--server-side --force-conflicts --validate=strict ${dry_run:+--dry-run=server})
names=$(chosen) held=()
have_namespaces
wanted=$(for name in $names; do of "$name" && notes; done)
wanted=$(lacking <<<"$wanted")
if [[ -n $wanted ]]; then
    printf 'install.sh: these must be there first, values without a new line at their end:\n%s\n' \
        "$wanted" >&2
    exit 1
fi
hold_back_routes
apply_mesh
for name in $names; do
    of "$name"
    install
    [[ " ${held[*]} " != *" $name "* ]] || let_routes_follow "$name"
done
