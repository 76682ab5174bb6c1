"""Lambda entry points, one module each, which end what this begins.

Importing a handler makes a hundred thousand objects that stay. Looking through them for garbage, over and over, is a
tenth of a cold start (benchmarks/), so the collector rests until the handler has been imported.
"""

import gc

gc.disable()
