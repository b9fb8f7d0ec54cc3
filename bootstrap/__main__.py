"""``python -m bootstrap`` is the command ``streamfit``."""

import sys

from bootstrap.main import main

sys.exit(main())
