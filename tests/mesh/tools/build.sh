#!/usr/bin/env bash
# Builds what the tests of the mesh run: a Kubernetes API server with its etcd, istiod and the agent of
# its proxies, kubectl and helm, of the versions of go.mod; and lays what they read beside them. They
# lie in build/mesh-tools/current. The first time takes a quarter of an hour; needs Go.
set -euo pipefail
cd "$(dirname "$0")"

tools=$(cd ../../.. && pwd)/build/mesh-tools
version=$(cat go.mod go.sum crds/go.mod crds/go.sum build.sh | sha256sum | cut -c 1-16)
if [[ ! -d $tools/$version ]]; then
    command -v go >/dev/null || {
        echo "the tools of the mesh's tests are built by Go, which is not here: install it, and make mesh-tools" >&2
        exit 1
    }
    echo "building the tools of the mesh's tests; the first time takes a quarter of an hour"
    mkdir -p "$tools"
    made=$(mktemp -d -p "$tools")
    # Go's cache of what it has compiled would be kept at 7 GB.
    GOCACHE=$made/cache
    export GOCACHE
    trap 'rm -rf "$made"' EXIT

    kubernetes=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
    IFS=. read -r major minor _ <<<"${kubernetes#v}"
    package=k8s.io/component-base/version # what charts may ask for
    GOBIN=$made go install -ldflags "-s -w -X $package.gitVersion=$kubernetes
        -X $package.gitMajor=$major -X $package.gitMinor=$minor" tool
    mv "$made/server" "$made/etcd"

    istio=$(go list -m -f '{{.Dir}}' istio.io/istio)
    cp "$istio/tools/packaging/common/envoy_bootstrap.json" "$made"
    mkdir "$made/crds"
    cp "$istio/manifests/charts/base/files/crd-all.gen.yaml" "$made/crds/istio.yaml"
    (cd crds && go mod download github.com/kedacore/keda/v2)
    keda=$(cd crds && go list -m -f '{{.Dir}}' github.com/kedacore/keda/v2)
    cp "$keda"/config/crd/bases/keda.sh_*.yaml "$made/crds"

    rm -rf "$GOCACHE"
    chmod -R u+w "$made"
    chmod 755 "$made"
    mv "$made" "$tools/$version"
    trap - EXIT
fi
ln -sfn "$version" "$tools/current"
