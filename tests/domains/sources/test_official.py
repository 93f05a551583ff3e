"""Official files: the user's own or downloaded, and never half a dataset."""

from __future__ import annotations

import hashlib
import io
import random
import shutil
import zipfile
from pathlib import Path

import pytest

from dabs.data.domain import Footprint
from dabs.domains.paper.natural_images import IMAGENET
from dabs.domains.sources import download
from dabs.domains.sources.official import Archive, OfficialFiles, provided_by
from dabs.domains.sources.unpack import unpack
from dabs.errors import DabsError
from dabs.utils.strict_json import read_json
from tests.helpers.paper.archives import NOISE, files_below, tar_of, zip_of

WHOLE = {"dtd/images/a/a_0001.jpg", "dtd/labels/train1.txt", ".done/dtd.tar.gz.json"}


def quiet(line: str) -> None:
    pass


def stopped(*arguments):
    raise KeyboardInterrupt


def test_a_users_own_files_are_used_as_they_are(raw, tmp_path, monkeypatch, served):
    mine = tmp_path / "mine" / "dtd" / "dtd" / "labels"
    mine.mkdir(parents=True)
    (mine / "train1.txt").write_text("")
    monkeypatch.setenv("DABS_DATA_DIR", str(tmp_path / "mine"))
    assert OfficialFiles(name="dtd", expects=("dtd/labels/train1.txt",)).fetch(raw, quiet) == tmp_path / "mine" / "dtd"


def test_a_dataset_with_registration_prints_instructions_folder_and_missing_files(raw):
    files = OfficialFiles(
        name="chexpert", expects=("train.csv", "valid.csv"), instructions="1. Sign up at example.org."
    )
    (raw / "chexpert").mkdir(parents=True)
    (raw / "chexpert" / "train.csv").write_text("")
    with pytest.raises(DabsError) as error:
        files.fetch(raw, quiet)
    text = str(error.value)
    assert "1. Sign up at example.org." in text
    assert str(raw / "chexpert" / "valid.csv") in text
    assert str(raw / "chexpert" / "train.csv") not in text
    (raw / "chexpert" / "valid.csv").write_text("")
    assert files.fetch(raw, quiet) == raw / "chexpert"


def test_folders_without_images_are_not_imagenet(raw):
    (raw / "imagenet" / "train" / "n01440764.tar").mkdir(parents=True)
    (raw / "imagenet" / "train" / "n01440764").mkdir()
    (raw / "imagenet" / "val" / "x").mkdir(parents=True)
    with pytest.raises(DabsError, match=r"imagenet is incomplete in .*\n.*/train/n\*/\*\.JPEG"):
        IMAGENET.fetch(raw, quiet)


def test_an_archive_is_downloaded_and_unpacked_once(raw, served, dtd):
    shown: list[tuple[str, int, int]] = []

    class Screen:
        def __call__(self, line: str) -> None:
            pass

        def progress(self, name: str, done: int, total: int) -> None:
            shown.append((name, done, total))

    assert dtd.fetch(raw, Screen()) == raw / "dtd"
    assert files_below(raw / "dtd") == WHOLE
    assert (raw / "dtd/dtd/images/a/a_0001.jpg").read_bytes() == NOISE
    assert shown[-1] == ("dtd.tar.gz", dtd.archives[0].size, dtd.archives[0].size)
    assert len(shown) > 2
    dtd.fetch(raw, quiet)
    assert len(served.seen["/dtd.tar.gz"]) == 1


def test_a_folder_that_cannot_be_written(raw, served, dtd, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DABS_DATA_DIR", str(tmp_path / "file" / "below"))
    with pytest.raises(DabsError, match=r"cannot write .*below/dtd.*--data-dir"):
        dtd.fetch(raw, quiet)


def test_concurrent_fetches_download_once(raw, served, dtd):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: dtd.fetch(raw, quiet), range(3)))
    assert found == [raw / "dtd"] * 3
    assert len(served.seen["/dtd.tar.gz"]) == 1


def test_an_archive_put_in_place_by_hand_is_checked_and_used(raw, served, dtd):
    (raw / "dtd").mkdir(parents=True)
    (raw / "dtd" / "dtd.tar.gz").write_bytes(b"something else")
    with pytest.raises(DabsError, match=r"dtd\.tar\.gz .14 bytes. has md5"):
        dtd.fetch(raw, quiet)
    (raw / "dtd" / "dtd.tar.gz").write_bytes(served.files["/dtd.tar.gz"])
    dtd.fetch(raw, quiet)
    assert served.seen["/dtd.tar.gz"] == []
    assert files_below(raw / "dtd") == WHOLE


@pytest.mark.parametrize("kind", ["tar", "zip"])
@pytest.mark.parametrize(
    ("members", "links"),
    [({"../out.txt": b"1"}, {}), ({"a/../../out.txt": b"1"}, {}), ({}, {"dtd": "/etc"}), ({}, {"dtd/x": "../../.."})],
)
def test_members_outside_the_folder_are_refused(raw, served, kind, members, links):
    content = {"tar": tar_of, "zip": zip_of}[kind]({"good.txt": b"", **members}, links)
    served.files["/evil"] = content
    evil = OfficialFiles(name="evil", expects=("good.txt",), archives=(Archive(url=f"{served.url}/evil"),))
    with pytest.raises(DabsError, match="not safe to unpack"):
        evil.fetch(raw, quiet)
    assert files_below(raw) == {"evil/evil"}
    assert {p.name for p in raw.iterdir()} <= {"evil", ".evil.lock"}


def test_a_damaged_archive_is_named_and_nothing_of_it_is_kept(raw, served):
    served.files["/a.tar.gz"] = tar_of({"first.txt": b"1", "noise": NOISE})[:-100_000]
    cut = OfficialFiles(name="cut", expects=("first.txt",), archives=(Archive(url=f"{served.url}/a.tar.gz"),))
    with pytest.raises(DabsError, match=r"a\.tar\.gz cannot be unpacked"):
        cut.fetch(raw, quiet)
    assert not (raw / "cut" / "first.txt").exists()


TEXT = "".join(random.Random(1).choices("abcdefgh ", k=200_000)).encode()


def deflated(kind: str) -> bytes:
    """Return a compressed archive of TEXT."""
    if kind == "tar.gz":
        return tar_of({"words": TEXT})
    with zipfile.ZipFile(buffer := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("words", TEXT)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
@pytest.mark.parametrize(
    "place", [35, 5_000, 60_000, -8]
)  # hits the start of the deflate stream, its end, its text, gzip's checksum
def test_an_archive_with_changed_bytes_is_refused(tmp_path, kind, place):
    content = bytearray(deflated(kind))
    content[place : place + 40 if place > 0 else None] = b"\xff" * (40 if place > 0 else -place)
    (tmp_path / f"a.{kind}").write_bytes(content)
    with pytest.raises(DabsError, match=rf"a\.{kind} (cannot be unpacked|is not safe to unpack)"):
        unpack(tmp_path / f"a.{kind}", tmp_path / "out")
    assert not files_below(tmp_path / "out")


def test_an_archive_inside_an_archive(raw, served):
    served.files["/outer.zip"] = zip_of({"sub/inner.zip": zip_of({"Protocol/subject101.dat": b"1 2"}), "readme": b""})
    archive = Archive(url=f"{served.url}/outer.zip", inner="sub/inner.zip")
    nested = OfficialFiles(name="nested", expects=("sub/Protocol/subject101.dat",), archives=(archive,))
    nested.fetch(raw, quiet)
    assert files_below(raw / "nested") == {"sub/Protocol/subject101.dat", "readme", ".done/outer.zip.json"}


def test_parallel_downloads_merge_into_one_folder_and_none_is_repeated(raw, served, monkeypatch):
    monkeypatch.setattr(download, "RETRY_DELAY", 0.001)
    names = [f"part{i}" for i in range(6)]
    for name in names:
        served.files[f"/{name}.zip"] = zip_of({f"set/{name}/x.bin": NOISE})
    archives = tuple(Archive(url=f"{served.url}/{name}.zip") for name in names)
    several = OfficialFiles(name="several", expects=tuple(f"set/{n}/x.bin" for n in names), archives=archives)
    served.status["/part3.zip"] = [404]
    with pytest.raises(DabsError, match=r"part3\.zip"):
        several.fetch(raw, quiet)
    assert several.missing(raw / "several")
    before = {name: len(served.seen[f"/{name}.zip"]) for name in names}
    done = {name for name in names if (raw / "several/.done" / f"{name}.zip.json").exists()}
    several.fetch(raw, quiet)
    assert not several.missing(raw / "several")
    assert served.at_once > 1
    assert all(len(served.seen[f"/{name}.zip"]) == before[name] for name in done)


def test_a_file_without_a_checksum_must_stay_what_it_was_first(raw, served):
    served.files["/a.zip"] = zip_of({"set/x.bin": NOISE})
    archive = Archive(url=f"{served.url}/a.zip", provides=("set/x.bin",))
    one = OfficialFiles(name="one", expects=("set/x.bin",), archives=(archive,))
    one.fetch(raw, quiet)
    first = hashlib.sha256(served.files["/a.zip"]).hexdigest()
    marker = raw / "one/.done/a.zip.json"
    assert read_json(marker)["checksum"] == f"sha256:{first}"
    (raw / "one/set/x.bin").unlink()
    served.files["/a.zip"] = zip_of({"set/x.bin": b"other"})
    with pytest.raises(DabsError, match=rf"is another file now: .* first download had sha256:{first}.*Delete .*a\.zip"):
        one.fetch(raw, quiet)
    assert files_below(raw / "one") == {".done/a.zip.json"}
    marker.unlink()
    one.fetch(raw, quiet)
    assert (raw / "one/set/x.bin").read_bytes() == b"other"


def test_what_is_in_place_is_not_counted(raw, served):
    served.files |= {f"/{name}.zip": zip_of({f"set/{name}.bin": NOISE}) for name in "ab"}
    archives = tuple(
        Archive(url=f"{served.url}/{name}.zip", size=3_000_000, unpacked=4_000_000, provides=(f"set/{name}.bin",))
        for name in "ab"
    )
    two = OfficialFiles(name="two", expects=("set/a.bin", "set/b.bin"), archives=archives)
    place = raw / "two"
    (place / "set").mkdir(parents=True)
    (place / "set/a.bin").write_bytes(b"by hand")
    (place / "b.zip.part").write_bytes(bytes(1_000_000))
    assert two.footprints(missing=True) == {archives[1].url: Footprint(download=2_000_000, unpacked=4_000_000)}
    assert sum(file.download for file in two.footprints(missing=False).values()) == 6_000_000
    (place / "set/b.bin").write_bytes(b"by hand")
    assert two.footprints(missing=True) == {}


def test_a_disk_that_fills_up_while_unpacking(raw, served, dtd, small_disk, monkeypatch):
    filler = small_disk / "filler"
    filler.write_bytes(bytes(4 << 20))
    monkeypatch.setenv("DABS_DATA_DIR", str(small_disk))
    monkeypatch.setattr("dabs.domains.sources.official.check_disk_space", lambda folder, needed: None)
    with pytest.raises(DabsError, match="is full"):
        dtd.fetch(raw, quiet)
    assert files_below(small_disk / "dtd") == {"dtd.tar.gz"}
    filler.unlink()
    dtd.fetch(raw, quiet)
    assert files_below(small_disk / "dtd") == WHOLE


def test_a_killed_unpacking_is_not_mistaken_for_a_complete_one(raw, dtd, monkeypatch):
    calls = []
    original = Path.replace

    def replace_once(self, target):
        calls.append(self)
        if "labels" in str(self) or self.name == "dtd":
            raise KeyboardInterrupt
        return original(self, target)

    monkeypatch.setattr(Path, "replace", replace_once)
    with pytest.raises(KeyboardInterrupt):
        dtd.fetch(raw, quiet)
    monkeypatch.setattr(Path, "replace", original)
    (raw / "dtd/dtd/labels").mkdir(parents=True, exist_ok=True)  # what a kill between two moves would leave
    (raw / "dtd/dtd/labels/train1.txt").write_bytes(b"")
    (raw / "dtd/dtd/images/a").mkdir(parents=True, exist_ok=True)
    (raw / "dtd/dtd/images/a/a_0001.jpg").write_bytes(b"half")
    (raw / "dtd/.unpack-left/dtd").mkdir(parents=True)
    dtd.fetch(raw, quiet)
    assert (raw / "dtd/dtd/images/a/a_0001.jpg").read_bytes() == NOISE
    assert {p.name for p in (raw / "dtd").iterdir()} == {"dtd", ".done"}


def put_by_hand(root: Path) -> None:
    """Write what the archive of `dtd` holds."""
    for name, content in {"dtd/labels/train1.txt": b"", "dtd/images/a/a_0001.jpg": NOISE}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)


def test_files_put_in_place_by_hand_after_a_dead_link_are_used(raw, served, dtd):
    del served.files["/dtd.tar.gz"]
    with pytest.raises(DabsError, match=r"answered 404 .*or its contents into .*raw/dtd\)") as caught:
        dtd.fetch(raw, quiet)
    assert ".begun" not in str(caught.value)
    put_by_hand(raw / "dtd")
    assert dtd.fetch(raw, quiet) == raw / "dtd"


def test_files_put_in_place_by_hand_after_an_interrupted_unpacking_need_begun_deleted(raw, served, dtd, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("dabs.domains.sources.unpack._merge", stopped)
        with pytest.raises(KeyboardInterrupt):
            dtd.fetch(raw, quiet)
    del served.files["/dtd.tar.gz"]
    (raw / "dtd/dtd.tar.gz").unlink()
    put_by_hand(raw / "dtd")
    with pytest.raises(DabsError, match=r"answered 404 (?s:.*)files there yourself, delete .*raw/dtd/\.begun\."):
        dtd.fetch(raw, quiet)
    shutil.rmtree(raw / "dtd/.begun")
    assert dtd.fetch(raw, quiet) == raw / "dtd"


@pytest.fixture
def pair(served) -> tuple[OfficialFiles, OfficialFiles]:
    """A large source and a small one that share a folder and an archive, like LibriSpeech and its dev-clean."""
    archives = []
    for name in ("dev", "train"):
        served.files[f"/{name}.zip"] = zip_of({f"set/{name}/x.flac": NOISE})
        archives.append(Archive(url=f"{served.url}/{name}.zip", size=len(NOISE), provides=(f"set/{name}/*.flac",)))
    small = OfficialFiles(name="shared", expects=archives[0].provides, archives=(archives[0],))
    return OfficialFiles(name="shared", expects=provided_by(tuple(archives)), archives=tuple(archives)), small


def test_an_archive_fetched_for_another_source_is_not_fetched_again(raw, served, pair):
    large, small = pair
    small.fetch(raw, quiet)
    large.fetch(raw, quiet)
    small.fetch(raw, quiet)
    assert {path: len(seen) for path, seen in served.seen.items()} == {"/dev.zip": 1, "/train.zip": 1}
    shutil.rmtree(raw / "shared/set/dev")
    large.fetch(raw, quiet)
    assert {path: len(seen) for path, seen in served.seen.items()} == {"/dev.zip": 2, "/train.zip": 1}


def test_files_that_the_user_has_are_not_downloaded(raw, served, pair):
    large, _ = pair
    (raw / "shared/set/train").mkdir(parents=True)
    (raw / "shared/set/train/mine.flac").write_bytes(b"mine")
    large.fetch(raw, quiet)
    assert not served.seen["/train.zip"]
    assert files_below(raw / "shared/set") == {"train/mine.flac", "dev/x.flac"}


def test_an_unfinished_archive_of_a_large_source_does_not_stop_a_small_one(raw, served, pair, monkeypatch):
    large, small = pair
    monkeypatch.setattr(download, "RETRY_DELAY", 0.001)
    served.status["/train.zip"] = [404]
    with pytest.raises(DabsError, match="404"):
        large.fetch(raw, quiet)
    large.archives[1].begun_marker(raw / "shared").parent.mkdir(exist_ok=True)
    large.archives[1].begun_marker(raw / "shared").touch()  # as a kill during the move would leave it
    small.fetch(raw, quiet)
    seen = len(served.seen["/dev.zip"])
    assert small.fetch(raw, quiet) == raw / "shared"
    assert len(served.seen["/dev.zip"]) == seen
    large.fetch(raw, quiet)
    assert not (raw / "shared/.begun").exists()
