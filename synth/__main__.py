"""`python -m synth` is the command `synth`."""

import sys

from synth.cli.entry import main

if __name__ == "__main__":
    sys.exit(main())
