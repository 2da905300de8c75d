#!/usr/bin/env bash
# Releases a version of a model to Triton and shifts traffic to it.
set -euo pipefail

usage() {
    cat <<'EOF'
deploy.sh MODEL@VERSION [--canary PERCENT | --steps PERCENT,... --pause SECONDS] [--reason WHY]
deploy.sh promote MODEL
deploy.sh rollback MODEL

Takes the version from MLflow, checks it, has Triton load it, and gives it its share of the
traffic. Who runs the pipeline, or else the script, is recorded with it.

environment:
  MLFLOW_TRACKING_URI      where MLflow is
  PMESH_TRITON_REPOSITORY  the folder that Triton serves
  PMESH_TRITON_HTTP        host:port of Triton's HTTP
  PG*                      where PostgreSQL is
  PATH                     its first python has the project's packages
EOF
}

case ${1:-} in
    --help) usage && exit ;;
    '') usage >&2 && exit 2 ;;
esac

actor=${GITHUB_ACTOR:-${BUILD_USER_ID:-$(id -un)}}
exec python -m release "$@" --actor "$actor"
