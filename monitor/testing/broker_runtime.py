"""The Java side of the test broker: its jars, a class archive for a quick start, and formatted storage.

`python -m monitor.testing.broker_runtime` prepares all of it once per checkout (Maven, then one trial start); `make
servers` calls it. A broker also starts without the archive, about one second of processor time slower.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path

from monitor.errors import Unavailable

REPOSITORY = Path(__file__).resolve().parents[2]
LOCAL = REPOSITORY / "deploy" / "local"
HOME = REPOSITORY / "var" / "kafka"
CLUSTER_ID = "c2FuZGJveC1tb25pdG9yLQ"  # 16 bytes in URL-safe base64, as Kafka wants it; any will do

JVM = (
    "-Xms128m",
    "-Xmx512m",
    "-XX:+UseSerialGC",  # one small heap on a shared machine: fewer threads, quicker start than G1
    "-XX:TieredStopAtLevel=1",  # a broker that lives for minutes gains nothing from the second compiler
    "-Xshare:auto",
    f"-Dlog4j2.configurationFile={LOCAL / 'log4j2.properties'}",
)


def jars(home: Path = HOME) -> Path:
    """Resolve the broker's jars into `home`/lib (Maven, once per content of pom.xml) and return that directory.

    Safe to call from several processes at once. Raises `Unavailable` when Maven cannot resolve them.
    """
    pom = LOCAL / "pom.xml"
    wanted = hashlib.sha256(pom.read_bytes()).hexdigest()
    lib = home / "lib"
    stamp = lib / ".pom-sha256"
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text() == wanted:
            return lib
        if lib.exists():  # jars of another version must not stay on the class path
            shutil.rmtree(lib)
        maven = shutil.which("mvn")
        if maven is None:
            raise Unavailable("no `mvn` on the path: install Maven, it resolves the Kafka broker once")
        command = [maven, "-q", "-B", "-f", str(pom), f"-Dlib={lib}", "package"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode:
            raise Unavailable(f"Maven could not resolve the Kafka broker:\n{done.stdout[-2000:]}")
        stamp.write_text(wanted)
    return lib


def java() -> str:
    """Path of the `java` program. Raises `Unavailable` without one."""
    found = shutil.which("java")
    if found is None:
        raise Unavailable("no `java` on the path: the Kafka broker needs Java 17 or newer")
    return found


def broker_command(config: Path) -> list[str]:
    """The command that runs one broker with this configuration, with the class archive where there is one.

    Raises `Unavailable` when Java or the jars are missing.
    """
    archive = _archive()
    # A JVM ignores an archive that belongs to another JVM or class path; it starts as without one.
    options = [f"-XX:SharedArchiveFile={archive}"] if archive.exists() else []
    return [*_command("kafka.Kafka", options), str(config)]


def format_storage(config: Path, data: Path, node_id: str) -> None:
    """Write the two files that a new KRaft node needs into `data`: its identity, and the feature levels to begin with.

    Kafka's own tool runs once per version of the jars; the feature levels depend on that version alone, so later nodes
    get a copy and a fresh identity. Raises `Unavailable` when the tool fails.
    """
    features = HOME / "prepared" / f"{_version()}-bootstrap.checkpoint"
    if not features.exists():
        run_format_tool(config)
        features.parent.mkdir(parents=True, exist_ok=True)
        copy = features.with_suffix(f".{os.getpid()}")  # another process may be making it too
        shutil.copy(data / "bootstrap.checkpoint", copy)
        copy.replace(features)
        return
    data.mkdir(parents=True, exist_ok=True)
    shutil.copy(features, data / "bootstrap.checkpoint")
    identity = {"version": "1", "cluster.id": CLUSTER_ID, "node.id": node_id, "directory.id": _directory_id()}
    (data / "meta.properties").write_text("".join(f"{key}={value}\n" for key, value in identity.items()))


def run_format_tool(config: Path, scram: Sequence[str] = ()) -> None:
    """Format the storage that `config` names with Kafka's own tool, with SCRAM users in the tool's notation.

    Raises `Unavailable` when the tool fails.
    """
    words = ["format", "-t", CLUSTER_ID, "-c", str(config), *(word for user in scram for word in ("--add-scram", user))]
    with tempfile.NamedTemporaryFile("w", prefix="kafka-format-") as file:  # mode 0600: passwords stay out of `ps`
        file.write("".join(f"{word}\n" for word in words))
        file.flush()
        command = [*_command("kafka.tools.StorageTool"), f"@{file.name}"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"the broker's storage could not be formatted:\n{done.stdout[-2000:]}")


def prepare() -> None:
    """Make everything that brokers of this checkout share: jars, feature levels, class archive. Does nothing the second
    time.

    Raises `Unavailable` when Java or Maven is missing or the trial broker does not start.
    """
    from monitor.testing.broker import KafkaBroker  # it imports this module

    jars()
    archive = _archive()
    if archive.exists():
        return
    archive.parent.mkdir(parents=True, exist_ok=True)
    with (HOME / ".archive-lock").open("w") as lock, tempfile.TemporaryDirectory() as directory:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if archive.exists():
            return
        fresh = archive.with_suffix(".new")
        with KafkaBroker(
            Path(directory), environment={"JDK_JAVA_OPTIONS": f"-XX:ArchiveClassesAtExit={fresh}"}
        ) as broker:
            broker.stop(timeout=120)  # the archive is written at its exit, several seconds long
        if fresh.exists():
            fresh.replace(archive)


def _command(main: str, options: Sequence[str] = ()) -> list[str]:
    return [java(), *JVM, *options, "-cp", f"{jars()}/*", main]


def _version() -> str:
    return hashlib.sha256((LOCAL / "pom.xml").read_bytes()).hexdigest()[:12]


def _archive() -> Path:
    """Where the class archive of this JVM, these jars and these options lies, made or not."""
    program = Path(java()).resolve()
    facts = f"{_version()} {program} {program.stat().st_mtime_ns} {JVM}"
    return HOME / "prepared" / f"{hashlib.sha256(facts.encode()).hexdigest()[:12]}.jsa"


def _directory_id() -> str:
    """A random Kafka UUID. Kafka refuses some reserved ones, and tools take a leading hyphen for an option."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def main() -> int:
    """Prepare, and say why when that fails. Exit code 0 or 1."""
    try:
        prepare()
    except Unavailable as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
