"""Admit One's infrastructure: shared constructs, and one module for each service.

Imports no runtime code; handlers are referenced as strings.
"""
