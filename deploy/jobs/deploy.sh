#!/usr/bin/env bash
# Releases a version of a model, gives it all the traffic, or takes it back.
set -euo pipefail

usage() {
    cat <<'EOF'
deploy.sh release MODEL@VERSION [--canary PERCENT | --steps PERCENT,... [--pause SECONDS]]
deploy.sh promote MODEL
deploy.sh rollback MODEL

release takes the version from MLflow, checks it, has Triton load it, and gives it its share of
the traffic; promote gives the newest version all of it; rollback goes back to what was before.
Each takes --reason WHY. Who runs the pipeline, or else the script, is recorded with it.

environment:
  PG*                      where PostgreSQL is
  MLFLOW_TRACKING_URI      where MLflow is
  PMESH_TRITON_REPOSITORY  the folder that Triton serves
  PMESH_TRITON_ADDRESS     host:port of Triton's gRPC, or unix: and the path of its socket
  PMESH_TRITON_KEY         what Triton was started with, to let nobody else load models
  PMESH_DEVICE             cpu (the default) or gpu: where Triton runs the model
  PMESH_QUALITY_MARGIN     how much of the primary metric a version may lose; 0.02
  PMESH_ROLLOUT_IDLE_S     seconds that a version without traffic stays loaded; 15
  PATH                     its first python has the project's packages
EOF
}

case ${1:-} in
    --help) usage && exit ;;
    '') usage >&2 && exit 2 ;;
esac

actor=${GITHUB_ACTOR:-${BUILD_USER_ID:-$(id -un)}}
exec python -P -m rollout "$@" --actor "$actor"
