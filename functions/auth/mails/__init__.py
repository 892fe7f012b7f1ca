"""The mails that users receive: their kinds, their English texts, and their layout as text and HTML."""
