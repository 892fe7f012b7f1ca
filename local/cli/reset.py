"""`make reset`: delete what `make run` keeps."""

import shutil
import sys

from local.cli.console import console, fail
from local.cli.run import LOGS, RUN_LOCK, STATE
from local.supervision.lock import Lock, Locked


def main() -> int:
    try:
        with Lock(RUN_LOCK):
            for folder in (STATE, LOGS):
                shutil.rmtree(folder, ignore_errors=True)
    except Locked as locked:
        return fail(
            f"`make run` is running (process {locked.holder.get('pid', 'unknown')}): stop it with Ctrl-C first."
        )
    console.print("All local data is deleted. `make run` starts from nothing.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
