#!/usr/bin/env bash
# Releases a version of a model, gives it all the traffic, or takes it back.
set -euo pipefail

usage() {
    cat <<'EOF'
deploy.sh release MODEL@VERSION [--canary PERCENT | --steps PERCENT,... [--pause SECONDS]]
deploy.sh promote MODEL
deploy.sh rollback MODEL
deploy.sh pause|resume|cancel MODEL

Asks the gateway, which has the release process carry it out: take the version from MLflow, check
it, have Triton load it, and give it its share of the traffic. release ends when the version has its
first share, or with --wait its last one, and fails when it is refused; promote gives the newest
version all of it; rollback goes back to what was before. These take --reason WHY; who runs
the pipeline, or else the script, is recorded with them. pause keeps a release at its step, resume
lets it go on, cancel ends it where it stands.

environment:
  PMESH_GATEWAY            the gateway: https://host or https://host:port; host:port without TLS
  PMESH_TOKEN              where the gateway asks for tokens: one with a role that may release
  SSL_CERT_FILE            for TLS, your own authority's certificate; else those that gRPC knows
  PATH                     its first python has the project's packages
EOF
}

case ${1:-} in
    --help) usage && exit ;;
    '') usage >&2 && exit 2 ;;
esac

case $1 in
    pause | resume | cancel) exec python -P -m pmesh.cli "$@" ;;  # nobody is recorded with these
esac
actor=${GITHUB_ACTOR:-${BUILD_USER_ID:-$(id -un)}}
exec python -P -m pmesh.cli "$@" --actor "$actor"
