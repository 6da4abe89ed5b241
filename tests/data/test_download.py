"""Published files are copied, downloaded from a local server, or refused."""

import hashlib
import io
import socket
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tabpo.data import download
from tabpo.data.download import SOURCES, PublishedFile, fetch
from tabpo.errors import ConfigError, DataError

CONTENTS = {split: f"{split} line\n".encode() * 400 for split in ("train", "dev", "test")}


class Server(ThreadingHTTPServer):
    """Serves `files`, keeps the path of each request, and ends each answer after `stop_after` bytes."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.stop_after: int | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        server: Server = self.server
        server.requests.append(self.path)
        content = server.files.get(self.path)
        if content is None:
            self.send_error(404)
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: server.stop_after])


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def plain(server, monkeypatch):
    """A source of three files."""
    server.files = {f"/{split}.json": content for split, content in CONTENTS.items()}
    files = {split: PublishedFile(f"{server.url}/{split}.json", sha256(content)) for split, content in CONTENTS.items()}
    monkeypatch.setitem(SOURCES, "plain", files)


@pytest.fixture
def packed(server, monkeypatch):
    """A source of three members of one archive."""
    server.files["/data.tar.gz"] = archive({f"./in/{split}.json": content for split, content in CONTENTS.items()})
    url = f"{server.url}/data.tar.gz"
    files = {split: PublishedFile(url, sha256(content), f"in/{split}.json") for split, content in CONTENTS.items()}
    monkeypatch.setitem(SOURCES, "packed", files)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def archive(members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as file:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            file.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def outputs(folder: Path) -> dict[str, Path]:
    return {split: folder / "source" / f"{split}.json" for split in CONTENTS}


def assert_fetched(folder: Path) -> None:
    """Check that the folder has exactly the three files, each complete."""
    contents = {path.name: path.read_bytes() for path in (folder / "source").iterdir()}
    assert contents == {f"{split}.json": content for split, content in CONTENTS.items()}


def test_files_are_downloaded(server, plain, tmp_path, caplog):
    caplog.set_level("INFO")
    fetch("plain", outputs(tmp_path), local="")
    assert_fetched(tmp_path)
    assert server.requests == ["/train.json", "/dev.json", "/test.json"]
    assert "train.json: downloaded, 4400 bytes" in caplog.text


def test_members_come_from_one_download(server, packed, tmp_path):
    fetch("packed", outputs(tmp_path), local="")
    assert_fetched(tmp_path)
    assert server.requests == ["/data.tar.gz"]


def test_a_broken_download_leaves_no_file_and_can_be_repeated(server, plain, tmp_path):
    server.stop_after = 2000
    message = (
        "train.json: the connection ended after 2000 of 4400 bytes; run again, or set TABPO_DATA to an absolute path"
    )
    with pytest.raises(DataError, match=message):
        fetch("plain", outputs(tmp_path), local="")
    assert not (tmp_path / "source").exists()
    server.stop_after = None
    fetch("plain", outputs(tmp_path), local="")
    assert_fetched(tmp_path)


def test_a_wrong_hash_is_refused_with_both_values_and_can_be_repeated(server, plain, tmp_path):
    server.files["/dev.json"] = b"changed"
    with pytest.raises(DataError, match=r"dev.json: sha256 is ") as caught:
        fetch("plain", outputs(tmp_path), local="")
    assert sha256(b"changed") in str(caught.value) and sha256(CONTENTS["dev"]) in str(caught.value)
    assert not outputs(tmp_path)["dev"].exists()
    server.files["/dev.json"] = CONTENTS["dev"]
    fetch("plain", outputs(tmp_path), local="")
    assert_fetched(tmp_path)


def test_a_member_with_another_hash_is_named(server, packed, tmp_path):
    server.files["/data.tar.gz"] = archive({f"in/{split}.json": b"changed" for split in CONTENTS})
    with pytest.raises(DataError, match=r"data.tar.gz, in/train.json: sha256 is "):
        fetch("packed", outputs(tmp_path), local="")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (archive({"other.json": b"x"}), "the archive lacks in/train.json"),
        (b"<html>moved</html>", "is no archive that can be read"),
        (archive({"in/train.json": CONTENTS["train"]})[:-40], "is no archive that can be read"),
    ],
    ids=["another member", "no archive", "cut off"],
)
def test_a_wrong_archive_is_refused(server, packed, tmp_path, content, message):
    server.files["/data.tar.gz"] = content
    with pytest.raises(DataError, match=f"data.tar.gz: {message}"):
        fetch("packed", outputs(tmp_path), local="")
    assert not (tmp_path / "source").exists()


def test_the_error_about_a_file_missing_on_the_server_says_what_to_do(server, plain, tmp_path):
    del server.files["/train.json"]
    message = (
        "train.json: the server answered 404 Not Found; run again, or set TABPO_DATA .* holds plain/ with train.json"
    )
    with pytest.raises(DataError, match=message) as caught:
        fetch("plain", outputs(tmp_path), local="")
    assert "\n" not in str(caught.value)


def test_the_error_about_a_missing_network_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/train.json"
    monkeypatch.setitem(SOURCES, "away", {"train": PublishedFile(url, sha256(b""))})
    message = r"train.json: cannot be downloaded \(.*refused\); run again, or set TABPO_DATA"
    with pytest.raises(DataError, match=message) as caught:
        fetch("away", {"train": tmp_path / "train.json"}, local="")
    assert "\n" not in str(caught.value)


def test_files_of_a_local_folder_are_copied_and_nothing_is_downloaded(server, plain, tmp_path):
    for split, content in CONTENTS.items():
        path = tmp_path / "data" / "plain" / f"{split}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    fetch("plain", outputs(tmp_path), local=str(tmp_path / "data"))
    assert_fetched(tmp_path)
    assert server.requests == []


def test_a_local_folder_is_checked(plain, tmp_path):
    with pytest.raises(ConfigError, match="TABPO_DATA is data; accepted: an absolute path"):
        fetch("plain", outputs(tmp_path), local="data")
    with pytest.raises(
        DataError, match=r"plain/train.json: cannot be read \(No such file.*TABPO_DATA must hold plain/"
    ):
        fetch("plain", outputs(tmp_path), local=str(tmp_path))
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "train.json").write_bytes(b"changed")
    with pytest.raises(DataError, match=f"{tmp_path}/plain/train.json: sha256 is {sha256(b'changed')}; accepted: "):
        fetch("plain", outputs(tmp_path), local=str(tmp_path))


@pytest.mark.parametrize("source", ["scierc", "phee"])
def test_hashes_are_those_of_the_published_files(data_root, tmp_path, source):
    fetch(source, outputs(tmp_path), local=str(data_root))
    for split, path in outputs(tmp_path).items():
        assert sha256(path.read_bytes()) == download.SOURCES[source][split].sha256
