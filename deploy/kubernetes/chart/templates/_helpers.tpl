{{- define "monitor.labels" -}}
app.kubernetes.io/name: sandbox-monitor
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "monitor.selector" -}}
app.kubernetes.io/name: sandbox-monitor
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "monitor.image" -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- end }}

{{/* The restricted profile of the Pod Security Standards. */}}
{{- define "monitor.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "monitor.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "monitor.env" -}}
- {name: SANDBOX_KAFKA_CA, value: /run/kafka/ca/ca.crt}
- {name: SANDBOX_KAFKA_CERT, value: /run/kafka/user/user.crt}
- {name: SANDBOX_KAFKA_KEY, value: /run/kafka/user/user.key}
- {name: SANDBOX_TRUST_KEYS, value: {{ join " " .Values.trustKeys | quote }}}
- {name: SANDBOX_LOG, value: json}
{{- end }}

{{- define "monitor.mounts" -}}
- {name: kafka-ca, mountPath: /run/kafka/ca, readOnly: true}
- {name: kafka-user, mountPath: /run/kafka/user, readOnly: true}
- {name: tmp, mountPath: /tmp}
{{- end }}

{{- define "monitor.volumes" -}}
- name: kafka-ca
  secret: {secretName: {{ .root.Values.kafka.caSecret }}, defaultMode: 0440}
- name: kafka-user
  secret: {secretName: {{ .user }}, defaultMode: 0440}
- name: tmp
  emptyDir: {sizeLimit: 64Mi}
{{- end }}

{{- define "monitor.probes" -}}
livenessProbe:
  httpGet: {path: /live, port: metrics}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end }}
