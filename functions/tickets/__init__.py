"""Tickets: puts tickets on sale, lists them and shows their status."""
