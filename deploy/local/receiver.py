"""The receiver of alerts in `make stack`: stores what Alertmanager sends, one JSON line per alert."""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def main(port: int, file: Path) -> None:
    """Listen on 127.0.0.1:`port` until killed; append `{receiver, status, labels, annotations}` to `file`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with file.open("a") as out:
                for alert in said["alerts"]:
                    kept = {key: alert[key] for key in ("status", "labels", "annotations", "startsAt")}
                    out.write(json.dumps({"receiver": self.path.strip("/")} | kept, sort_keys=True) + "\n")
            self.send_response(200)
            self.end_headers()

        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the overridden name)
            """The file is the log."""

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
