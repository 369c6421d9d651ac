"""The record stage: one append-only ledger file per subject, which can be verified without the rest of the monitor.

`notary.Notary` writes (one fsync per append, durable before visible), `verify` reads with the standard library alone,
and `encoding` defines every byte of an entry and never changes. `README.md` documents the formats byte by byte."""
