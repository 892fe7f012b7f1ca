"""The reconciler's rules: how far it has read."""

from datetime import UTC, datetime, timedelta

from functions.payments.progress import LogName, LogWindow, Progress

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_a_log_is_read_in_windows_without_a_gap() -> None:
    """A window is read from its end back to its start; the next one overlaps it."""
    first = LogWindow(NOW).opened(NOW + 60 * MINUTE, overlap=10 * MINUTE)
    assert (first.since, first.until) == (NOW, None)

    following = first.read_to(NOW + 20 * MINUTE).closed().opened(NOW + 90 * MINUTE, overlap=10 * MINUTE)

    assert (following.since, following.until) == (NOW + 50 * MINUTE, None)


def test_a_window_that_was_read_in_part_is_continued() -> None:
    """Events that are newer than its end belong to the next window."""
    partly = LogWindow(NOW).opened(NOW + 60 * MINUTE, overlap=10 * MINUTE).read_to(NOW + 40 * MINUTE)

    continued = partly.opened(NOW + 65 * MINUTE, overlap=10 * MINUTE)

    assert (continued.since, continued.until) == (NOW, NOW + 40 * MINUTE)
    assert continued.closed().since == NOW + 50 * MINUTE, "the next window begins where the first one was opened"


def test_the_progress_of_one_log_leaves_the_other() -> None:
    refunds, authorisations = LogWindow(NOW), LogWindow(NOW + MINUTE)
    progress = Progress(logs={LogName.REFUNDS: refunds}, due_from=NOW).with_log(LogName.AUTHORISATIONS, authorisations)

    assert progress.logs == {LogName.REFUNDS: refunds, LogName.AUTHORISATIONS: authorisations}
    assert progress.due_from == NOW
