"""The commands that `make` starts: run, demo, reset, e2e and screenshots."""
