"""What the command lines of this folder share."""

import pathlib
import subprocess
import sys


def positive(kind):
    """An argparse type: a number of kind that is greater than zero."""
    def parse(text):
        value = kind(text)
        if not value > 0:
            raise ValueError
        return value
    parse.__name__ = f"positive {kind.__name__}"  # argparse says: invalid positive int value
    return parse


def run(main):
    """Calls main; an error in what the user gave becomes one line and exit status 1."""
    try:
        main()
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        sys.exit(f"{pathlib.Path(sys.argv[0]).name}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
