"""Garbage collection during a cold start.

Objects that are created while a process loads are not garbage, and collecting them takes a tenth of a cold start.
Collection is therefore deferred until the first AWS client exists, the last large object to load. Objects that exist
then are excluded from all later collections. A process without a client collects too, but less often.
"""

import gc

_USUAL = gc.get_threshold()
_LOADING = 200_000  # new objects before a collection: twice the number that a function creates on loading, about 20 MB


def begin_loading() -> None:
    """Defer garbage collection until `end_loading`."""
    gc.set_threshold(_LOADING, *_USUAL[1:])


def end_loading() -> None:
    """Exclude existing objects from garbage collection and restore the usual thresholds. Otherwise no effect."""
    if gc.get_threshold() != _USUAL:
        gc.freeze()
        gc.set_threshold(*_USUAL)
