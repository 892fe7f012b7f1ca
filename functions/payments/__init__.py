"""Payments: moves money at Stripe, as Orders has decided."""
