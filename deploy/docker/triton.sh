#!/usr/bin/env bash
# Starts Triton on the models in /models: by gRPC only, and what changes the server takes a key.
set -euo pipefail

usage() {
    cat <<'EOT'
triton.sh [OPTION...]

Starts tritonserver on the model repository /models. Options are handed on to it.

environment:
  PMESH_TRITON_KEY             what who loads and unloads models must show; rollout has it too
  PMESH_TRITON_LISTEN          where gRPC is answered; 127.0.0.1
  PMESH_TRITON_METRICS_LISTEN  where metrics are answered; 127.0.0.1
  OTEL_EXPORTER_OTLP_ENDPOINT  where spans go of calls that come with a traceparent; nowhere
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT  the URL for them, if it is not /v1/traces below that
  OTEL_SDK_DISABLED            true: as without an endpoint
EOT
}

if [[ ${1:-} == --help ]]; then
    usage && exit
fi
if [[ -z ${PMESH_TRITON_KEY:-} ]]; then
    echo "triton.sh: PMESH_TRITON_KEY is not set: it protects loading models; see --help" >&2
    exit 2
fi
key=$PMESH_TRITON_KEY
unset PMESH_TRITON_KEY # not for the models' processes

# The repository's protocol runs code that it is sent, so it takes the key, and so does whatever
# else is no question to a model. HTTP would be answered to any web page.
restricted=model-repository,shared-memory,model-config,statistics,trace,logging

# As telemetry/settings.py reads them.
traces=${OTEL_EXPORTER_OTLP_TRACES_ENDPOINT:-}
if [[ -z $traces && -n ${OTEL_EXPORTER_OTLP_ENDPOINT:-} ]]; then
    slashes=${OTEL_EXPORTER_OTLP_ENDPOINT##*[!/]} # at its end
    traces=${OTEL_EXPORTER_OTLP_ENDPOINT%"$slashes"}/v1/traces
fi
if [[ ${OTEL_SDK_DISABLED:-} == true ]]; then
    traces=
fi
if [[ $traces =~ ^[^/]*//[^/?#]*@ ]]; then # whoever sees processes would see it
    echo "triton.sh: OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_TRACES_ENDPOINT must not have" \
        "a name or password; say them in OTEL_EXPORTER_OTLP_HEADERS" >&2
    exit 2
fi

tracing=()
if [[ -n $traces ]]; then
    tracing=(
        --trace-config=mode=opentelemetry
        --trace-config=level=TIMESTAMPS
        --trace-config=rate=2147483647 # one in so many of the calls without one
        "--trace-config=opentelemetry,url=$traces"
        "--trace-config=opentelemetry,resource=service.name=triton"
        "--trace-config=opentelemetry,resource=service.namespace=predict-mesh"
        "--trace-config=opentelemetry,bsp_schedule_delay=1000" # ms; up to 2048 wait, the rest is dropped
    )
fi
exec tritonserver \
    --model-repository=/models \
    --model-control-mode=explicit \
    --load-model='*' \
    --exit-on-error=false \
    --allow-http=false \
    --allow-vertex-ai=false \
    --allow-sagemaker=false \
    --grpc-address="${PMESH_TRITON_LISTEN:-127.0.0.1}" \
    --grpc-restricted-protocol="$restricted:pmesh-key=$key" \
    --metrics-address="${PMESH_TRITON_METRICS_LISTEN:-127.0.0.1}" \
    --log-info=false \
    "${tracing[@]}" \
    "$@"
