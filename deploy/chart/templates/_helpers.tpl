{{- define "berth.labels" -}}
app.kubernetes.io/name: berth
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- /* Pods meet the Pod Security Standard "restricted". */ -}}
{{- define "berth.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "berth.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- define "berth.pullSecrets" -}}
{{- with .Values.images.pullSecret }}
imagePullSecrets:
  - name: {{ . }}
{{- end }}
{{- end }}

{{- /* Services are addressed by name, which is resolved for each connection. If a name does not resolve, pool managers and
       routers use the variables that Kubernetes sets. */ -}}
{{- define "berth.redisUrl" -}}
redis://berth-redis:6379
{{- end }}

{{- /* Pods are spread over nodes if there are enough, so that the loss of one node leaves the others. */ -}}
{{- define "berth.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "berth.labels" . | nindent 8 }}
{{- end }}
