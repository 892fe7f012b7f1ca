"""Orders: decides who has a ticket, and whether a seller's change comes into force."""
