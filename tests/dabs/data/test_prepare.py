"""Prepared data: complete or absent, hashed, and read back as it was written."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from dabs.data import prepare as module
from dabs.data.prepare import prepare, verify
from dabs.data.prepared import folder_of, is_prepared, open_prepared
from dabs.data.split import Split
from dabs.errors import DabsError


def test_rows_come_back_as_written(toy):
    columns = open_prepared(toy, "shade").columns("train")
    assert columns["input_0"].shape == (90, 1, 8, 8)
    assert columns["input_0"].dtype == np.uint8
    assert columns["input_1"].dtype == np.int32
    assert columns["label"].dtype == np.int64
    assert columns["group"][3] == "shade-train-3"
    assert open_prepared(toy, "findings").columns("test")["label"].shape == (60, 2)


def test_a_file_that_is_no_picture_is_not_taken_for_a_full_disk(toy):
    from PIL import UnidentifiedImageError

    def build(workspace):
        yield from ()
        raise UnidentifiedImageError("cannot identify image file 'pictures/x.png'")

    with pytest.raises(
        DabsError, match=r"while toy was being built.*'pictures/x.png'. Mend it or move it away"
    ) as error:
        prepare(dataclasses.replace(toy, build=build), lambda line: None, force=True)
    assert "Free the space" not in str(error.value)
    assert is_prepared(toy)


def test_hugging_face_datasets_reads_the_files(toy):
    import datasets

    table = datasets.Dataset.from_file(str(folder_of(toy) / "shade" / "train.arrow"))
    assert len(table) == 90
    assert table.column_names == ["input_0", "input_1", "label", "group"]


def test_a_second_preparation_does_nothing_and_a_forced_one_has_the_same_hashes(toy):
    before = open_prepared(toy).manifest
    stamp = (folder_of(toy) / "manifest.json").stat().st_mtime_ns
    prepare(toy, lambda line: None)
    assert open_prepared(toy).manifest == before
    assert (folder_of(toy) / "manifest.json").stat().st_mtime_ns == stamp
    prepare(toy, lambda line: None, force=True)
    assert open_prepared(toy).manifest == before


def test_verify_names_the_split_that_changed(toy):
    assert verify(toy) == []
    path = folder_of(toy) / "shade" / "test.arrow"
    content = bytearray(path.read_bytes())
    content[content.index(b"shade-test-0") - 4000] ^= 1
    path.write_bytes(bytes(content))
    (line,) = verify(toy)
    assert "toy/shade/test" in line


def test_verify_holds_one_batch_at_a_time(home):
    import pyarrow as pa

    from dabs.data.arrow import SplitWriter, compute_hashes
    from dabs.data.domain import Rows

    writer = SplitWriter(home / "large.arrow")
    for block in range(8):
        x = np.full((4096, 256), block, np.float32)
        writer.write(Rows(dataset="a", split="train", inputs=(x,), label=None, group=["g"] * 4096))
    expected, before = writer.close(), pa.total_allocated_bytes()
    peak: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        from dabs.data import arrow

        update = arrow.update_hashes
        patch.setattr(arrow, "update_hashes", lambda *a: (peak.append(len(a[3][0])), update(*a)))
        assert compute_hashes(home / "large.arrow") == expected
    assert peak == [4096] * 8
    assert pa.total_allocated_bytes() == before


def test_verify_continues_after_a_split_that_cannot_be_read(toy):
    (folder_of(toy) / "shade" / "test.arrow").write_bytes(b"not arrow")
    (folder_of(toy) / "shade" / "train.arrow").unlink()
    (folder_of(toy) / "words.txt").write_text("other")
    assert [line.split(":")[0] for line in verify(toy)] == ["toy/words.txt", "toy/shade/test", "toy/shade/train"]


def test_verify_names_a_kept_file_that_changed(toy):
    (folder_of(toy) / "words.txt").write_text("other")
    assert verify(toy) == ["toy/words.txt: missing or not what was written"]


def test_an_interrupted_preparation_is_not_mistaken_for_a_complete_one(toy, monkeypatch):
    from dataclasses import replace

    def broken(workspace):
        yield from list(toy.build(workspace))[:3]
        raise KeyboardInterrupt

    before = open_prepared(toy).manifest
    with pytest.raises(KeyboardInterrupt):
        prepare(replace(toy, build=broken), lambda line: None, force=True)
    assert open_prepared(toy).manifest == before
    assert sorted(p.name for p in folder_of(toy).parent.iterdir()) == [".toy.lock", "toy"]


def test_what_another_process_prepared_meanwhile_is_used(toy, monkeypatch):
    """Two processes find nothing prepared. When the second gets the lock, it has nothing left to build."""
    from contextlib import contextmanager

    kept, built = folder_of(toy).with_name("kept"), []
    folder_of(toy).rename(kept)

    @contextmanager
    def waited(path, *, wait):
        assert (path, wait) == (folder_of(toy), True)
        kept.rename(path)
        yield

    monkeypatch.setattr(module, "sole_use", waited)
    prepare(toy, built.append)
    assert built == []
    assert is_prepared(toy)
    prepare(toy, built.append)  # it is prepared, so no lock is needed, which a read-only disk could not provide


def test_what_a_killed_preparation_left_is_removed(toy):
    from dabs.utils.files import temporary_path

    left, other = temporary_path(folder_of(toy)), temporary_path(folder_of(toy).with_name("toy2"))
    for folder in (left, other):
        (folder / "shade").mkdir(parents=True)
        (folder / "shade" / "train.arrow").write_bytes(b"half")
    prepare(toy, lambda line: None, force=True)
    assert not left.exists()
    assert other.exists()


def test_a_source_that_cannot_be_read_is_not_reported_as_a_full_disk(toy, tmp_path):
    from dataclasses import replace

    import pyarrow.parquet as pq

    def opened(workspace):
        (tmp_path / "gone.csv").read_text()
        yield

    def by_pyarrow(workspace):
        pq.ParquetFile(tmp_path / "gone.parquet")
        yield

    for build, name in ((opened, "gone.csv"), (by_pyarrow, "gone.parquet")):
        with pytest.raises(DabsError, match=f"a file could not be read: .*{name}") as caught:
            prepare(replace(toy, build=build), lambda line: None, force=True)
        assert "cannot write" not in str(caught.value)
        assert "Free the space" not in str(caught.value)


def test_a_folder_that_cannot_be_written_is_reported(toy, monkeypatch, tmp_path):
    import errno
    from dataclasses import replace

    def full(workspace):
        yield from list(toy.build(workspace))[:1]
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DabsError, match=r"cannot write .*toy: .*No space left.*Free the space"):
        prepare(replace(toy, build=full), lambda line: None, force=True)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DABS_HOME", str(tmp_path / "file" / "below"))
    with pytest.raises(DabsError, match=r"cannot write .*toy: "):
        prepare(toy, lambda line: None)


def test_a_builder_that_leaves_out_a_split_is_refused(toy):
    from dataclasses import replace

    incomplete = replace(toy, version=2, build=lambda workspace: iter(list(toy.build(workspace))[:-1]))
    with pytest.raises(DabsError, match="length/test"):
        prepare(incomplete, lambda line: None)


def test_another_version_is_not_read(toy):
    from dataclasses import replace

    newer = replace(toy, version=9)
    assert not is_prepared(newer)
    with pytest.raises(DabsError, match="dabs data prepare toy"):
        open_prepared(newer, "shade").columns("train")


def test_missing_data_says_what_to_run(toy, monkeypatch, tmp_path):
    monkeypatch.setenv("DABS_HOME", str(tmp_path / "elsewhere"))
    with pytest.raises(DabsError, match="dabs data prepare toy --suite lite"):
        open_prepared(toy)


def test_batches_have_floats_a_mask_and_labels_only_on_request(toy):
    index = np.array([5, 0, 7])
    batch = Split(open_prepared(toy, "shade"), "train", labels=True).batch(index)
    columns = open_prepared(toy, "shade").columns("train")
    torch.testing.assert_close(batch.inputs[0], torch.from_numpy(columns["input_0"][index]).float() / 255)
    length = batch.inputs[1].shape[1]
    assert length == (columns["input_1"][index] != 0).sum(axis=1).max()
    assert batch.mask.shape == (3, 4 + length)
    assert batch.mask[:, 4:].tolist() == (columns["input_1"][index][:, :length] != 0).tolist()
    assert batch.label.tolist() == columns["label"][index].tolist()
    assert Split(open_prepared(toy, "shade"), "train", labels=False).batch(index).label is None


def test_a_split_too_large_for_memory_has_the_same_batches(toy, monkeypatch):
    index = np.array([5, 0, 7])
    held = Split(open_prepared(toy, "findings"), "train", labels=True).batch(index)
    monkeypatch.setattr("dabs.data.split.IN_MEMORY_BYTES", 0)
    split = Split(open_prepared(toy, "findings"), "train", labels=True)
    assert not split.in_memory
    mapped = split.batch(index)
    for a, b in zip((*held.inputs, held.mask, held.label), (*mapped.inputs, mapped.mask, mapped.label), strict=True):
        torch.testing.assert_close(a, b)
