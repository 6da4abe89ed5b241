"""Fetching hub models from a test hub on the loopback interface."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from tabpo.errors import ConfigError
from workflow_scripts import fetch_models

PROJECT = Path(__file__).parents[2]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
MODEL = {"config.json": b"{}", "model.safetensors": b"weights", "pytorch_model.bin": b"pickled", "run.py": b"code"}


class Hub(BaseHTTPRequestHandler):
    """A hub with one public model, `lab/open`; all other names get the answer of the real hub for a gated model."""

    def do_GET(self):
        self.answer(with_body=True)

    def do_HEAD(self):
        self.answer(with_body=False)

    def answer(self, with_body):
        path = self.path.split("?")[0]
        self.server.asked.append(path)
        if not path.startswith(("/api/models/lab/open", "/lab/open/")):
            self.reply(401, b"{}", with_body, {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted"})
        elif "/resolve/" in path:
            content = MODEL[path.rsplit("/", 1)[1]]
            headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{hashlib.sha1(content).hexdigest()}"'}
            self.reply(200, content, with_body, headers)
        elif "/tree/" in path:
            files = [
                {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                for name, content in MODEL.items()
            ]
            self.reply(200, json.dumps(files).encode(), with_body)
        else:
            siblings = [{"rfilename": name} for name in MODEL]
            self.reply(200, json.dumps({"id": "lab/open", "sha": COMMIT, "siblings": siblings}).encode(), with_body)

    def reply(self, status, content, with_body, headers=()):
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        if with_body:
            self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def hub():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def fetch(folder, port, **models):
    config = folder / "study.yaml"
    config.write_text(yaml.safe_dump({"models": models}))
    lock = folder / "models.lock.yaml"
    result = subprocess.run(
        [sys.executable, "-m", "workflow_scripts.fetch_models", "--config", config, "--lock", lock],
        cwd=PROJECT,
        env=os.environ | {"HF_ENDPOINT": f"http://127.0.0.1:{port}", "HF_HOME": str(folder / "cache"), "HF_TOKEN": ""},
        capture_output=True,
        text=True,
    )
    return result, yaml.safe_load(lock.read_text()) if lock.exists() else None


def test_resolves_once_and_fetches_weights_but_no_code(hub, tmp_path):
    result, lock = fetch(tmp_path, hub.server_port, small={"hub": "lab/open", "revision": None}, own={"folder": "x"})
    assert result.returncode == 0, result.stderr
    assert lock == {"lab/open": COMMIT}
    snapshot = tmp_path / f"cache/hub/models--lab--open/snapshots/{COMMIT}"
    assert sorted(path.name for path in snapshot.iterdir()) == ["config.json", "model.safetensors"]

    hub.asked.clear()
    result, lock = fetch(tmp_path, hub.server_port, small={"hub": "lab/open"})
    assert (result.returncode, lock) == (0, {"lab/open": COMMIT})
    assert "/api/models/lab/open" not in hub.asked  # the lock file decides, even if the branch has moved


def test_a_gated_model_is_named_and_the_others_are_fetched(hub, tmp_path):
    result, lock = fetch(tmp_path, hub.server_port, a={"hub": "lab/gated"}, b={"hub": "lab/open"})
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("DataError: not fetched: lab/gated;")
    assert "hub model lab/gated cannot be fetched" in result.stderr and "HF_TOKEN" in result.stderr
    assert lock == {"lab/open": COMMIT}


def test_no_network_is_one_clear_line(tmp_path):
    result, lock = fetch(tmp_path, 9, a={"hub": "lab/open"})
    assert (result.returncode, lock) == (1, None)
    assert "hub model lab/open cannot be fetched (ConnectError" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, ": no such study (No such file or directory); accepted: a YAML file"),
        ("models: [a", ", line 1: is no YAML: "),
        ("seeds: [1]", ": `models` must map names to entries; accepted: a study's YAML, as in config/"),
        ("models: {a: null}", ": `models` must map names to entries"),
    ],
)
def test_a_file_that_is_no_study_is_refused_in_one_line(tmp_path, text, message):
    path = tmp_path / "study.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError) as error:
        fetch_models.main(["--config", str(path)])
    assert str(error.value).startswith(f"{path}{message}") and "\n" not in str(error.value)
