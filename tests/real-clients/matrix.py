"""The table: clients down, modes across. It is printed, and written as Markdown."""

from dataclasses import dataclass

OK, FAIL, NOT_RUN = "ok", "FAIL", "NOT RUN"


@dataclass
class Mark:
    state: str = NOT_RUN
    seconds: float = 0.0
    why: str = ""
    shown: str = ""  # what the developer saw

    def __str__(self) -> str:
        return f"{self.state} {self.seconds:.0f} s" if self.state != NOT_RUN else NOT_RUN


def table(title: str, rows: list, modes: list, marks: dict) -> str:
    """`marks` is by (row name, mode); what is not in it has not run."""
    lines = [[title, *modes], ["---"] * (len(modes) + 1)]
    lines += [[row, *(str(marks.get((row, mode), Mark())) for mode in modes)] for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(modes) + 1)]
    return "\n".join("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |" for line in lines)


def reasons(title: str, rows: list, modes: list, marks: dict) -> list:
    """A line for each cell that is not green."""
    found = []
    for row in rows:
        for mode in modes:
            mark = marks.get((row, mode), Mark())
            if mark.state != OK:
                found.append(f"- {title}, {row}, {mode}: {mark.state}: {mark.why or 'it was never started'}")
    return found
