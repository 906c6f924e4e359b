"""A load while its lines are still being read."""

from __future__ import annotations

from dataclasses import dataclass, field

from ongpu.host.ollama_log.types import Buffer, Generation, Load, UsedDevice

_MOST = 200  # of each kind of line, against a journal that repeats one line for ever


@dataclass(slots=True)
class Draft:
    """Mutable twin of Load. `build_seen`: the runner's first line was seen; `loading_seen`: it named its model."""

    generation: Generation = "llama-server"
    model_path: str = ""
    port: int | None = None
    command: str = ""
    seen_start: bool = True
    build_seen: bool = False
    loading_seen: bool = False
    offloaded: list[tuple[int, int]] = field(default_factory=list)
    buffers: list[Buffer] = field(default_factory=list)
    graph_splits: list[int] = field(default_factory=list)
    overflowing: dict[str, int] = field(default_factory=dict)
    devices: list[UsedDevice] = field(default_factory=list)
    fit: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    context: int | None = None
    parallel: int | None = None
    flash_attention: bool | None = None
    file_mib: float | None = None
    vocabulary: int | None = None
    embedding_length: int | None = None
    complete: bool = False
    failed: bool = False
    interleaved: bool = False
    suppressed: bool = False

    @property
    def is_open(self) -> bool:
        return not (self.complete or self.failed)

    @property
    def says_something(self) -> bool:
        """False for a discovery child (its output shows at TRACE level), which loads no model."""
        return bool(self.model_path or self.buffers or self.offloaded)

    def freeze(self) -> Load:
        return Load(
            generation=self.generation,
            model_path=self.model_path,
            port=self.port,
            command=self.command,
            offloaded=tuple(self.offloaded[:_MOST]),
            buffers=tuple(self.buffers[:_MOST]),
            graph_splits=tuple(self.graph_splits[:_MOST]),
            overflowing=tuple(sorted(self.overflowing.items())[:_MOST]),
            devices=tuple(self.devices[:_MOST]),
            fit=tuple(self.fit[:_MOST]),
            context=self.context,
            parallel=self.parallel,
            flash_attention=self.flash_attention,
            file_mib=self.file_mib,
            vocabulary=self.vocabulary,
            embedding_length=self.embedding_length,
            warnings=tuple(self.warnings[:_MOST]),
            errors=tuple(self.errors[:_MOST]),
            complete=self.complete,
            failed=self.failed,
            interleaved=self.interleaved,
            seen_start=self.seen_start,
            suppressed=self.suppressed,
        )
