"""What all services stand on.

While a process loads, nothing that it makes is garbage, and Python's search for some takes a tenth of a cold start.
So the search is put off until the first AWS client is made, the last large thing to load; what stands by then stays,
and is never looked through again. A process that makes no client searches too, only more seldom.
"""

import gc

_USUAL = gc.get_threshold()
_LOADING = 200_000  # objects made since the last search: twice what a function makes while it loads, some 20 MB

gc.set_threshold(_LOADING, *_USUAL[1:])


def begin_work() -> None:
    """All is loaded: from now on the process searches for garbage as usual, and not in what it has loaded."""
    gc.freeze()
    gc.set_threshold(*_USUAL)
