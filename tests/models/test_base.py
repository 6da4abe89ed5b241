import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch

from tabpo.answers.render import gold_answer, render
from tabpo.answers.units import document_units
from tabpo.data.generated import demo_messages
from tabpo.errors import ConfigError, DataError
from tabpo.models.base import make_base
from tabpo.models.loading import load_model
from tabpo.models.manifest import read_manifest
from tabpo.models.tokenizer import load_tokenizer
from tabpo.records import Message, Prompt, write_records
from workflow_scripts import base as script

LIMITS = {"max_prompt_tokens": 256, "max_completion_tokens": 256}
SCRATCH = {
    "architecture": "qwen2",
    "hidden_size": 32,
    "layers": 2,
    "heads": 2,
    "intermediate_size": 48,
    "vocab_size": 700,
    "max_positions": 256,
    "init_std": 0.03,
    "copy_circuit": True,
    "seed": 1,
}
NUMERICS = {"precision": "fp32", "attention": "eager", "threads": 1}
REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def prompts():
    return [
        Prompt(unit.prompt_id, unit.doc_id, (Message("user", unit.text),), render(gold_answer(unit), "results"))
        for document in demo_messages.generate("train", 60, 1)
        for unit in document_units(document, "document")
    ]


@pytest.fixture(scope="module")
def scratch(prompts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("scratch")
    make_base({"scratch": SCRATCH}, prompts, folder)
    return folder


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_scratch_gives_a_folder_that_loads_and_says_its_hash(scratch, prompts):
    model, tokenizer = load_model(scratch, NUMERICS), load_tokenizer(scratch)
    assert model.get_input_embeddings().num_embeddings == len(tokenizer) <= 700
    weights = hashlib.sha256((scratch / "model.safetensors").read_bytes()).hexdigest()
    listing = hashlib.sha256(f"model.safetensors {weights}\n".encode()).hexdigest()
    assert read_manifest(scratch) == {"kind": "weights", "weights_sha256": listing}
    ids = tokenizer.apply_chat_template(
        [{"role": "user", "content": prompts[0].messages[0].content}], add_generation_prompt=True, return_dict=False
    )
    assert ids[-1] == tokenizer.convert_tokens_to_ids("<sep>")
    assert tokenizer.bos_token is None


def test_the_script_makes_the_same_bytes_twice(scratch, prompts, tmp_path):
    write_records(tmp_path / "train.parquet", Prompt, prompts)
    settings = json.dumps({"limits": LIMITS, "source": {"scratch": SCRATCH}, "prompt": "bare"})
    script.main(
        ["--settings", settings, "--prompts", str(tmp_path / "train.parquet"), "--output", str(tmp_path / "base")]
    )
    assert contents(tmp_path / "base") == contents(scratch)


def test_a_folder_gives_the_same_model_under_the_same_hash(scratch, tmp_path):
    make_base({"folder": str(scratch)}, [], tmp_path)
    assert read_manifest(tmp_path) == read_manifest(scratch)
    first, second = (load_model(folder, NUMERICS).state_dict() for folder in (scratch, tmp_path))
    assert all(torch.equal(first[name], second[name]) for name in first)
    text = '{"results":[{"Code":"SDOH","Sub-code":"EconomicStability","Span":"my rent"}]}'
    assert load_tokenizer(tmp_path)(text)["input_ids"] == load_tokenizer(scratch)(text)["input_ids"]
    assert load_tokenizer(tmp_path).chat_template == load_tokenizer(scratch).chat_template


def test_a_sharded_folder_needs_all_that_its_index_names(scratch, tmp_path):
    source = tmp_path / "source"
    shutil.copytree(scratch, source)
    load_model(scratch, NUMERICS).save_pretrained(source, max_shard_size="60KB")
    (source / "model.safetensors").unlink()
    shards = sorted(path.name for path in source.glob("model-*.safetensors"))
    assert len(shards) > 1
    (tmp_path / "base").mkdir()
    make_base({"folder": str(source)}, [], tmp_path / "base")
    assert sorted(path.name for path in (tmp_path / "base").glob("*.safetensors")) == shards
    (source / shards[0]).unlink()
    with pytest.raises(DataError, match=f"no {shards[0]}; needed are"):
        make_base({"folder": str(source)}, [], tmp_path / "again")


@pytest.mark.parametrize("missing", ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"])
def test_a_folder_without_one_of_its_files_is_refused_by_name(scratch, tmp_path, missing):
    source = tmp_path / "source"
    shutil.copytree(scratch, source)
    (source / missing).rename(source / "pytorch_model.bin")  # pickled weights are not accepted instead
    with pytest.raises(DataError, match=f"no {missing}; needed are"):
        make_base({"folder": str(source)}, [], tmp_path / "base")


def test_a_tokenizer_without_template_is_refused(scratch, tmp_path):
    source = tmp_path / "source"
    shutil.copytree(scratch, source)
    (source / "chat_template.jinja").unlink()
    with pytest.raises(ConfigError, match="has no chat template; take"):
        make_base({"folder": str(source)}, [], tmp_path)


def test_the_end_of_a_turn_is_that_of_the_template(scratch, tmp_path):
    source, target = tmp_path / "source", tmp_path / "base"
    shutil.copytree(scratch, source)
    target.mkdir()
    config = json.loads((source / "tokenizer_config.json").read_text()) | {"eos_token": "<sep>"}
    del config["pad_token"]
    (source / "tokenizer_config.json").write_text(json.dumps(config))
    make_base({"folder": str(source)}, [], target)
    tokenizer = load_tokenizer(target)
    assert (tokenizer.eos_token, tokenizer.pad_token) == ("<eos>", "<eos>")


def test_a_template_that_leaves_out_messages_of_the_study_is_refused(scratch, tmp_path):
    source = tmp_path / "source"
    shutil.copytree(scratch, source)
    (source / "chat_template.jinja").write_text(
        "{% for message in messages if message['role'] != 'system' %}{{ message['content'] }}<eos>{% endfor %}"
    )
    (tmp_path / "base").mkdir()
    make_base({"folder": str(source)}, [], tmp_path / "base")  # a study without system messages may use it
    chat = Prompt("d#0", "d", (Message("system", "Be brief."), Message("user", "my rent")), "")
    with pytest.raises(ConfigError, match="leaves out the text of message 1 of system, user"):
        make_base({"folder": str(source)}, [chat], tmp_path)


def test_a_hub_model_without_revision_is_refused():
    with pytest.raises(ConfigError, match=r"hub model Some/Model has no revision.*run `make fetch`"):
        make_base({"hub": "Some/Model", "revision": None}, [], None)


@pytest.fixture
def hub(scratch):
    """A hub on this machine with one model at one revision; its pickled weights must never be requested."""
    files = {path.name: path.read_bytes() for path in scratch.iterdir() if path.name != "manifest.json"}
    files["pytorch_model.bin"] = b"pickled"
    asked = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self):
            self.answer(body=False)

        def do_GET(self):
            self.answer(body=True)

        def answer(self, body):
            path = self.path.split("?")[0]
            asked.append(path)
            name = path.rpartition("/")[2]
            if path == f"/api/models/Some/Model/revision/{REVISION}":
                siblings = [{"rfilename": file} for file in files]
                content = json.dumps({"id": "Some/Model", "sha": REVISION, "siblings": siblings}).encode()
            elif path == f"/api/models/Some/Model/tree/{REVISION}":
                listing = [
                    {"type": "file", "path": file, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                    for file, content in files.items()
                ]
                content = json.dumps(listing).encode()
            elif path == f"/Some/Model/resolve/{REVISION}/{name}" and name in files:
                content = files[name]
            else:
                self.send_response(404)
                self.send_header("X-Error-Code", "RepoNotFound")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", REVISION)
            self.end_headers()
            if body:
                self.wfile.write(content)

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def run_on_hub(endpoint, tmp_path, command):
    environment = os.environ | {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_DISABLE_XET": "1",
        "NO_PROXY": "127.0.0.1",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_TOKEN"):
        environment.pop(name, None)
    return subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def make_base_of_hub(endpoint, tmp_path, prompts, model):
    write_records(tmp_path / "train.parquet", Prompt, prompts)
    settings = json.dumps({"limits": LIMITS, "source": {"hub": model, "revision": REVISION}, "prompt": "bare"})
    command = ["-m", "workflow_scripts.base", "--settings", settings]
    command += ["--prompts", str(tmp_path / "train.parquet"), "--output", str(tmp_path / "base")]
    return run_on_hub(endpoint, tmp_path, command)


def test_a_hub_model_leaves_its_weights_in_the_cache(hub, scratch, prompts, tmp_path):
    endpoint, asked = hub
    done = make_base_of_hub(endpoint, tmp_path, prompts, "Some/Model")
    assert done.returncode == 0, done.stderr
    assert read_manifest(tmp_path / "base") == {
        "kind": "hub",
        "weights_sha256": read_manifest(scratch)["weights_sha256"],
        "hub": "Some/Model",
        "revision": REVISION,
    }
    assert not list((tmp_path / "base").glob("*.safetensors"))
    assert list((tmp_path / "home").rglob("model.safetensors"))
    assert not any("pytorch_model" in path for path in asked)
    assert load_tokenizer(tmp_path / "base").chat_template == load_tokenizer(scratch).chat_template
    asked.clear()  # loading on a cluster node, which may have no network, sends no request
    load = "from pathlib import Path; from tabpo.models.loading import load_model; load_model(Path({!r}), {!r})"
    loaded = run_on_hub(endpoint, tmp_path, ["-c", load.format(str(tmp_path / "base"), NUMERICS)])
    assert loaded.returncode == 0, loaded.stderr
    assert not [path for path in asked if "Some/Model" in path]


def test_a_missing_hub_model_is_reported_in_one_line(hub, prompts, tmp_path):
    done = make_base_of_hub(hub[0], tmp_path, prompts, "Some/Other")
    assert done.returncode == 1
    assert f"DataError: hub model Some/Other at {REVISION} cannot be fetched" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "base").exists()
