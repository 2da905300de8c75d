{{/* What the pods of all our charts have in common. Each chart has a link to this file. */}}

{{/* Labels of an object. Takes the root and the app. */}}
{{- define "pod.labels" -}}
{{- $root := index . 0 -}}
app: {{ index . 1 }}
app.kubernetes.io/name: {{ index . 1 }}
app.kubernetes.io/part-of: predict-mesh
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ $root.Chart.Name }}-{{ $root.Chart.Version }}
{{- end }}

{{/* Of a program of ours. Takes the root and the program. */}}
{{- define "pod.image" -}}
{{- $images := (index . 0).Values.images -}}
{{ printf "%s/predict-mesh/%s:%s" $images.registry (index . 1) $images.tag | quote }}
{{- end }}

{{/* First lines of a pod's spec. Takes the root and the service account. */}}
{{- define "pod.spec" -}}
{{- $root := index . 0 -}}
serviceAccountName: {{ index . 1 }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with $root.Values.images.pullSecret }}
imagePullSecrets:
  - name: {{ . | quote }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- end }}

{{- define "pod.container" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end }}

{{/* That a program goes on, which it tells by touching PMESH_HEARTBEAT. Takes for how many seconds it
     may tell nothing. */}}
{{- define "pod.heartbeat" -}}
livenessProbe:
  exec:
    command: [python, -P, -m, contract.heartbeat, {{ . | quote }}]
  periodSeconds: 30
  timeoutSeconds: 15
{{- end }}

{{/* Takes labels. */}}
{{- define "pod.spread" -}}
topologySpreadConstraints:
{{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ $key }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- toYaml $ | nindent 8 }}
{{- end }}
{{- end }}

{{/* Takes the root, the app, and the annotations of its service account. */}}
{{- define "pod.serviceAccount" -}}
{{- $root := index . 0 -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ index . 1 }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- include "pod.labels" (list $root (index . 1)) | nindent 4 }}
  {{- with index . 2 }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- end }}

{{/* Which database, for libpq. Takes the root; the login; a secret, and the key of its password. */}}
{{- define "pod.database" -}}
{{- $database := (index . 0).Values.database -}}
- name: PGHOST
  value: {{ $database.host | quote }}
- name: PGPORT
  value: {{ $database.port | quote }}
- name: PGDATABASE
  value: {{ $database.name | quote }}
{{ include "pod.database.tls" $database }}
- name: PGUSER
  {{- if index . 1 }}
  value: {{ index . 1 | quote }}
  {{- else }}
  valueFrom:
    secretKeyRef:
      name: {{ index . 2 | quote }}
      key: username
  {{- end }}
- name: PGPASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ index . 2 | quote }}
      key: {{ index . 3 }}
{{- end }}

{{/* What the database is known by, for libpq. Takes the values of the database. */}}
{{- define "pod.database.tls" -}}
- name: PGSSLMODE
  value: {{ .sslmode | quote }}
{{- if .caConfigMap }}
- name: PGSSLROOTCERT
  value: /etc/database/ca.crt
{{- else if hasPrefix "verify-" .sslmode }}
- name: PGSSLROOTCERT # not "system": psycopg's own OpenSSL looks for that elsewhere
  value: /etc/ssl/certs/ca-certificates.crt
{{- end }}
{{- end }}

{{/* Its authority, where the image knows no such. Takes the root. */}}
{{- define "pod.database.mount" -}}
{{- if .Values.database.caConfigMap }}
- name: database-ca
  mountPath: /etc/database
  readOnly: true
{{- end }}
{{- end }}

{{- define "pod.database.volume" -}}
{{- with .Values.database.caConfigMap }}
- name: database-ca
  configMap:
    name: {{ . | quote }}
{{- end }}
{{- end }}

{{/* Where AWS is, for boto3; who asks is said by the service account, or by a secret. */}}
{{- define "pod.aws" -}}
{{- with .Values.aws -}}
- name: AWS_DEFAULT_REGION
  value: {{ .region | quote }}
{{- if .endpoint }}
- name: AWS_ENDPOINT_URL
  value: {{ .endpoint | quote }}
{{- end }}
{{- if .secret }}
{{- range $key := list "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY" }}
- name: {{ $key }}
  valueFrom:
    secretKeyRef:
      name: {{ $.Values.aws.secret | quote }}
      key: {{ $key }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Where spans go, and how many of the traces that begin here: those of others go on as they came. */}}
{{- define "pod.telemetry" -}}
{{- with .Values.telemetry -}}
{{- if .otlpEndpoint -}}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ .otlpEndpoint | quote }}
- name: OTEL_TRACES_SAMPLER
  value: parentbased_traceidratio
- name: OTEL_TRACES_SAMPLER_ARG
  value: {{ .sampleRatio | quote }}
- name: POD_NAME
  valueFrom:
    fieldRef: {fieldPath: metadata.name}
- name: OTEL_RESOURCE_ATTRIBUTES
  value: k8s.namespace.name={{ $.Release.Namespace }},k8s.pod.name=$(POD_NAME)
{{- end }}
{{- end }}
{{- end }}

{{- define "pod.topic" -}}
{{- $partition := ternary "aws-cn" (ternary "aws-us-gov" "aws" (hasPrefix "us-gov-" .Values.aws.region)) (hasPrefix "cn-" .Values.aws.region) -}}
{{ printf "arn:%s:sns:%s:%s:%s-events" $partition .Values.aws.region .Values.aws.account .Values.bus.prefix | quote }}
{{- end }}

{{/* The claim to the repository's volume, which several namespaces have. Takes the root. */}}
{{- define "pod.repository" -}}
{{- $repository := .Values.repository -}}
{{- if $repository.csi.volumeHandle -}}
{{- $name := printf "%s-%s" .Release.Namespace $repository.claim -}}
apiVersion: v1
kind: PersistentVolume
metadata:
  name: {{ $name | quote }}
  labels: {{- include "pod.labels" (list . "repository") | nindent 4 }}
spec:
  accessModes: [ReadWriteMany]
  capacity:
    storage: {{ $repository.size | quote }}
  persistentVolumeReclaimPolicy: Retain
  storageClassName: ""
  volumeMode: Filesystem
  claimRef:
    apiVersion: v1
    kind: PersistentVolumeClaim
    namespace: {{ .Release.Namespace }}
    name: {{ $repository.claim | quote }}
  csi:
    driver: {{ $repository.csi.driver | quote }}
    volumeHandle: {{ $repository.csi.volumeHandle | quote }}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {{ $repository.claim | quote }}
  namespace: {{ .Release.Namespace }}
  labels: {{- include "pod.labels" (list . "repository") | nindent 4 }}
spec:
  accessModes: [ReadWriteMany]
  storageClassName: ""
  volumeName: {{ $name | quote }}
  resources:
    requests:
      storage: {{ $repository.size | quote }}
{{- end }}
{{- end }}

{{/* Of the notes, which install.sh reads: what must be there and charts share; --from-file=KEY is a
     single value, without a new line at its end, --from-file=KEY=FILE a file as it is. Takes the root. */}}
{{- define "pod.needs" -}}
{{- $namespace := .Release.Namespace -}}
{{- with .Values.images.pullSecret }}
  kubectl -n {{ $namespace }} create secret docker-registry {{ . }} --docker-server=REGISTRY --docker-username=NAME --docker-password=PASSWORD
{{- end }}
{{- with (default dict .Values.aws).secret }}
  kubectl -n {{ $namespace }} create secret generic {{ . }} --from-file=AWS_ACCESS_KEY_ID --from-file=AWS_SECRET_ACCESS_KEY
{{- end }}
{{- with (default dict .Values.database).caConfigMap }}
  kubectl -n {{ $namespace }} create configmap {{ . }} --from-file=ca.crt=FILE
{{- end }}
{{- end }}

{{- define "pod.needs.repository" -}}
{{- if not .Values.repository.csi.volumeHandle }}
  kubectl -n {{ .Release.Namespace }} get persistentvolumeclaim {{ .Values.repository.claim }}
      you make it, ReadWriteMany: one volume for all namespaces, whose root the user 10001 may write
{{- end }}
{{- end }}
