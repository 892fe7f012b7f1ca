"""Admit One's infrastructure: constructs, and one module for each service that wires its own.

Imports no runtime code: handlers are named as strings.
"""
