{{- define "primes.name" -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- /* The labels by which a component is selected: dict "root" $ "component" "web" */ -}}
{{- define "primes.selector" -}}
app.kubernetes.io/name: primes
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "primes.labels" -}}
{{ include "primes.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- /* What every pod has: no privileges, no token of the cluster's, no variables for services (PRIMES_PORT would be one of them). */ -}}
{{- define "primes.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .user }}
  runAsGroup: {{ .user }}
  fsGroup: {{ .user }}
  seccompProfile: { type: RuntimeDefault }
{{- with .sysctls }}
  sysctls: {{ toYaml . | nindent 4 }}
{{- end }}
topologySpreadConstraints: # neither one machine nor one zone has all of a kind
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{ include "primes.selector" $ | nindent 8 }}
  {{- end }}
{{- end }}

{{- define "primes.container" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end }}

{{- /* Probes of a process that has a metrics' port. Restarted only when its event loop stands; out of DNS after 15 s in which Redis was
     not reached, so that a restart of Redis takes nobody out. */ -}}
{{- define "primes.probes" -}}
startupProbe: { httpGet: { path: /healthz, port: metrics }, periodSeconds: 2, failureThreshold: 30 }
livenessProbe: { httpGet: { path: /healthz, port: metrics }, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 }
readinessProbe: { httpGet: { path: /readyz, port: metrics }, periodSeconds: 5, timeoutSeconds: 4, failureThreshold: 3 }
{{- end }}

{{- define "primes.redis" -}}
{{- if .Values.redis.enabled -}}
redis://{{ include "primes.name" . }}-redis:6379
{{- else -}}
{{ required "redis.url: an external Redis needs an address" .Values.redis.url }}
{{- end -}}
{{- end }}

{{- /* The settings of web process and worker. The instance is the pod's name. */ -}}
{{- define "primes.environment" -}}
- { name: PRIMES_INSTANCE, valueFrom: { fieldRef: { fieldPath: metadata.name } } }
- { name: PRIMES_LOG_LEVEL, value: {{ .root.Values.logLevel }} }
- { name: PRIMES_LOG_FORMAT, value: json }
- { name: PRIMES_DRAIN, value: "10" }
- { name: PRIMES_REDIS_URL, value: {{ include "primes.redis" .root | quote }} }
- { name: PRIMES_REDIS_USER, value: {{ .user }} }
- { name: PRIMES_REDIS_PASSWORD_FILE, value: /run/access/password }
{{- with .root.Values.tracing.endpoint }}
- { name: PRIMES_TRACES, value: {{ . | quote }} }
{{- end }}
{{- end }}

{{- /* nginx' files, none of which is a template: dict "root" $ "glob" "files/nginx/conf/*" */ -}}
{{- define "primes.files" -}}
{{- range $path, $_ := .root.Files.Glob .glob }}
{{ base $path }}: |
{{ $.root.Files.Get $path | indent 2 }}
{{- end }}
{{- end }}

{{- /* One of the maps that nginx mounts changed: so do its pods. */ -}}
{{- define "primes.filesDigest" -}}
{{- $all := list -}}
{{- range $path, $_ := .Files.Glob "files/nginx/**" }}{{ $all = append $all ($.Files.Get $path) }}{{ end -}}
{{ join "" $all | sha256sum | trunc 16 }}
{{- end }}

{{- define "primes.pods" -}}
podSelector: { matchLabels: {{ include "primes.selector" . | fromYaml | toJson }} }
{{- end }}

{{- define "primes.dns" -}}
- ports: [{ port: 53, protocol: UDP }, { port: 53, protocol: TCP }]
{{- end }}

{{- define "primes.toCollector" -}}
{{- with .Values.tracing }}
{{- if .endpoint -}}
- to: [{ namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: {{ .namespace }} } } }]
  ports: [{ port: {{ regexFind ":[0-9]+/" .endpoint | trimPrefix ":" | trimSuffix "/" | default (hasPrefix "https" .endpoint | ternary "443" "80") }} }]
{{- end }}
{{- end }}
{{- end }}

{{- define "primes.toRedis" -}}
{{- if .Values.redis.enabled -}}
- to:
    - {{ include "primes.pods" (dict "root" . "component" "redis") }}
  ports: [{ port: 6379 }]
{{- else -}}
- ports: [{ port: {{ regexFind "[0-9]+$" .Values.redis.url | default "6379" }} }] # wherever it is
{{- end -}}
{{- end }}
