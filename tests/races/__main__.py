"""See tests.races.crew."""

from tests.races import crew

crew.main()
