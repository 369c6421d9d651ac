"""The decide stage: findings, acts and stop evidence move a pilot on the ladder. Pure."""
