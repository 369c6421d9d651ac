"""Acts on the files of models (key `model:<id>`): each accepted act is a decision with a separate standing, and an
entry in the ledger of the model. They are stepped in the partition of their key and change no pilot.

Only where a sandbox is founded: its configuration gives the roles. A model belongs to no authority, so an officer of
any authority may act on it.
"""

from __future__ import annotations

from msgspec import structs

from monitor.charter.model_acts import ModelAct, ModelEntry
from monitor.decide.model_file import check_author, new_entry, recorded, standing_entry
from monitor.decide.signatures import signed_by_person
from monitor.engine.act_decision import act_decision
from monitor.engine.partition import Partition
from monitor.errors import ControlRefused
from monitor.lifecycle.acts import Role
from monitor.lifecycle.sandbox import roles_in
from monitor.lifecycle.tenure import known_keys
from monitor.model.records import Finding, Outputs, Reason, Record
from monitor.model.refusals import REFUSALS, Refusal
from monitor.model.signing import Proved
from monitor.model.subjects import is_model
from monitor.state import acts_once
from monitor.state.acts_once import ActMemory
from monitor.state.model_file import ModelFile, full, size_of, too_many_bytes, too_many_models


def step_model(partition: Partition, act: ModelAct, record: Record, out: Outputs) -> None:
    """Verify one act on the file of a model and apply it. Raises ControlRefused or Forged; then nothing took effect."""
    if not is_model(act.pilot):
        raise ControlRefused("pilot", Refusal.BAD_MODEL_ID, REFUSALS[Refusal.BAD_MODEL_ID])
    sandbox = partition.sandbox.sandbox
    if sandbox is None:
        raise ControlRefused("pilot", Refusal.NOT_FOUNDED, REFUSALS[Refusal.NOT_FOUNDED])
    by = signed_by_person(sandbox, None, act, record)
    file = partition.models.get(act.pilot, ModelFile())
    acts_once.check_copy(file.acts, act, by, False)
    acts_once.check_time(act, record.received)
    authorities = frozenset(one.id for one in sandbox.authorities)
    role = check_author(file, act, roles_in(sandbox, act.author, by.key, authorities, ""))
    memory = _valid_once(file, act, by)
    new = structs.replace(file, standing=file.standing + 1, at=max(file.at, record.received))
    if isinstance(act, ModelEntry):
        new = _added(partition, new, act)
    else:
        gone = standing_entry(file, act.entry)
        kept = tuple(one for one in file.entries if one is not gone)
        new = structs.replace(new, entries=kept, size=file.size - size_of(gone))
    acts_once.remember_act(memory, act, by, False, new.standing)
    known = known_keys(sandbox, partition.sandbox.tenure)
    memory.keys = {key: at for key, at in memory.keys.items() if key in known}
    new = structs.replace(new, acts=memory)
    out.decisions.append(act_decision(partition, act, by, _found(act, role, file), new.at, new.standing))
    partition.models[act.pilot] = new
    partition.changed.add(act.pilot)


def _added(partition: Partition, file: ModelFile, act: ModelEntry) -> ModelFile:
    """The file with the entry that an act adds. Raises ControlRefused at a bound."""
    entry = new_entry(file, act, file.standing)
    size = size_of(entry)
    if why := full(file, size):
        raise ControlRefused("pilot", Refusal.MODEL_FILE_FULL, why)
    first = act.pilot not in partition.models
    if why := (too_many_models if first else too_many_bytes)(partition.models, size):
        raise ControlRefused("pilot", Refusal.TOO_MANY_MODELS, why)
    return structs.replace(file, entries=(*file.entries, entry), size=file.size + size)


def _valid_once(file: ModelFile, act: ModelAct, by: Proved) -> ActMemory:
    """A copy of what is remembered of acts, with this one judged. Raises ControlRefused unless it is valid once."""
    if by.key and act.expected_standing is None:  # else its id would have to be remembered without end
        raise ControlRefused("expected_standing", Refusal.VALIDITY_MISSING, REFUSALS[Refusal.VALIDITY_MISSING])
    memory = ActMemory(recent=file.acts.recent[:], keys=dict(file.acts.keys))
    acts_once.check_valid(memory, act, by, False, file.standing, 0)
    return memory


def _found(act: ModelAct, role: Role, before: ModelFile) -> tuple[Reason, Finding]:
    """What is recorded of an act: typed fields in the clear."""
    if isinstance(act, ModelEntry):
        content = recorded(act.content, role)
        finding = Finding(rule=str(content["kind"]), detail=act.words, content={**content, "entry": act.id})
        return Reason.MODEL_ENTRY_ADDED, finding
    gone = standing_entry(before, act.entry)
    content = {"kind": gone.kind, "by": role.value, "entry": gone.id, "number": float(gone.standing)}
    return Reason.MODEL_ENTRY_WITHDRAWN, Finding(rule=gone.kind, detail=act.reason, content=content)
