"""The program of a worker: `python3 -I -S -B main.py`, with its channel to the supervisor in NODE_CHANNEL_FD."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "site-packages")]

from berth_worker.worker import run  # noqa: E402

sys.exit(run())
