"""Modules that all services share."""
