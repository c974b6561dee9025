"""The program of a worker: `python3 -I -S -B main.py`, with its channel to the supervisor in NODE_CHANNEL_FD."""

import os
import sys

# Processes that multiprocessing spawns import this file as well, before they import what the function asked them to run.
if __name__ == "__main__":
    HERE = os.path.dirname(os.path.abspath(__file__))
    sys.path[:0] = [HERE, os.path.join(HERE, "site-packages")]

    from berth_worker.worker import run

    sys.exit(run())
