"""Admit One's infrastructure: constructs, and one module for each service that wires its own.

Imports no runtime code: handlers are named as strings.
"""

import os

# Before anything here imports aws_cdk, which starts Node: Node 20 works, and jsii says otherwise in 12 red lines.
os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")
os.environ.setdefault("JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION", "1")
