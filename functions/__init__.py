"""The Lambda functions, a package for each service. Importing this package is the first step of a function's start-up.

Only a process of Lambda defers garbage collection, not tools or tests that import a service.
"""

import os

from shared import cold_start

if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:  # set by Lambda ("Defined runtime environment variables")
    cold_start.begin_loading()
