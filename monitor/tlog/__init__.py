"""Transparency logs in the C2SP formats, as a library: Merkle trees, notes, checkpoints, cosignatures, tiles, proofs.

Pure: no clock, no randomness, no input or output; standard library and `cryptography` only. See `README.md`.
"""
