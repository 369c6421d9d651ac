"""What a regulator's tools import: send acts to `control` and read their outcome, send telemetry in bulk."""
