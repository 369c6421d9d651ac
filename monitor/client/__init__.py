"""What a regulator's tools import: put acts on `control`, send telemetry in bulk."""
