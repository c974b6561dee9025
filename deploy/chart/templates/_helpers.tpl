{{- define "berth.labels" -}}
app.kubernetes.io/name: berth
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- /* Whatever the namespace demands of its pods: Pod Security "restricted". */ -}}
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

{{- /* Services of the namespace go by their names, which lead to their addresses of now; where a name does not resolve,
       pool managers and routers go by the variables that Kubernetes sets. */ -}}
{{- define "berth.redisUrl" -}}
redis://berth-redis:6379
{{- end }}

{{- /* On nodes of their own where there are as many: with one node lost the others go on. */ -}}
{{- define "berth.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "berth.labels" . | nindent 8 }}
{{- end }}
