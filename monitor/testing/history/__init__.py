"""Histories: random operations and faults, recorded, then checked position by position against an offline step of the
logs.

`story` says what is sent, `plan` what goes wrong, `live` runs both on a real broker with real worker processes,
`memory` on logs in memory and on SQLite, `check` judges what stands afterwards, `tally` adds up. The same seed gives
the same operations and the same faults; what real processes make of them depends on time, so that a failed history also
leaves its logs behind.
"""
