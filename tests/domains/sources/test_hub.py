"""Hub files from a local hub, its cache or a copy; clear errors without them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from dabs.utils.strict_json import read_json
from tests.helpers.paper.hub import Hub, serve_hub


@pytest.fixture(scope="module")
def hub(samples, text_files):
    """A local hub that holds RTE, mC4, PAWS-X in Korean and two tiny tokenizers."""
    import csv
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    folder, what = text_files("mc4", "pawsx", "bert-base-uncased", "xlm-roberta-base"), Hub()
    rte = samples.sample("glue") / "hf_parquet" / "rte"
    what.files["datasets/nyu-mll/glue"] = {f"rte/{p.name}": p.read_bytes() for p in rte.iterdir()}
    mc4 = folder / "mc4" / "multilingual"
    what.files["datasets/allenai/c4"] = {f"multilingual/{p.name}": p.read_bytes() for p in mc4.iterdir()}
    pawsx = {}
    for file, split in {"translated_train": "train", "dev_2k": "validation", "test_2k": "test"}.items():
        text = (folder / f"pawsx/x-final/ko/{file}.tsv").read_text(encoding="utf-8")
        rows = list(csv.DictReader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE))
        table = pa.Table.from_pylist([{**row, "id": int(row["id"]), "label": int(row["label"])} for row in rows])
        pq.write_table(table, buffer := io.BytesIO())
        pawsx[f"ko/{split}-00000-of-00001.parquet"] = buffer.getvalue()
    what.files["datasets/google-research-datasets/paws-x"] = pawsx
    for repo, name in {
        "google-bert/bert-base-uncased": "bert-base-uncased",
        "FacebookAI/xlm-roberta-base": "xlm-roberta-base",
    }.items():
        what.files[repo] = {"tokenizer.json": (folder / name / "tokenizer.json").read_bytes()}
    server = serve_hub(what)
    yield what
    server.shutdown()
    server.server_close()


def prepare(home, hub_url: str, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run `dabs data prepare` in a process of its own, because the hub's client reads its settings on import."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("DABS_DATA", "DABS_TOK", "HF_"))}
    environment |= {"DABS_HOME": str(home), "HF_HOME": str(home.parent / "hf"), "HF_ENDPOINT": hub_url, **settings}
    command = [sys.executable, "-m", "dabs", "data", "prepare", *words, "--suite", "paper"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def hash_of(home, domain: str, task: str) -> str:
    return str(read_json(home / "paper" / domain / task / "manifest.json")["splits"][f"{task}/test"]["sha256"])


def test_rows_are_the_same_from_the_hub_its_cache_and_a_local_copy(hub, tmp_path, text_files):
    home = tmp_path / "home"
    done = prepare(home, hub.url, "english_text", "--tasks", "rte")
    assert done.returncode == 0, done.stderr
    first = hash_of(home, "english_text", "rte")
    assert {name for name in hub.fetched if name.startswith("rte")} == {
        "rte/train-00000-of-00001.parquet",
        "rte/validation-00000-of-00001.parquet",
    }
    offline = prepare(home, "http://127.0.0.1:1", "english_text", "--tasks", "rte", "--force", HF_HUB_OFFLINE="1")
    assert offline.returncode == 0, offline.stderr
    assert hash_of(home, "english_text", "rte") == first
    local = prepare(
        tmp_path / "other", "http://127.0.0.1:1", "english_text", "--tasks", "rte",
        "--data-dir", str(text_files("glue", "bert-base-uncased")),
    )  # fmt: skip
    assert local.returncode == 0, local.stderr
    assert hash_of(tmp_path / "other", "english_text", "rte") == first


def test_mc4_is_streamed_and_pawsx_downloaded(hub, tmp_path):
    home = tmp_path / "home"
    done = prepare(home, hub.url, "multilingual_text", "--tasks", "pretrain", "pawsx_ko")
    assert done.returncode == 0, done.stderr
    splits = read_json(home / "paper/multilingual_text/pretrain/manifest.json")["splits"]
    assert splits["pretrain/train"]["rows"] > 600
    assert not list((tmp_path / "hf").rglob("*.json.gz"))  # streamed, not stored
    assert hash_of(home, "multilingual_text", "pawsx_ko")


def test_without_a_network_it_says_what_to_do(tmp_path):
    home = tmp_path / "home"
    done = prepare(home, "http://127.0.0.1:1", "english_text", "--tasks", "rte")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "nyu-mll/glue cannot be downloaded from the Hugging Face hub" in done.stderr
    assert f"--local-dir {home}/raw/glue" in done.stderr
    stream = prepare(home, "http://127.0.0.1:1", "multilingual_text", "--tasks", "pretrain", HF_HUB_OFFLINE="1")
    assert stream.returncode == 1
    assert "allenai/c4 cannot be streamed from the Hugging Face hub" in stream.stderr
    assert "Traceback" not in stream.stderr
