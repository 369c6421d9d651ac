"""Histories: seeded operations and faults, then a comparison of the logs with an offline step, position by position.

`workload` defines what is sent, `plan` which fault is injected, `kafka_history` runs both on a real broker with worker
processes, `in_process` in one process on logs in memory and on SQLite, `check` compares, `tally` adds up. A seed
determines operations and faults; the reaction of real processes depends on timing, so a failed history leaves its logs
behind.
"""
