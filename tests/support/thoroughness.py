"""How much the tests try: `make test` takes a fixed sample of what `make test THOROUGH=1` tries in full, each night.

It concerns layers that try every combination: faults, random requests and simulated runs.
"""

import os

THOROUGH = os.environ.get("THOROUGH") == "1"
