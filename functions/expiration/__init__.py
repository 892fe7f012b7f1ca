"""Expiration: publishes that an order's deadline has passed."""
