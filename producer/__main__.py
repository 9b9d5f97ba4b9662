"""``python -m producer``: the producer's commands, without anything of the workers."""

import sys

from producer.cli.commands import make_producer_group
from producer.cli.front import run

if __name__ == "__main__":
    sys.exit(run(make_producer_group(), name="python -m producer"))
