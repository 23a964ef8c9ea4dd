"""`kill -9` under load: nothing that was answered is missing from the record, and what was open is closed."""

import subprocess
import threading

import upstream as script
from support import Background, nonce, raw_stream, stream_text, wait_until

EXCHANGE = "x-copilot-guard-exchange"
WORKERS, ANSWERED, AT_MOST, OPEN = 4, 20, 60, 3


def chat_body(scenario, text=""):
    content = f"{text} scenario:{scenario}"
    return {"model": "scripted-model", "stream": True, "messages": [{"role": "user", "content": content}]}


def audit_list(gateway) -> str:
    """What `audit list` prints, as JSON if it can."""
    tried = []
    for options in (["--limit", "500", "--json"], ["--limit", "500"], ["--json"], []):
        done: subprocess.CompletedProcess = gateway.cli("audit", "list", "--store", gateway.store, *options)
        if done.returncode == 0:
            return done.stdout
        tried.append(f"{options}: {done.returncode} {done.stderr.strip()}")
    raise AssertionError("audit list failed: " + "; ".join(tried))


def test_kill_under_load(own_gateway, upstream, token):
    gateway = own_gateway()
    url, headers = gateway.url + "/v1/chat/completions", {"authorization": f"Bearer {token}"}
    read, complete, lock, stop = {}, set(), threading.Lock(), threading.Event()

    def listen(body):
        """Reads one answer to its end; `read` always says how much of its text has come."""
        stream = raw_stream(url, headers, body)
        exchange, got = next(stream).headers[EXCHANGE], []
        with lock:
            read[exchange] = ""
        for _, data in stream:
            got.append(data)
            text = stream_text("\n".join(f"data:{data}" for data in got))
            with lock:
                read[exchange] = text
        if got[-1:] == ["[DONE]"]:
            with lock:
                complete.add(exchange)

    def load(_):
        for _ in range(AT_MOST // WORKERS):
            if stop.is_set():
                return
            try:
                listen(chat_body("leak-content"))
            except Exception:  # the proxy was killed under this request
                if gateway.process is not None:
                    raise
                return

    # Some answers stand still in their middle, each with a first half that its client has read.
    gates = [nonce() for _ in range(OPEN)]
    readers = [Background(lambda _, gate=gate: listen(chat_body("slow", f"gate:{gate}"))) for gate in gates]
    try:
        wait_until(lambda: len(read) == OPEN and all(read.values()), "the slow answers have begun")
        still = set(read)
        workers = [Background(load) for _ in range(WORKERS)]
        wait_until(lambda: len(complete) >= ANSWERED, f"{ANSWERED} answers under load", 60)
        gateway.kill()
    finally:
        stop.set()
        for gate in gates:
            upstream.open_gate(gate)
    for worker in workers:
        worker.result()
    for reader in readers:
        reader.join(30)
    assert not still & complete

    listed = audit_list(gateway)
    missing = [exchange for exchange in read if exchange not in listed]
    assert not missing, f"{len(missing)} of {len(read)} answered exchanges are not on record"

    gateway.start()
    for exchange, text in read.items():
        record = gateway.closed(exchange)
        assert record["outcome"] == "interrupted" or exchange in complete and record["outcome"] == "completed"
        assert stream_text(record["response"]).startswith(text), "what the client has read is on record"
        assert exchange not in complete or "[DONE]" in record["response"]

    stream = raw_stream(gateway.url + "/v1/chat/completions", headers, chat_body("plain"))
    assert next(stream).status == 200
    assert stream_text("\n".join(f"data:{data}" for _, data in stream)) == script.PLAIN
