"""Every environment variable that the product reads: one table, printed in the README of the command line.

A flag or an argument always takes precedence over its variable. A test compares the table with the code.
"""

from __future__ import annotations

TO = "SANDBOX_MONITOR_TO"
AUTHOR = "SANDBOX_MONITOR_AUTHOR"
KEY = "SANDBOX_MONITOR_KEY"
BOARD = "SANDBOX_MONITOR_BOARD_URL"
RUNBOOK = "SANDBOX_MONITOR_RUNBOOK_URL"
LANGUAGE = "SANDBOX_MONITOR_LANG"

VARIABLES: dict[str, tuple[str, str]] = {
    TO: ("`--to`, `Pilot(to=...)`", "address of the monitor: kafka://host:port, http://host:port or a gateway"),
    AUTHOR: (
        "`--author`, `Pilot(participant=...)`",
        "who acts: a person as named in the sandbox, or the firm by its participant.id",
    ),
    KEY: ("`--key` of acts, `Pilot(key=...)`", "key file of the author (`sandbox-monitor keys new`)"),
    "SANDBOX_TRUST_KEYS": ("`--trust-key`", "public keys of the workers, or a file with one per line"),
    LANGUAGE: ("`--lang`", "language of what is printed for people: en or zh"),
    BOARD: ("`--board-url`, `--board`, `Halted.page`", "address of the board as people reach it"),
    RUNBOOK: ("`--runbook-url`, `Halted.runbook`", "address of deploy/runbook.md as people reach it"),
    "SANDBOX_MONITOR_BOARD_SECRET": (
        "`--board-access`",
        "secret with which the login proxy of the board proves itself, at least 32 characters",
    ),
    "SANDBOX_MONITOR_GRAFANA_URL": ("`--grafana-url`", "address of Grafana as people reach it"),
    "SANDBOX_MONITOR_GRAFANA_TOKEN": ("`--token`", "token of a service account of Grafana"),
    "SANDBOX_LOG": ("every process", "form of logs on stderr: text (default) or json"),
    "SANDBOX_KAFKA_CA": ("every client of Kafka", "file of the authority (PEM) that signed the brokers' certificates"),
    "SANDBOX_KAFKA_CERT": ("every client of Kafka", "certificate of the client (PEM), for mutual TLS"),
    "SANDBOX_KAFKA_KEY": ("every client of Kafka", "private key of that certificate"),
    "SANDBOX_KAFKA_KEY_PASSWORD_FILE": ("every client of Kafka", "file with the password of that key"),
    "SANDBOX_KAFKA_USER": ("every client of Kafka", "user for SASL"),
    "SANDBOX_KAFKA_PASSWORD_FILE": ("every client of Kafka", "file with the password of the user"),
    "SANDBOX_KAFKA_MECHANISM": ("every client of Kafka", "SCRAM-SHA-512 (default), SCRAM-SHA-256 or PLAIN"),
    "NO_COLOR": ("every command", "set to anything: no colours, also on a terminal"),
    "XDG_STATE_HOME": ("`Pilot(spool_dir=...)`", "directory under which the spool of the SDK is kept"),
    "QUICK": ("`bench`", "fewer repetitions"),
    "SANDBOX_FAILPOINT": ("tests", "kills or delays a process at a named point (`monitor/engine/failpoint.py`)"),
}
"""Name -> what it is the default of, and its meaning."""


def variables_table() -> str:
    """The table in Markdown, as the README has it."""
    rows = [f"| `{name}` | {of} | {meaning} |" for name, (of, meaning) in VARIABLES.items()]
    return "\n".join(["| variable | default of | meaning |", "|---|---|---|", *rows])


if __name__ == "__main__":
    print(variables_table())
