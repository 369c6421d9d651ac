"""The notary keeps one append-only ledger file per model file; a stranger can verify it without the rest of the monitor.

`notary.Notary` writes (one fsync per append, durable before visible), `verify` reads with the standard library alone, and
`encoding` fixes every byte of an entry for ever. `README.md` beside this file documents the formats byte by byte.
"""
