"""Cuts a journal into model loads. A load begins where Ollama starts a runner, or, when Ollama itself is silent
(OLLAMA_DEBUG=-1), with the runner's first line; it ends where the runner is ready or has failed.

Two models can load at once, and their runners' lines carry no name: both loads are then `interleaved`, and no
single line of them proves anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from ongpu.host.ollama_log import classic, llama_server
from ongpu.host.ollama_log.draft import Draft
from ongpu.host.ollama_log.text import GAP, clean, record, suppressed
from ongpu.host.ollama_log.types import Load, Record


def loads(lines: Iterable[str]) -> tuple[Load, ...]:
    """Every load in the lines, oldest first, the failed and the unfinished ones too."""
    return _loads(tuple(lines))


@lru_cache(maxsize=8)  # each model's proof, the memory's split and the rules ask about one host's lines
def _loads(lines: tuple[str, ...]) -> tuple[Load, ...]:
    reader = _Reader()
    for line in lines:
        text = clean(line)
        if text == GAP:
            reader.close_all()
        elif suppressed(text):
            reader.mark_suppressed()
        elif entry := record(text):
            reader.take_record(entry)
        else:
            reader.take_raw(text)
    return tuple(draft.freeze() for draft in reader.drafts if draft.says_something)


def load_of(found: Iterable[Load], model_path: str, port: int | None = None) -> Load | None:
    """The load of a running runner: the last one of this model (and port, where the log has one)."""
    # The journal arrives as ASCII: a path with other characters has a `?` for each of their bytes there.
    as_logged = model_path.encode("utf-8", "replace").decode("ascii", "replace").replace("\ufffd", "?")
    fitting = [
        load
        for load in found
        if load.model_path in (model_path, as_logged) and (port is None or load.port is None or load.port == port)
    ]
    return fitting[-1] if fitting else None


class _Reader:
    def __init__(self) -> None:
        self.drafts: list[Draft] = []
        self.open: list[Draft] = []
        self.notes: list[str] = []  # said before the load that they are about

    def take_record(self, entry: Record) -> None:
        if entry.message == "server config":
            self.close_all()
            self.notes.clear()
        elif draft := classic.started(entry):
            self._begin(draft)
        elif classic.has_failed(entry):
            self._fail(entry)
        elif classic.is_ready(entry):
            self._end()
        elif self.open or classic.opens_a_load(entry):
            if not self.open:
                self._begin(Draft(generation="runner", seen_start=False))
            classic.take(self.open[-1], entry)
            if classic.is_warning(entry):
                self.open[-1].warnings.append(classic.words(entry))
        else:
            self._note(entry)

    def take_raw(self, text: str) -> None:
        if llama_server.BUILD in text and not (self.open and not self.open[-1].build_seen):
            self._begin(Draft())
        if not self.open and llama_server.opens_a_load(text):
            self._begin(Draft(seen_start=False))
        if not self.open:
            return
        draft = self.open[-1]
        if llama_server.BUILD in text:
            draft.build_seen = True
        if path := llama_server.model_named(text):
            draft = self._named(path)
        llama_server.take(draft, text)
        if llama_server.is_loaded(text):
            self._end()

    def mark_suppressed(self) -> None:
        """journald says so only when the next message passes: the load that lost lines may have ended by then."""
        for draft in (*self.open, *self.drafts[-1:]):
            draft.suppressed = True

    def close_all(self) -> None:
        """The lines stop here: what is open stays without an end."""
        self.open.clear()

    def _begin(self, draft: Draft) -> None:
        # A discovery child (TRACE level) never ends in the log, and says nothing about a model.
        self.open = [other for other in self.open if other.says_something or other.command]
        for other in self.open:
            other.interleaved = draft.interleaved = True
        draft.warnings.extend(self.notes[-20:])
        self.notes.clear()
        self.open.append(draft)
        self.drafts.append(draft)

    def _named(self, path: str) -> Draft:
        """The open load that the runner's line is about; a draft model's path names none of them."""
        draft = next((other for other in self.open if other.model_path == path), self.open[-1])
        if not draft.model_path:
            draft.model_path = path
        return draft

    def _end(self) -> None:
        if self.open:
            self.open.pop(0).complete = True

    def _fail(self, entry: Record) -> None:
        model = entry.attrs.get("model", "")
        draft = next((other for other in self.open if model and other.model_path == model), None)
        if draft is None and self.open:
            draft = self.open[0]
        if draft is not None:
            draft.failed = True
            self.open.remove(draft)
        else:  # `llama-server terminated` comes first, then `Load failed` with the reason
            draft = next((other for other in reversed(self.drafts) if other.failed), None)
        if draft is not None:
            draft.errors.append(classic.words(entry))

    def _note(self, entry: Record) -> None:
        """A line outside of any load: about the load that just ended, or about the one that follows."""
        if "VRAM tracking" in entry.message and self.drafts:
            self.drafts[-1].warnings.append(classic.words(entry))
        elif classic.is_about_next(entry):
            self.notes.append(classic.words(entry))
