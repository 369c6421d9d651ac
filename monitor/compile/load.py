"""Reads charter files: YAML in; a charter, or every mistake with its line, out.

YAML 1.2 is composed into nodes and converted to plain values here, because the usual loaders drop positions or guess:
`no` is text and not false, dates stay as written, and `010`, `.nan`, tags and duplicate keys are mistakes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, get_args, get_origin

import msgspec
from msgspec import Struct, structs
from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from monitor.charter.spec import Charter
from monitor.charter.values import EXACT, escaped
from monitor.compile.lint import lint
from monitor.compile.problem import Problem, nearest
from monitor.errors import CharterError

LARGEST_FILE = 1 << 20  # bytes of a charter file
NODES = 50_000  # after aliases are resolved: a page of nested aliases must not fill the memory

DEPTH = 16  # nesting of lists and fields; a charter has eight

_SURROGATE = re.compile("[\ud800-\udfff]")  # only an escape can write one; UTF-8 cannot hold it
FilePosition = tuple[int, int]


class LocatedProblem(Struct, frozen=True):
    """One problem at a place of a file: `line` and `column` count from 1, `field` is the dotted path."""

    file: str
    line: int
    column: int
    severity: Literal["error", "warning"]
    field: str
    problem: str
    fix: str

    def __str__(self) -> str:
        word = "warning: " if self.severity == "warning" else ""
        return f"{self.file}:{self.line}:{self.column}: {word}{self.field}: {self.problem}" + (
            f"; {self.fix}" if self.fix else ""
        )


class LoadedCharter(Struct, frozen=True):
    """The content of a file: the charter, `None` when it cannot be read as one, and all its problems."""

    charter: Charter | None
    found: tuple[LocatedProblem, ...]

    @property
    def errors(self) -> tuple[LocatedProblem, ...]:
        """Problems with which the charter cannot be used."""
        return tuple(f for f in self.found if f.severity == "error")


Check: TypeAlias = Callable[[Charter], Iterable[Problem]]


def read_charter(text: str, file: str = "charter.yaml", more: Check | None = None) -> LoadedCharter:
    """Read and lint a charter; never raises for the content of the text. `file` is used in messages only. `more` checks
    a charter in which lint finds no error.

    Mistakes in YAML, in form and in meaning are all found in one pass. A part (`cycle`, `indicators[2]`) with a mistake
    of one kind is not checked for the next kind, as further mistakes may follow from the first.
    """
    tree = Tree(file)
    data = tree.load(text)
    tree.settle()
    if "" in tree.settled or (tree.found and tree.nodes >= NODES):
        return LoadedCharter(None, tree.sorted())
    tree.check(Charter, data, "")
    tree.settle()
    if not tree.found:
        charter = msgspec.convert(data, Charter)
        for problem in lint(charter):
            tree.add(problem.field, problem.problem, problem.fix, problem.severity)
        if more is not None and all(found.severity == "warning" for found in tree.found):
            for problem in more(charter):
                tree.add(problem.field, problem.problem, problem.fix, problem.severity)
        return LoadedCharter(charter, tree.sorted())
    if "" not in tree.settled:
        for problem in _lint_sound(data, tree.settled):
            tree.add(problem.field, problem.problem, problem.fix)
    return LoadedCharter(None, tree.sorted())


def load_charter(path: Path) -> Charter:
    """The charter in a file. Raises CharterError for the first mistake (warnings are passed over), OSError as `open`
    does."""
    reading = read_bytes(path.read_bytes(), str(path))
    for error in reading.errors:
        raise CharterError(error.file, error.line, error.column, error.field, error.problem, error.fix)
    assert reading.charter is not None
    return reading.charter


def read_bytes(raw: bytes, file: str, more: Check | None = None) -> LoadedCharter:
    """As `read_charter`, from the bytes of a file: UTF-8, at most 1 MiB."""
    problem = f"the file is larger than {LARGEST_FILE} bytes" if len(raw) > LARGEST_FILE else ""
    try:
        text = "" if problem else raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        column = error.start - raw.rfind(b"\n", 0, error.start)
        return LoadedCharter(
            None, (LocatedProblem(file, line, column, "error", "file", "not UTF-8", "save it as UTF-8"),)
        )
    if problem:
        return LoadedCharter(None, (LocatedProblem(file, 1, 1, "error", "file", problem, "a charter is a few pages"),))
    return read_charter(text, file, more)


_NEUTRAL: dict[str, Any] = {
    "schema": "sandbox-charter/1",
    "pilot": "p",
    "participant": {"id": "p"},
    "scenario": "",
    "tier": "minimal",
    "cycle": {"start": "2000-01-01", "end": "2000-01-02"},
    "models": [{"digest": "*"}],
    "authorities": [{"id": "a"}],
    "indicators": [],
}
"""Replaces a required field that is missing or wrong, so that the others can be linted."""


def _lint_sound(data: dict[str, Any], wrong: Collection[str]) -> Iterator[Problem]:
    """Errors of meaning in the well-formed parts of a charter. Warnings are left out, as they may depend on the
    rest."""
    sound = {name: value for name, value in data.items() if name in Charter.__struct_fields__ and name not in wrong}
    places: dict[str, list[int]] = {}
    for name, value in list(sound.items()):
        if isinstance(value, list):
            places[name] = [i for i in range(len(value)) if f"{name}[{i}]" not in wrong]
            sound[name] = [value[i] for i in places[name]]
            if value and not sound[name]:
                del sound[name]
    if "responses" not in sound:  # wrong, or perhaps misspelt
        sound.pop("drills", None)  # its spans are compared with those of the responses
    for problem in lint(msgspec.convert(_NEUTRAL | sound, Charter)):
        if problem.severity == "error":
            at = re.sub(r"^(\w+)\[(\d+)\]", lambda m: f"{m[1]}[{places[m[1]][int(m[2])]}]", problem.field)
            yield structs.replace(problem, field=at)


def _part(field: str) -> str:
    """The part of a charter that a field belongs to: the outermost field, or element of a list."""
    return re.sub(r"(?<=.)\..*$|(?<=\]).*$", "", field)


class _Composer(Composer):
    """ruamel.yaml's composer, which recurses per level, with a bound on the levels."""

    levels = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self.levels += 1
        try:
            if self.levels > DEPTH:
                at = self.parser.peek_event().start_mark
                raise MarkedYAMLError(problem=f"lists and fields nest more than {DEPTH} deep", problem_mark=at)
            return super().compose_node(parent, index)
        finally:
            self.levels -= 1


class Tree:
    """The values of one file, the place of each, and its problems; `settled` are the parts that are not checked
    further."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.places: dict[str, FilePosition] = {"": (1, 1)}
        self.found: list[LocatedProblem] = []
        self.settled: set[str] = set()
        self.nodes = 0

    def add(self, field: str, problem: str, fix: str, severity: Literal["error", "warning"] = "error") -> None:
        """Report a problem at the place of `field`, or of its nearest parent; nothing in a settled part."""
        part = _part(field)
        if any(part == one or part.startswith(f"{one}[") or one.startswith(f"{part}[") for one in self.settled):
            return
        near = field
        while near not in self.places:
            near = near[: max(near.rfind("."), near.rfind("["), 0)]
        line, column = self.places[near]
        words = (escaped(field) or "charter", escaped(problem), escaped(fix))
        self.found.append(LocatedProblem(self.file, line, column, severity, *words))

    def settle(self) -> None:
        """Report nothing more in the parts that have a problem; "" is the charter as a whole."""
        self.settled = {_part("" if f.field in ("charter", "<<") else f.field) for f in self.found}

    def sorted(self) -> tuple[LocatedProblem, ...]:
        """The problems in the order of the file."""
        return tuple(sorted(self.found, key=lambda f: (f.line, f.column)))

    def load(self, text: str) -> Any:
        try:
            yaml = YAML(typ="rt")
            yaml.Composer = _Composer
            node = yaml.compose(text)
        except YAMLError as error:
            mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
            self.places[""] = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            problem = str(getattr(error, "problem", None) or error).partition("\n")[0]
            fix = "indent with spaces, never with tabs" if "\\t" in problem else "look at this line and the one before"
            self.add("", problem, fix)
            return None
        except Exception:  # the parser raises undeclared types for escapes beyond Unicode and runs of brackets
            self.add("", "the YAML cannot be read", "look for control characters and runs of brackets")
            return None
        if node is None:
            self.add("", "the file is empty", "start from `sandbox-monitor charter new automated_driving`")
            return None
        return self.value(node, "", ())

    def value(self, node: Node, path: str, above: tuple[int, ...]) -> Any:
        """A node as plain values; its place is stored under its path."""
        self.places[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
        self.nodes += 1
        if id(node) in above or len(above) > DEPTH or self.nodes > NODES:
            if self.nodes <= NODES or not self.found:
                self.add(path, "an alias contains itself, or there are too many values", "write it out")
            self.nodes = NODES
            return None
        if isinstance(node, ScalarNode):
            return self.scalar(node, path)
        if isinstance(node, SequenceNode):
            return [self.value(n, f"{path}[{i}]", (*above, id(node))) for i, n in enumerate(node.value)]
        assert isinstance(node, MappingNode)
        made: dict[str, Any] = {}
        for key, item in node.value:
            at = f"{path}.{key.value}".lstrip(".") if isinstance(key, ScalarNode) else path
            if not isinstance(key, ScalarNode) or _tag(key) == "merge":
                self.places[at] = (key.start_mark.line + 1, key.start_mark.column + 1)
                self.add(at, "this kind of key is not used in charters", "write the fields out")
            elif _SURROGATE.search(key.value):
                self.places[at] = (key.start_mark.line + 1, key.start_mark.column + 1)
                self.add(at, "the key contains half a character", "write the character itself")
            elif key.value in made:
                self.places[at] = (key.start_mark.line + 1, key.start_mark.column + 1)
                self.add(at, "the key is written twice", "remove one")
            else:
                made[key.value] = self.value(item, at, (*above, id(node)))
                if made[key.value] is None:  # the parser places an empty value at the next token, lines below
                    self.places[at] = (key.end_mark.line + 1, key.end_mark.column + 1)
        return made

    def scalar(self, node: ScalarNode, path: str) -> Any:
        """A scalar by the tag that YAML 1.2 gives it."""
        text: str = node.value
        if node.style == ">":  # the round-trip scanner marks each fold with a control character, which no text holds
            text = text.replace("\a", "")
        tag = _tag(node)
        if (half := _SURROGATE.search(text)) is not None:
            self.add(path, f"U+{ord(half[0]):04X} is half a character", "write the character itself")
            return None
        if tag in ("str", "timestamp"):
            return text
        if tag == "null":
            return None
        if tag == "bool" and text.lower() in ("true", "false"):
            return text.lower() == "true"
        if tag in ("int", "float") and "_" in text:
            bare = text.replace("_", "")
            self.add(path, f"{text} is a number to some readers and a text to others", f'write {bare} or "{text}"')
        elif tag == "int" and re.fullmatch(r"[-+]?0[0-9]+", text):
            self.add(
                path,
                f"{text} is 8-based to some readers and 10-based to others",
                f'write {int(text[:100])} or "{text}"',
            )
        elif tag == "int" and abs(_number(text[:100]) or 0) > EXACT:
            self.add(
                path,
                "an integer beyond 2^53 is not held exactly by every reader",
                f"write {EXACT} or less, or put it in quotes where it is a name",
            )
        elif tag in ("int", "float"):
            number = _number(text) if len(text) < 100 else None
            if number is not None:
                return number
            self.add(path, "the number is not finite, or has too many digits", "write a number of ordinary size")
        else:
            self.add(path, f"{text} has a tag or is a boolean of YAML 1.1", "write true, false, a number or a text")
        return None

    def check(self, kind: Any, data: Any, path: str) -> None:
        """Compare data with a type, field by field, so that every mistake is found and not only the first."""
        if isinstance(kind, type) and issubclass(kind, Struct) and isinstance(data, dict):
            fields = {f.encode_name: f for f in msgspec.structs.fields(kind)}
            for name in data.keys() - fields.keys():
                self.add(f"{path}.{name}".lstrip("."), "unknown field", nearest(name, fields))
            for name, field in fields.items():
                at = f"{path}.{name}".lstrip(".")
                if name in data:
                    self.check(field.type, data[name], at)
                elif field.required:
                    self.add(at, "the field is missing", "add it")
            return
        bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
        item = get_args(bare)[0] if get_origin(bare) is tuple else None
        if item is not None and isinstance(item, type) and issubclass(item, Struct) and isinstance(data, list):
            for index, element in enumerate(data):
                self.check(item, element, f"{path}[{index}]")
            if data:
                return
        try:
            msgspec.convert(data, kind)
        except msgspec.ValidationError as error:
            message, _, inner = str(error).rpartition(" - at `$")
            message, inner = (message, inner.rstrip("`")) if message else (str(error), "")
            inner = inner if re.fullmatch(r"(\.\w+|\[\d+\])*", inner) else ""
            self.add(f"{path}{inner}", *_in_words(message, kind))


def _number(text: str) -> int | float | None:
    """A finite number as YAML 1.2 writes it, without underscores, or `None`."""
    for kind in (lambda t: int(t, 0), float):
        try:
            number: int | float = kind(text)
        except ValueError:
            continue
        return number if math.isfinite(number) else None
    return None


def _tag(node: Node) -> str:
    return str(node.tag).removeprefix("tag:yaml.org,2002:")


_FIXES = (
    (r"got `null`", "give it a value, or remove the field"),
    (r"Expected `str`, got `(int|float|bool)`", "put it in quotes"),
    (r"Expected `(float|int|float \| null|int \| null)`, got `str`", "write a number, without quotes"),
    (r"Expected `bool`", "write true or false"),
    (r"of length >= 1", "write at least one"),
    (r"Expected `array`", "write a list: one line each, starting with a dash"),
    (r"Expected `object`", "write fields below it, indented"),
    (r"matching regex '\^\[0-9\]\{4\}", "write a date as YYYY-MM-DD"),
    (r"matching regex '\^\(\[01\]", "write a time of day as HH:MM"),
    (r"matching regex '\^\[0-9\]\+\(mo", "write a whole number and one of ms s m h d w mo, such as 1h"),
    (r"[<>]", "keep within the range"),
    (
        r"Expected `str`, got `object`",
        "write a text; keys of people belong in `keys` of their authority: {name: key}",
    ),
    (r"Expected `str", "write a text"),
    (r"Expected `int", "write a whole number, without a decimal point"),
    (r"Expected `float", "write a number"),
    (r"Expected `object", "write fields below it, indented, or remove it"),
    (r"unknown field", "remove it, or look for a misspelling"),
)


def _in_words(message: str, kind: Any) -> tuple[str, str]:
    """msgspec's message as (problem, fix)."""
    if message.startswith("Invalid enum value"):
        word = message.split("'")[1] if "'" in message else ""
        return f"{word!r} is not one of the words allowed here", nearest(word, _words(kind))
    problem = message.replace("`", "")
    problem = re.sub(r" matching regex .*", " of another form", problem)
    return problem, next((fix for pattern, fix in _FIXES if re.search(pattern, message)), "write a value of that kind")


def _words(kind: Any) -> list[str]:
    """The words that a type allows: of a Literal, of an enum, of a tuple of enums."""
    if get_origin(kind) is Literal:
        return [str(word) for word in get_args(kind)]
    if isinstance(kind, type) and hasattr(kind, "__members__"):
        return [str(member.value) for member in kind.__members__.values()]
    return [word for part in get_args(kind) for word in _words(part)]
