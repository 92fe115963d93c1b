"""``python -m deploy``: the same as the command ``streamcell``."""

from deploy.cli import main

main()
