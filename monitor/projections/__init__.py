"""Read models of what the machine emitted: metrics, alerts, open commands, wording. Pure."""
