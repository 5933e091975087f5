"""`python -m tests.support.skewed.interpreter MODULE SECONDS`: run a module whose wall clock is that far ahead.

Nothing that asks for the time may be imported before the clock is set wrong.
"""

from __future__ import annotations

import datetime
import importlib
import sys
import time
from typing import Any, TypeAlias


class _Shifted(type):
    """Real datetimes, as C code makes them, are instances, too."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _RealDatetime)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, _RealDatetime)


_RealDatetime: TypeAlias = datetime.datetime


def set_wrong(seconds: float) -> None:
    """Set the clock of this interpreter ahead, or back by negative seconds."""
    shift = datetime.timedelta(seconds=seconds)
    real_time, real_time_ns = time.time, time.time_ns

    class Datetime(_RealDatetime, metaclass=_Shifted):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:  # Any: a plain datetime, not an instance of this
            return _RealDatetime.now(tz) + shift

        @classmethod
        def utcnow(cls) -> Any:  # Any: as above
            return _RealDatetime.now(datetime.UTC).replace(tzinfo=None) + shift

        @classmethod
        def today(cls) -> Any:  # Any: as above
            return cls.now()

    time.time = lambda: real_time() + seconds
    time.time_ns = lambda: real_time_ns() + int(seconds * 1e9)
    datetime.datetime = Datetime  # type: ignore[misc]

    from uuid_utils import compat

    real_uuid7 = compat.uuid7

    def uuid7(*, nanoseconds: int | None = None) -> Any:  # Any: the library's class
        return real_uuid7(nanoseconds=time.time_ns() if nanoseconds is None else nanoseconds)

    compat.uuid7 = uuid7


if __name__ == "__main__":
    module, shift = sys.argv[1:]
    set_wrong(float(shift))
    importlib.import_module(module).main()
