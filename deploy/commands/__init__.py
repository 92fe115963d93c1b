"""The subcommands of ``streamcell``, one file each."""
