"""`python -m gradchain.aot --params SHAPES.json --optimizer CONFIG.json --topology v5e:16x16 --zero 1`."""

import sys

from gradchain.aot.cli import main

sys.exit(main())
