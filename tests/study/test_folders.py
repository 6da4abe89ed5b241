"""The file or folder of each split in a user's folder."""

import pytest

from tabpo.errors import ConfigError
from tabpo.study.folders import check_folder, content_hash, find_splits

ENDINGS = (".jsonl", "")


def test_a_split_is_a_file_or_a_folder(tmp_path):
    for name in ("train/a.txt", "train/sub/b.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "test.jsonl").write_text("")
    paths = find_splits(tmp_path, ENDINGS)
    assert paths == {"train": tmp_path / "train", "test": tmp_path / "test.jsonl"}
    before = content_hash(paths.values())
    (tmp_path / "test.jsonl").write_text("a")  # a file is an input of the rule, so Snakemake sees its change itself
    assert content_hash(paths.values()) == before
    (tmp_path / "train/sub/b.txt").write_text("a")
    assert content_hash(paths.values()) != before
    (tmp_path / "linked").mkdir()
    (tmp_path / "train/link").symlink_to(tmp_path / "linked")
    before = content_hash(paths.values())
    (tmp_path / "linked/c.txt").write_text("a")
    assert content_hash(paths.values()) != before
    check_folder("datasets.own", tmp_path, ENDINGS, dev_share=0.1)


@pytest.mark.parametrize(
    ("names", "dev_share", "message"),
    [
        ((), None, "has no train; accepted: train as .jsonl, a folder of that name"),
        (
            ("train.jsonl", "test.jsonl"),
            None,
            "has no dev; accepted: dev as .jsonl, a folder of that name; or dev_share",
        ),
        (("train.jsonl", "dev.jsonl"), None, "has no test; accepted: test as .jsonl"),
        (("train.jsonl", "train/"), None, "has train in 2 forms; accepted: one of .jsonl, a folder of that name"),
        (("train.jsonl", "dev.jsonl", "test.jsonl"), 0.1, "dev.jsonl and dev_share are both there; accepted: one of"),
        (("train", "dev.jsonl", "test.jsonl"), None, "has no train; accepted: train as .jsonl, a folder of that name"),
    ],
)
def test_other_folders_are_refused(tmp_path, names, dev_share, message):
    for name in names:
        if name.endswith("/"):
            (tmp_path / name).mkdir()
        else:
            (tmp_path / name).write_text("")
    with pytest.raises(ConfigError) as caught:
        check_folder("datasets.own", tmp_path, ENDINGS, dev_share)
    assert str(caught.value).startswith("datasets.own") and message in str(caught.value)
