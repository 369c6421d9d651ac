"""Why a server refused a request or a connection: the closed list, a label of `sandbox_monitor_http_refused_total`."""

from __future__ import annotations

from enum import StrEnum


class HttpRefusal(StrEnum):
    """Why a request or a connection was refused."""

    TOO_MANY_CONNECTIONS = "too_many_connections"  # in total
    TOO_MANY_OF_CLIENT = "too_many_of_client"  # of one client address
    NO_FILE = "no_file"  # the process has no file descriptor left
    TLS = "tls"  # the handshake failed or took too long
    SLOW = "slow"  # headers, body or the reading of a response took too long
    NOT_HTTP = "not_http"  # aiohttp cannot parse it
    HOST_NAME = "host_name"
    RATE = "rate"  # more requests or bytes per second than a client may send
    BACKLOG = "backlog"  # the machine is behind; retry later
    BUSY = "busy"  # too many bodies in reception, or requests of this kind at once
    TOO_LARGE = "too_large"
    NOT_ALLOWED = "not_allowed"  # not signed, signed by somebody else, or a copy
    NOT_READY = "not_ready"
    BAD_REQUEST = "bad_request"  # every other status of 400 to 499
    INTERNAL_ERROR = "internal_error"  # a defect of the monitor, with a traceback in the log
