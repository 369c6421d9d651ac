"""`python -m monitor.verifier`: the verifier, with the standard library and (for signatures) `cryptography` alone."""

import sys

from monitor.verifier.main import main

sys.exit(main(sys.argv[1:]))
