"""An editor with the Copilot language server: opens a file for ghost text, or asks a question in the chat.

What the developer sees goes to stdout. Suggestions are separated by a line of `---`.
"""

import json
import os
import pathlib
import sys

from lsp import Editor

LIMIT = float(os.environ["LIMIT"])
WORK = pathlib.Path(os.environ["WORK"])
FOLDER = {"uri": WORK.as_uri(), "name": "work"}


def start() -> Editor:
    replies = {
        "workspace/configuration": lambda asked: [None for _ in asked["items"]],
        "conversation/invokeClientToolConfirmation": lambda _: [{"result": "accept"}, None],
    }
    editor = Editor([os.environ["SERVER_NODE"], os.environ["SERVER"], "--stdio"], dict(os.environ), WORK, replies)
    editor.ask("initialize", {
        "processId": os.getpid(), "workspaceFolders": [FOLDER], "capabilities": {"workspace": {"workspaceFolders": True}},
        "initializationOptions": {
            "editorInfo": {"name": "suite-editor", "version": "1.0"}, "editorPluginInfo": {"name": "suite-plugin", "version": "1.0"},
        },
    }, LIMIT)
    editor.notify("initialized", {})
    editor.notify("workspace/didChangeConfiguration", {"settings": json.loads(os.environ["SETTINGS"])})
    status = editor.ask("checkStatus", {}, LIMIT)
    if (status.get("result") or {}).get("status") != "OK":
        raise RuntimeError(f"not signed in: {status.get('result') or status.get('error')}")
    return editor


def failed(answer: dict) -> str:
    return f"\nerror: {answer['error']['message']}" if "error" in answer else ""


def ghost(editor: Editor) -> str:
    """What is offered at the end of a file, and what the status line says when it is not the usual."""
    asked_for = 1 if os.environ["DO"] == "choices" else 2  # by the developer, who gets several choices; or by the editor
    text = f"# {os.environ['PROMPT']}\ndef add(a, b):\n    "
    document = {"uri": (WORK / "demo.py").as_uri(), "version": 1}
    editor.notify("textDocument/didOpen", {"textDocument": {**document, "languageId": "python", "text": text}})
    answer = editor.ask("textDocument/inlineCompletion", {
        "textDocument": document, "position": {"line": 2, "character": 4}, "context": {"triggerKind": asked_for},
        "formattingOptions": {"tabSize": 4, "insertSpaces": True},
    }, LIMIT)
    items = (answer.get("result") or {}).get("items") or []
    said = "\n---\n".join(item["insertText"].strip() for item in items)
    kinds = {(params.get("kind"), params.get("message")) for name, params in editor.notices if name == "didChangeStatus"}
    unusual = [f"\nstatus: {kind}: {message}" for kind, message in kinds if kind != "Normal"]
    popups = [f"\npopup: {params['message']}" for name, params in editor.notices if name.startswith("window/showMessage")]
    return said + failed(answer) + "".join(unusual + popups)


def chat(editor: Editor) -> str:
    answer = editor.ask("conversation/create", {
        "workDoneToken": "turn", "turns": [{"request": os.environ["PROMPT"]}], "capabilities": {"skills": [], "allSkills": False},
        "source": "panel", "workspaceFolder": FOLDER["uri"], "workspaceFolders": [FOLDER], "chatMode": "Agent",
        "model": os.environ["MODEL"], "needToolCallConfirmation": True, "computeSuggestions": False,
    }, LIMIT)
    rounds, errors = {}, []
    for name, params in list(editor.notices):
        value = params.get("value") if name == "$/progress" and params.get("token") == "turn" else None
        for each in (value or {}).get("editAgentRounds") or []:
            rounds[each["roundId"]] = rounds.get(each["roundId"], "") + (each.get("reply") or "")
        if value and value.get("error"):
            errors.append(f"\nerror: {value['error'].get('message')}")
    return "\n".join(rounds.values()) + "".join(errors) + failed(answer)


def main():
    editor = start()
    try:
        said = chat(editor) if os.environ["DO"] == "chat" else ghost(editor)
    finally:
        editor.close()
    print(said)
    if "\nerror: " in said:
        sys.exit(1)


main()
