"""The mailbox of the local stack: receives every mail that the local AWS would send, and delivers none."""
