"""Time stamps of checkpoints (RFC 3161): request, verify, store."""
