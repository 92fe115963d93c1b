"""``python -m tests.docs``: which documented commands no test runs, and why."""

from tests.docs.pages import shell_blocks

if __name__ == "__main__":
    found = shell_blocks()
    idle = [block for block in found if block.norun]
    for block in idle:
        print(f"{block.place}: {block.norun}")  # noqa: T201
    print(f"{len(found) - len(idle)} of {len(found)} blocks of commands are run")  # noqa: T201
