"""``python -m ktrdr_core.hosts.ib``."""

import sys

from . import main

sys.exit(main())
