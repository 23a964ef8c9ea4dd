"""Drives every client in every mode, through the guard and, as the negative control, around it."""

import argparse
import os
import pathlib
import re
import shutil
import sys
import tempfile
import threading
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "clients")]
for name in ("http_proxy", "https_proxy", "all_proxy"):  # everything here is on loopback
    os.environ.pop(name, None)
    os.environ.pop(name.upper(), None)

import modes
from clients import ROWS
from clients.base import BASE_URL, COPILOT_MODE, FORWARD, INSTALLED, Row, Visit, surroundings
from guards import BaseUrl, CopilotMode, Forward, PassThrough
from idp import IdentityProvider
from matrix import FAIL, NOT_RUN, OK, Mark, reasons, table
from model import script
from model.server import Model
from process import Client
from support import nonce

LIMIT = 60.0  # seconds for a client, besides what it is held
GUARDS = {BASE_URL: BaseUrl, COPILOT_MODE: CopilotMode, FORWARD: Forward}
GUARDED, BARE = "with the guard", "without the guard"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests/real-clients/run", description=__doc__)
    parser.add_argument("--only", metavar="ROWREGEX", default="", help="rows whose name has this; `--list` names them")
    parser.add_argument("--modes", metavar="A,B", help="these modes only, with their controls")
    parser.add_argument("--proxy", metavar="PATH", help="the copilot-guard-proxy to test")
    parser.add_argument("--jobs", metavar="N", type=int, default=6, help="clients at a time, those that wait not counted")
    parser.add_argument("--keep", action="store_true", help="leave the clients' homes and the proxies' logs, and say where")
    parser.add_argument("--list", action="store_true", help="name rows and modes, and end")
    return parser.parse_args()


class Suite:
    def __init__(self, folder: pathlib.Path, rows: list, jobs: int):
        self.folder, self.rows = folder, rows
        self.slots = threading.Semaphore(jobs)
        self.marks = {GUARDED: {}, BARE: {}}
        self.model, self.idp = Model(), IdentityProvider()
        self.around = PassThrough(folder, self.model.by_name)
        self.guards, self.absent = {}, {}

    def start_guards(self):
        """A proxy that does not start makes its rows red, not the others."""
        for way in sorted({row.way for row in self.rows}):
            folder = self.folder / f"guard-{way.replace(' ', '-')}"
            folder.mkdir()
            try:
                self.guards[way] = GUARDS[way](folder, self.idp, self.model)
                self.guards[way].start()
            except Exception as error:
                self.absent[way] = f"the proxy for {way!r} did not start: {' '.join(str(error).split())[:400]}"
                print(self.absent[way], file=sys.stderr)

    def close(self):
        for guard in self.guards.values():
            guard.stop()
        self.around.close()
        self.model.close()
        self.idp.close()

    # One cell

    def visit(self, row: Row, mode: str, word: str, kind: str) -> Visit:
        home = self.folder / "homes" / f"{re.sub('[^a-z]+', '-', row.name.lower())}-{mode}-{word}"
        (home / "work").mkdir(parents=True)
        (home / "work" / "note.txt").write_text(script.WORD + "\n", encoding="utf-8")
        token = self.idp.mint(f"developer-{word}")
        guarded, ca = kind == GUARDED, None
        url = self.guards[row.way].url if guarded else self.model.url
        if row.way == FORWARD:
            ca = self.guards[row.way].ca if guarded else self.around.ca
            url = (self.guards[row.way].url if guarded else self.around.url).replace("//", f"//developer:{token}@")
        return Visit(url, token, modes.prompt(mode, word, home / "work"), mode, home, guarded, ca)

    def run_cell(self, row: Row, mode: str, kind: str):
        if kind == GUARDED and row.way in self.absent:
            self.marks[kind][row.name, mode] = Mark(NOT_RUN, why=f"the proxy for {row.way!r} did not start")
            return
        with Slot(self.slots) as slot:
            began, client, word = time.monotonic(), None, nonce(16)
            visit = self.visit(row, mode, word, kind)
            try:
                command, environment = row.command(visit)
                limit = LIMIT + (modes.HELD_SECONDS if kind == GUARDED and mode.startswith("held") else 0)
                client = Client(command, {**surroundings(visit), **environment}, visit.home, visit.work, limit)
                guard = self.guards.get(row.way) if kind == GUARDED else None
                cell = modes.Cell(row, mode, word, f"developer-{word}", visit.token, self.model, guard, client, slot.leave)
                (modes.WITH_GUARD if kind == GUARDED else modes.WITHOUT)[mode](cell)
                mark = Mark(OK)
            except Exception as error:
                mark = Mark(FAIL, why=describe(error, client))
            finally:
                if client:
                    client.stop()
            mark.seconds = time.monotonic() - began
            mark.shown = tail(client.stdout()) + " " + tail(client.stderr()) if client else ""
            self.marks[kind][row.name, mode] = mark
            print(f"{mark!s:<9} {kind}, {row.name}, {mode}" + (f": {mark.why}" if mark.why else ""), flush=True)


class Slot:
    """The right to be one of the clients that run. One that is held gives it up: what is left to do then is little."""

    def __init__(self, slots: threading.Semaphore):
        self._slots, self._held = slots, False

    def __enter__(self) -> "Slot":
        self._slots.acquire()
        self._held = True
        return self

    def leave(self):
        if self._held:
            self._held = False
            self._slots.release()

    def __exit__(self, *_):
        self.leave()


def describe(error: Exception, client) -> str:
    if not isinstance(error, (modes.Wrong, AssertionError, TimeoutError)):
        print(traceback.format_exc(), file=sys.stderr)
    late = "it did not end in its time; " if client and client.late else ""
    said = f"; stdout: {tail(client.stdout())}; stderr: {tail(client.stderr())}" if client else ""
    return f"{late}{' '.join(str(error).split())[:300]}{said}"


def tail(text: str) -> str:
    text = " ".join(text.split())
    return repr(text if len(text) <= 300 else "..." + text[-300:])


def controlled(rows: list) -> list:
    """The rows that run without the guard, too: of each client one for each way, and ghost text once."""
    return list({(row.client, "ghost" if row.ghost else row.way): row for row in reversed(rows)}.values())[::-1]


def main() -> int:
    options = arguments()
    rows = [row for row in ROWS if re.search(options.only, row.name)]
    columns = [mode for mode in modes.MODES if not options.modes or mode in options.modes.split(",")]
    controls = [mode for mode in modes.CONTROLS if any(column.startswith(mode) for column in columns)]
    if options.list:
        print("\n".join(row.name for row in rows), "\nmodes:", ", ".join(columns), "\ncontrols:", ", ".join(controls))
        return 0
    if not rows or not columns:
        sys.exit("error: no such row or mode: `--list` names them")
    if options.proxy:
        os.environ["COPILOT_GUARD_PROXY"] = options.proxy
    began, folder = time.monotonic(), pathlib.Path(tempfile.mkdtemp(prefix="real-clients-"))
    suite = Suite(folder, rows, options.jobs)
    try:
        suite.start_guards()
        plan = [(row, mode, GUARDED) for mode in sorted(columns, key=lambda mode: not mode.startswith("held")) for row in rows]
        plan += [(row, mode, BARE) for mode in controls for row in controlled(rows)]
        threads = [threading.Thread(target=suite.run_cell, args=cell, daemon=True) for cell in plan]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        suite.close()
        if options.keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return report(suite, rows, columns, controls, time.monotonic() - began)


def report(suite: Suite, rows: list, columns: list, controls: list, seconds: float) -> int:
    names = [row.name for row in rows]
    parts = [(GUARDED, names, columns), (BARE, [row.name for row in controlled(rows)], controls)]
    tables = [table(kind, names, modes, suite.marks[kind]) for kind, names, modes in parts]
    red = [line for kind, names, modes in parts for line in reasons(kind, names, modes, suite.marks[kind])]
    text = "\n\n".join([*tables, "\n".join([f"{len(red)} red, {seconds:.0f} s", *red])]) + "\n"
    (INSTALLED / "matrix.md").write_text(text, encoding="utf-8")
    shown = [f"- {kind}, {row}, {mode}: {mark.shown}" for kind in suite.marks for (row, mode), mark in suite.marks[kind].items()]
    (INSTALLED / "shown.md").write_text("\n".join(sorted(shown)) + "\n", encoding="utf-8")
    print("\n" + text)
    return 1 if red else 0


if __name__ == "__main__":
    sys.exit(main())
