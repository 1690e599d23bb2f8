"""Write the calendars that ship with the package: cpp/calendar/tables.

    tools/calendar_tables.py            write them
    tools/calendar_tables.py FOLDER     write them elsewhere

XNYS comes from the package `exchange_calendars`, which knows the exchange's holidays by rule; FOREX and CRYPTO are rules.
The same versions of that package and of the zones' data give the same bytes.
"""

import sys
from datetime import date
from pathlib import Path

import exchange_calendars

from ktrdr_core.calendars.table import Hours, by_rule, from_exchange_calendar

FIRST, LAST = date(1990, 1, 1), date(2040, 12, 31)
FOLDER = Path(__file__).parents[1] / "cpp" / "calendar" / "tables"


def tables() -> dict[str, str]:
    """Return the texts by the calendars' names."""
    xnys = exchange_calendars.get_calendar("XNYS", start=FIRST, end=LAST)
    stocks = from_exchange_calendar(xnys, FIRST, LAST)
    stocks.remark = "From exchange_calendars (Apache-2.0), by tools/calendar_tables.py."
    # From Sunday 17:00 to Friday 17:00 New York; each day ends at 17:00.
    forex = by_rule("FOREX", "America/New_York", FIRST, LAST, Hours(-7 * 60, 17 * 60), weekdays=5)
    crypto = by_rule("CRYPTO", "UTC", FIRST, LAST, Hours(0, 24 * 60), weekdays=7)
    return {table.name: str(table) for table in (stocks, forex, crypto)}


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in tables().items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8", newline="\n")
