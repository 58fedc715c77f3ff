"""Actor code loaded at run time, as thespian defines it: nothing is used that no authority has validated.

A zip file's bytes are handed to the source authority, an actor; what it answers (``ValidatedSource``) is
kept under the file's hash, and those who asked are told. Without an authority nothing is ever loaded.
"""

import hashlib
import logging
import sys
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

from thespian.actors import (
    InvalidActorSpecification,
    LoadedSource,
    UnloadedSource,
    ValidatedSource,
    ValidateSource,
)
from thespian.system.sourceLoader import SourceHashFinder, loadModuleFromHashSource

from actors.stage.address import Address

if TYPE_CHECKING:
    from actors.stage.lives import Lives

log = logging.getLogger("butai.stage")


class Sources:
    """The validated sources of one stage; all methods are called on its loop."""

    __slots__ = ("_of", "_sources", "_stage", "_told", "authority")

    def __init__(self, stage: "Lives") -> None:
        self._stage = stage
        self._sources: dict[str, bytes] = {}
        self._told: list[Address] = []
        self._of: dict[Address, str] = {}
        self.authority: Address | None = None

    def load(self, data: bytes) -> str:
        """Hand a source to the authority; returns its hash, which is good once it has been validated."""
        source_hash = hashlib.md5(data, usedforsecurity=False).hexdigest()
        if self.authority is not None:
            self._tell(self.authority, ValidateSource(source_hash, data))
        return source_hash

    def validated(self, answer: ValidatedSource) -> None:
        """Take what the authority answered, unless it is a refusal or no readable zip file."""
        if answer.sourceZip is None:
            log.warning("source %s was refused by the source authority", answer.sourceHash)
            return
        try:
            SourceHashFinder(answer.sourceHash, lambda data: data, answer.sourceZip).getZipNames()
        except (BadZipFile, OSError, ValueError, TypeError) as error:
            log.error("validated source %s cannot be read: %s", answer.sourceHash, error)
            return
        self._sources[answer.sourceHash] = answer.sourceZip
        for address in self._told:
            self._tell(address, LoadedSource(answer.sourceHash, ""))

    def unload(self, source_hash: str) -> None:
        """Forget a source and the modules that came from it; actors already made of it live on."""
        if self._sources.pop(source_hash, None) is not None:
            for address in self._told:
                self._tell(address, UnloadedSource(source_hash, ""))
        for finder in [each for each in sys.meta_path if getattr(each, "srcHash", None) == source_hash]:
            root = finder.hashRoot()  # type: ignore[attr-defined]
            for name in [name for name in sys.modules if name.startswith(root)]:
                del sys.modules[name]
            sys.meta_path.remove(finder)

    def unload_all(self) -> None:
        for source_hash in list(self._sources):
            self.unload(source_hash)

    def find(self, source_hash: str, name: str) -> Any:
        """The object behind a dotted name in a loaded source. Raises as ``named`` does, and
        ``InvalidActorSourceHash``."""
        module, _, attribute = name.rpartition(".")
        if not module:
            raise InvalidActorSpecification(name)
        return loadModuleFromHashSource(source_hash, self._sources, module, attribute)

    def made(self, address: Address, source_hash: str) -> None:
        """Remember which source an actor came from: its children come from it too."""
        self._of[address] = source_hash

    def of(self, address: Address) -> str | None:
        return self._of.get(address)

    def notify(self, address: Address, enable: bool) -> None:
        """Tell an actor, or no longer, what is loaded and unloaded; first what is loaded now."""
        if address in self._told:
            self._told.remove(address)
        if enable:
            self._told.append(address)
            for source_hash in self._sources:
                self._tell(address, LoadedSource(source_hash, ""))

    def forget(self, address: Address) -> None:
        """The actor has exited."""
        self._of.pop(address, None)
        if address in self._told:
            self._told.remove(address)
        if self.authority is address:
            self.authority = None

    def _tell(self, address: Address, message: Any) -> None:
        self._stage.send(self._stage.root, address, message)
