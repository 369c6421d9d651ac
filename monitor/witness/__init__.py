"""Witnesses of published checkpoints (C2SP tlog-witness): a server, and a client that asks what a policy needs."""
