"""A program that is started as vLLM's Python: it serves its protocol without weights, or fails as vLLM does.

``write_fake_vllm`` makes the executable; the environment variable ``FAKE_VLLM`` says how it behaves.
"""

from __future__ import annotations

import sys
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = """\
#!{python}
import json, os, signal, subprocess, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

behaviour = os.environ.get("FAKE_VLLM", "")
if sys.argv[1] == "-c":
    sys.exit(behaviour == "missing")
arguments = sys.argv[3:]
folder = Path({folder!r})
(folder / "arguments.json").write_text(json.dumps(arguments))
(folder / "starts").open("a").write(".")
if behaviour.startswith("fail:"):
    print("(APIServer pid=7) INFO 11-29 10:52:17 [compilation.py:317] Enabled custom fusions: norm_quant, act_quant")
    print("(EngineCore pid=8) ERROR 11-29 10:52:18 [core.py:1044] " + behaviour[5:])
    sys.exit(1)
# Holds the memory of the GPU.
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
(folder / "pids").write_text(f"{{os.getpid()}} {{child.pid}}")
state = {{"tokens": 0, "running": 0}}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if (folder / "freeze").exists():
            time.sleep(1000)
        if self.path == "/health":
            return self.answer("")
        if self.path == "/metrics":
            running = 1 if (folder / "hang").exists() else state["running"]
            return self.answer(
                f'vllm:num_requests_running{{{{engine="0"}}}} {{running}}\\n'
                f'vllm:generation_tokens_total{{{{engine="0"}}}} {{state["tokens"]}}\\n'
            )
        if self.path == "/version":
            return self.answer({{"version": "0.32.0"}})
        if self.headers["Authorization"] != "Bearer " + os.environ["VLLM_API_KEY"]:
            return self.answer({{"error": "Unauthorized"}}, 401)
        names = arguments[arguments.index("--served-model-name") + 1 : arguments.index("--host")]
        names += [json.loads(value)["name"] for value in arguments if value.startswith("{{")]
        models = [{{"id": name, "owned_by": "vllm", "max_model_len": 4096}} for name in names]
        self.answer({{"object": "list", "data": models}})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(0.2 if behaviour == "slow" else 0)
        prompt = body["prompt"]
        usage = {{"completion_tokens": 4}}
        if isinstance(prompt, list):
            usage["prompt_tokens"] = len(prompt)
        state["tokens"] += 4
        choice = {{"text": f" The {{body['model']}} says so.", "finish_reason": "stop"}}
        self.answer({{"choices": [choice], "usage": usage}})

    def answer(self, content, status=200):
        data = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments):
        pass


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
ThreadingHTTPServer(("127.0.0.1", int(arguments[arguments.index("--port") + 1])), Handler).serve_forever()
"""


def have_processes_ended(pids: list[int]) -> bool:
    """Return whether none of the processes runs; one that nobody has waited for yet does not."""
    return not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids)


def write_fake_vllm(folder: Path) -> Path:
    """Write the executable into a folder, where it also leaves its arguments and process ids."""
    path = folder / "fake-vllm"
    path.write_text(PROGRAM.format(python=sys.executable, folder=str(folder)))
    path.chmod(0o755)
    return path
