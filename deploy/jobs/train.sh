#!/usr/bin/env bash
# Trains a model and registers what came of it as a new version in MLflow.
set -euo pipefail

usage() {
    cat <<'EOF'
train.sh MODEL [--variant VARIANT] [--data FILE...] [--seed N] [--from-labels [--since TIME]]

Trains, evaluates on held-out examples, and registers a version in MLflow. The last line of
stdout is the number of the version; progress goes to stderr.

  MODEL                a folder under models/
  --variant VARIANT    another architecture: models/MODEL/VARIANT.py
  --data FILE...       learns from these files, not from the model's own
  --seed N             the same seed gives the same model
  --from-labels        learns from what people said of predictions too
  --since TIME         of those that were asked for since then only, such as 2026-11-01

environment:
  MLFLOW_TRACKING_URI  where MLflow is
  PMESH_DEVICE         cpu (the default) or gpu: where it trains
  PG*                  with --from-labels, where PostgreSQL is; PGUSER is the login training
  PATH                 its first python has the project's packages
EOF
}

case ${1:-} in
    --help) usage && exit ;;
    '') usage >&2 && exit 2 ;;
esac

exec python -P -m training.train "$@"
