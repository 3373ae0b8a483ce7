"""Objects whose attributes are all known once they are made: a misspelt one is refused, and what was meant is named."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


def hint(name: str, names: Iterable[str]) -> str:
    """The end of a message that `name` is unknown: which of the public `names` comes near."""
    near = difflib.get_close_matches(name, [known for known in names if not known.startswith("_")], 1)
    return f"; did you mean {near[0]}?" if near else ""


class _Made(type):
    """Closes an object when the last `__init__` is through."""

    def __call__(cls, *args: Any, **options: Any) -> Any:
        made = super().__call__(*args, **options)
        made._close()
        return made


class Owned:
    """What stands for the C++ object behind one of Python: nothing has to be given up, for Python owns everything."""

    def disown(self) -> None:
        """Nothing to do."""

    def own(self, value: bool | None = None) -> bool:
        """Python owns it."""
        return True


class Known(metaclass=_Made):
    """An object that takes no attribute which it does not have."""

    @property
    def this(self) -> Owned:
        """What stands for the C++ object."""
        return Owned()

    def _close(self) -> None:
        vars(self)["_closed"] = True

    def __setattr__(self, name: str, value: Any) -> None:
        is_known = name.startswith("_") or name in vars(self) or hasattr(type(self), name)
        if not is_known and "_closed" in vars(self):
            raise self._unknown(name)
        object.__setattr__(self, name, value)

    def _unknown(self, name: str) -> AttributeError:
        near = hint(name, (*dir(type(self)), *vars(self)))
        return AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{near}")
