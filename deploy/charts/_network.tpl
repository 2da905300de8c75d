{{/* Network policies: what istio/services.yaml says of identities, once more by addresses and ports.
     Each chart has a link to this file, and one to that table. */}}

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

{{/* Pods, by the table's namespace/name. Takes that; of which namespace model-* is, "" for each model's.
     How pods of others are labelled is theirs to say, so that all of their namespace may. */}}
{{- define "network.peer" -}}
{{- $namespace := first (splitList "/" (index . 0)) -}}
{{- $app := last (splitList "/" (index . 0)) -}}
{{- $model := index . 1 -}}
- namespaceSelector:
    {{- if and (eq $namespace "model-*") (not $model) }}
    matchExpressions:
      - {key: predict-mesh.io/model, operator: Exists}
    {{- else }}
    matchLabels:
      kubernetes.io/metadata.name: {{ ternary $model $namespace (eq $namespace "model-*") }}
    {{- end }}
  {{- if not (has $namespace (list "istio-ingress" "observability")) }}
  podSelector:
    matchLabels:
      app: {{ $app }}
  {{- end }}
{{- end }}

{{/* Who is let in at a port, as JSON of a list. Takes what the table says of the port. */}}
{{- define "network.callers" -}}
{{- $callers := list -}}
{{- range prepend (.also | default list) . }}
{{- if kindIs "map" .callers }}
{{- $callers = concat $callers (keys .callers | sortAlpha) }}
{{- else }}
{{- $callers = concat $callers .callers }}
{{- end }}
{{- end -}}
{{- uniq $callers | toJson -}}
{{- end }}

{{/* The policy of one app. Takes the root; the app as the table calls it; and "hook" for that of a
     job before a release, which can wait for no other policy of it. */}}
{{- define "network.policy" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $app := last (splitList "/" $name) -}}
{{- $isHook := has "hook" . -}}
{{- $model := ternary $root.Release.Namespace "" (hasPrefix "model-*/" $name) -}}
{{- $table := $root.Files.Get "services.yaml" | fromYaml -}}
{{- $called := dict -}}
{{- $outside := list -}}
{{- range $service, $ports := omit $table "outside" }}
{{- range $port, $said := $ports }}
{{- if has $name (include "network.callers" $said | fromJsonArray) }}
{{- if and (eq $service "infra/postgres") (ne $root.Values.database.host "postgres.infra.svc.cluster.local") }}
{{- $outside = append $outside $root.Values.database.port }}
{{- else }}
{{- $_ := set $called $service (append (get $called $service | default list) $port) }}
{{- end }}
{{- if eq $service "model-*/triton" }}
{{- $outside = concat $outside $root.Values.networkPolicy.foreignPorts }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- range $what, $callers := $table.outside }}
{{- if has $name $callers }}
{{- with include "network.port" (list $root $what) }}
{{- $outside = append $outside . }}
{{- end }}
{{- end }}
{{- end -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ $app }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- include "pod.labels" (list $root $app) | nindent 4 }}
  {{- if $isHook }}
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
    helm.sh/hook-weight: "-1"
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
  {{- end }}
spec:
  podSelector:
    matchLabels:
      app: {{ $app }}
  policyTypes: [Ingress, Egress]
  ingress:
    {{- range $port, $said := index $table $name }}
    - from:
        {{- range include "network.callers" $said | fromJsonArray }}
        {{- include "network.peer" (list . $model) | nindent 8 }}
        {{- end }}
      ports:
        - {port: {{ $port }}, protocol: TCP}
    {{- else }} []
    {{- end }}
  egress:
    {{- if $isHook }}
    {{- include "network.own" $root | nindent 4 }}
    {{- end }}
    {{- range $service, $ports := $called }}
    - to:
        {{- include "network.peer" (list $service $model) | nindent 8 }}
      ports:
        {{- range $ports }}
        - {port: {{ . }}, protocol: TCP}
        {{- end }}
    {{- end }}
    {{- if $outside }}
    - ports:
        {{- range $outside | toStrings | uniq }}
        - {port: {{ . }}, protocol: TCP}
        {{- end }}
    {{- end }}
    {{- if not (or $called $outside $isHook) }} []
    {{- end }}
{{- end }}

{{/* The port of something outside: the one in its URL, or the usual one; none of a receiver of spans
     that there is not. Takes the root; what. */}}
{{- define "network.port" -}}
{{- $values := (index . 0).Values -}}
{{- $url := "" -}}
{{- if eq (index . 1) "issuer" -}}
{{- $url = ($values.access.tokens).jwks | default "" -}}
{{- else if eq (index . 1) "traces" -}}
{{- $url = $values.telemetry.otlpEndpoint -}}
{{- else if ne (index . 1) "alerts" -}}
{{- $url = $values.aws.endpoint -}}
{{- end -}}
{{- $host := regexFind "^https?://[^/?#]*" $url -}}
{{- $usual := ternary "80" "443" (hasPrefix "http://" $url) -}}
{{- if or $url (ne (index . 1) "traces") -}}
{{- regexFind ":[0-9]+$" $host | trimPrefix ":" | default $usual -}}
{{- end -}}
{{- end }}
