"""The state machine of a partition, and what steps it: the runner, replays and histories."""
