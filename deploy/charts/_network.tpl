{{/* Network policies: what istio/services.yaml says of identities, once more by addresses and ports.
     Each chart has a link to this file. */}}

{{/* Nothing in or out but names and the mesh's own, which is its control plane and what proxies tell:
     each app's policy adds to it. Takes the root. */}}
{{- define "network.deny" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: deny
  namespace: {{ .Release.Namespace }}
  labels: {{- include "pod.labels" (list . "network") | nindent 4 }}
spec:
  podSelector: {}
  policyTypes: [Ingress, Egress]
  ingress:
    - from:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: observability
      ports:
        - {port: 15020, protocol: TCP} # figures of the proxy and its agent
        - {port: 15090, protocol: TCP} # of the proxy alone
  egress:
    {{- include "network.own" . | nindent 4 }}
{{- end }}

{{/* The way out to names and to the mesh's own. */}}
{{- define "network.own" -}}
- to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: kube-system
  ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
- to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: istio-system
  ports:
    - {port: 15012, protocol: TCP} # istiod
- to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: groundcover
  ports:
    - {port: 4317, protocol: TCP} # traces, as istio/mesh-config.yaml has them
{{- end }}

{{/* Pods, by "namespace/app": model-* for the namespaces of models, app * for all pods. */}}
{{- define "network.peer" -}}
{{- $namespace := first (splitList "/" .) -}}
{{- $app := last (splitList "/" .) -}}
- namespaceSelector:
    {{- if eq $namespace "model-*" }}
    matchExpressions:
      - {key: predict-mesh.io/model, operator: Exists}
    {{- else }}
    matchLabels:
      kubernetes.io/metadata.name: {{ $namespace }}
    {{- end }}
  {{- if ne $app "*" }}
  podSelector:
    matchLabels:
      app: {{ $app }}
  {{- end }}
{{- end }}

{{/* The policy of one app. Takes root, app; from: port -> callers; to: who is called -> port;
     outside: ports, anywhere; isHook: true for that of a job before a release, which can wait for no
     other policy of it. */}}
{{- define "network.policy" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ .app }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "pod.labels" (list .root .app) | nindent 4 }}
  {{- if .isHook }}
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
    helm.sh/hook-weight: "-1"
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
  {{- end }}
spec:
  podSelector:
    matchLabels:
      app: {{ .app }}
  policyTypes: [Ingress, Egress]
  ingress:
    {{- range $port, $callers := .from }}
    - from:
        {{- range $callers }}
        {{- include "network.peer" . | nindent 8 }}
        {{- end }}
      ports:
        - {port: {{ $port }}, protocol: TCP}
    {{- else }} []
    {{- end }}
  egress:
    {{- if .isHook }}
    {{- include "network.own" .root | nindent 4 }}
    {{- end }}
    {{- range $called, $port := .to }}
    - to:
        {{- include "network.peer" $called | nindent 8 }}
      ports:
        - {port: {{ $port }}, protocol: TCP}
    {{- end }}
    {{- if .outside }}
    - ports:
        {{- range .outside | toStrings | uniq }}
        - {port: {{ . }}, protocol: TCP}
        {{- end }}
    {{- end }}
    {{- if not (or .to .outside .isHook) }} []
    {{- end }}
{{- end }}

{{/* Where the database is, as JSON of "to" and "outside". Takes the root. */}}
{{- define "network.database" -}}
{{- $database := .Values.database -}}
{{- if eq $database.host "postgres.infra.svc.cluster.local" -}}
{{- dict "to" (dict "infra/postgres" $database.port) "outside" list | toJson -}}
{{- else -}}
{{- dict "to" dict "outside" (list $database.port) | toJson -}}
{{- end -}}
{{- end }}

{{/* The port of AWS, as JSON of a list. Takes the root. */}}
{{- define "network.aws" -}}
{{- $port := regexFind ":[0-9]+$" (trimSuffix "/" .Values.aws.endpoint) | trimPrefix ":" -}}
{{- list (int (default "443" $port)) | toJson -}}
{{- end }}
