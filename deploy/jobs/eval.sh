#!/usr/bin/env bash
# Compares a version of a model with the one that serves.
set -euo pipefail

usage() {
    cat <<'EOF'
eval.sh MODEL@VERSION [--data FILE...]

Compares a version with MLflow's alias `champion` on the same held-out examples, and says
whether it is better or worse, with a confidence interval.

environment:
  MLFLOW_TRACKING_URI  where MLflow is
  PG*                  of a version that was trained from labels, where PostgreSQL is, which has the
                       texts that it is judged by; PGUSER is the login training
  PATH                 its first python has the project's packages
EOF
}

case ${1:-} in
    --help) usage && exit ;;
    '') usage >&2 && exit 2 ;;
esac

exec python -P -m training.evaluate "$@"
