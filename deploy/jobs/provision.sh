#!/usr/bin/env bash
# Brings schema, bus and catalog up to the models of this checkout.
set -euo pipefail

usage() {
    cat <<'EOF'
provision.sh [--passwords DIRECTORY]

Migrates the database, makes the topic, the queues and the bucket, and lists the models of this
checkout; a model whose folder is gone is no longer listed. Programs may be running, and again is no
harm. Prints a line for each thing: what kind, its name, what became of it.

  --passwords DIRECTORY  files that are called as logins (gateway, relay, rollout,
                         monitoring, training, worker-MODEL), each with its password: makes those logins

environment:
  PG*                    where PostgreSQL is; PGUSER is the owner of the database
  AWS_*                  where SNS, SQS and S3 are
  PMESH_TRITON_ADDRESS   host:port of Triton's gRPC, as gateways and workers reach it; {model} in
                         it stands for the model
  PMESH_BUS_PREFIX       how the names of topic and queues start; predict
  PMESH_FEATURES_BUCKET  where features lie; predict-features
  PMESH_REPLICAS         processes of one program side by side, at the most; 1
  PATH                   its first python has the project's packages
EOF
}

if [[ ${1:-} == --help ]]; then
    usage && exit
fi

exec python -P -m pmesh.cli provision "$@"
