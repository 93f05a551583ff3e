"""Official files: found where the user keeps them, or downloaded and unpacked; a half is never taken for a whole."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from dabs.domains.paper.natural_images import IMAGENET
from dabs.domains.sources import download as _download
from dabs.domains.sources.official import Archive, OfficialFiles, given
from dabs.domains.sources.unpack import unpack
from dabs.errors import DabsError

NOISE = os.urandom(3 << 20)  # does not compress, and is more than one piece of a download


def quiet(line: str) -> None:
    pass


def tar_of(members: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    """A .tar.gz."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    return buffer.getvalue()


def zip_of(members: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    """A .zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        for name, target in (links or {}).items():
            member = zipfile.ZipInfo(name)
            member.create_system, member.external_attr = 3, 0o120777 << 16
            archive.writestr(member, target)
    return buffer.getvalue()


def md5(content: bytes) -> str:
    return f"md5:{hashlib.md5(content).hexdigest()}"


@pytest.fixture
def dtd(served) -> OfficialFiles:
    """A small archive in the layout of DTD, served on loopback."""
    content = tar_of({"dtd/images/a/a_0001.jpg": NOISE, "dtd/labels/train1.txt": b"a/a_0001.jpg\n"})
    served.files["/dtd.tar.gz"] = content
    archive = Archive(url=f"{served.url}/dtd.tar.gz", checksum=md5(content), size=len(content))
    return OfficialFiles(name="dtd", expects=("dtd/labels/train1.txt", "dtd/images/*/*.jpg"), archives=(archive,))


def files_below(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and not p.name.endswith(".lock")}


WHOLE = {"dtd/images/a/a_0001.jpg", "dtd/labels/train1.txt", ".done/dtd.tar.gz.json"}


def test_files_of_the_user_are_taken_as_they_are(raw, tmp_path, monkeypatch, served):
    mine = tmp_path / "mine" / "dtd" / "dtd" / "labels"
    mine.mkdir(parents=True)
    (mine / "train1.txt").write_text("")
    monkeypatch.setenv("DABS_DATA_DIR", str(tmp_path / "mine"))
    assert OfficialFiles(name="dtd", expects=("dtd/labels/train1.txt",)).fetch(raw, quiet) == tmp_path / "mine" / "dtd"


def test_a_registered_set_prints_steps_folder_and_missing_files(raw):
    files = OfficialFiles(name="chexpert", expects=("train.csv", "valid.csv"), steps="1. Sign up at example.org.")
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


def test_folders_without_pictures_are_no_imagenet(raw):
    (raw / "imagenet" / "train" / "n01440764.tar").mkdir(parents=True)
    (raw / "imagenet" / "train" / "n01440764").mkdir()
    (raw / "imagenet" / "val" / "x").mkdir(parents=True)
    with pytest.raises(DabsError, match=r"imagenet is not complete in .*\n.*/train/n\*/\*\.JPEG"):
        IMAGENET.fetch(raw, quiet)


def test_downloaded_unpacked_and_not_again(raw, served, dtd):
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


def test_a_connection_cut_in_the_middle_goes_on_from_there(raw, served, dtd):
    served.cut_after["/dtd.tar.gz"] = [1_500_000, 700_000]
    dtd.fetch(raw, quiet)
    first, *others = served.seen["/dtd.tar.gz"]
    starts = [int(wanted.removeprefix("bytes=").rstrip("-")) for wanted in others]
    assert first == ""
    assert starts == [1_500_000, 2_200_000]  # every byte that came is kept
    assert (raw / "dtd/dtd/images/a/a_0001.jpg").read_bytes() == NOISE


def test_a_part_that_is_whole_is_not_asked_for_again(raw, served, dtd, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(_download, "_accept", stopped)
        with pytest.raises(KeyboardInterrupt):
            dtd.fetch(raw, quiet)
    dtd.fetch(raw, quiet)
    assert len(served.seen["/dtd.tar.gz"]) == 1
    assert files_below(raw / "dtd") == WHOLE


def stopped(*arguments):
    raise KeyboardInterrupt


def test_a_folder_that_cannot_be_written(raw, served, dtd, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DABS_DATA_DIR", str(tmp_path / "file" / "below"))
    with pytest.raises(DabsError, match=r"cannot write .*below/dtd.*--data-dir"):
        dtd.fetch(raw, quiet)


def test_two_at_the_same_time_download_once(raw, served, dtd):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: dtd.fetch(raw, quiet), range(3)))
    assert found == [raw / "dtd"] * 3
    assert len(served.seen["/dtd.tar.gz"]) == 1


def test_a_server_without_ranges_starts_again(raw, served, dtd):
    served.ranges, served.cut_after["/dtd.tar.gz"] = False, [1_500_000]
    dtd.fetch(raw, quiet)
    assert files_below(raw / "dtd") == WHOLE


def test_a_file_that_changed_between_two_parts_is_not_mixed(raw, served, dtd, monkeypatch):
    right = served.files["/dtd.tar.gz"]
    served.files["/dtd.tar.gz"] = os.urandom(len(right))
    served.cut_after["/dtd.tar.gz"] = [1_000_000]
    with monkeypatch.context() as patch:
        patch.setattr(_download, "ATTEMPTS", 1)
        patch.setattr(_download, "WAIT", 0.001)
        patch.setattr(_download, "_receive", once_then_fail(_download._receive))
        with pytest.raises(DabsError, match=r"Network is unreachable.*are kept"):
            dtd.fetch(raw, quiet)
    assert (raw / "dtd" / "dtd.tar.gz.part").stat().st_size > 900_000
    served.files["/dtd.tar.gz"] = right
    dtd.fetch(raw, quiet)
    assert (raw / "dtd/dtd/images/a/a_0001.jpg").read_bytes() == NOISE


def test_what_a_killed_download_left_beside_its_part_is_removed(raw, served, dtd):
    (raw / "dtd").mkdir(parents=True)
    left = raw / "dtd" / ".dtd.tar.gz.part.json.0123abcd.tmp"
    left.write_text("{")
    dtd.fetch(raw, quiet)
    assert not left.exists()
    assert files_below(raw / "dtd") == WHOLE


def once_then_fail(receive):
    """The first request is made, later ones find no network."""
    calls = []

    def call(*arguments):
        calls.append(1)
        if len(calls) == 1:
            return receive(*arguments)
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    return call


def test_a_wrong_checksum_keeps_nothing(raw, served, dtd):
    served.files["/dtd.tar.gz"] = tar_of({"dtd/labels/train1.txt": b"other"})
    with pytest.raises(DabsError, match=f"expected {dtd.archives[0].checksum[4:]}"):
        dtd.fetch(raw, quiet)
    assert files_below(raw / "dtd") == set()


def test_an_archive_put_there_by_hand_is_used_and_checked(raw, served, dtd):
    (raw / "dtd").mkdir(parents=True)
    (raw / "dtd" / "dtd.tar.gz").write_bytes(b"something else")
    with pytest.raises(DabsError, match=r"dtd\.tar\.gz .14 bytes. has md5"):
        dtd.fetch(raw, quiet)
    (raw / "dtd" / "dtd.tar.gz").write_bytes(served.files["/dtd.tar.gz"])
    dtd.fetch(raw, quiet)
    assert served.seen["/dtd.tar.gz"] == []
    assert files_below(raw / "dtd") == WHOLE


def test_not_found_says_what_to_do(raw, served, dtd):
    del served.files["/dtd.tar.gz"]
    with pytest.raises(DabsError, match=r"answers 404 .*put it at"):
        dtd.fetch(raw, quiet)
    assert len(served.seen["/dtd.tar.gz"]) == 1


def test_a_busy_server_is_asked_again(raw, served, dtd, monkeypatch):
    monkeypatch.setattr(_download, "WAIT", 0.01)
    served.status["/dtd.tar.gz"] = [503, 429]
    dtd.fetch(raw, quiet)
    assert files_below(raw / "dtd") == WHOLE


def test_an_archive_that_the_server_calls_encoded_is_kept_as_it_was_sent(raw, served, dtd, monkeypatch):
    monkeypatch.setattr(_download, "WAIT", 0.001)
    served.encoding["/dtd.tar.gz"] = "x-gzip"
    served.cut_after["/dtd.tar.gz"] = [1_500_000]
    dtd.fetch(raw, quiet)
    assert len(served.seen["/dtd.tar.gz"]) == 2
    assert files_below(raw / "dtd") == WHOLE


def test_a_server_that_refuses_to_go_on_is_given_up(raw, served, dtd, monkeypatch):
    monkeypatch.setattr(_download, "WAIT", 0.001)
    served.cut_after["/dtd.tar.gz"] = [1_500_000] * 40
    served.refuse.add("/dtd.tar.gz")
    with pytest.raises(DabsError, match=r"dtd\.tar\.gz cannot be downloaded"):
        dtd.fetch(raw, quiet)
    assert len(served.seen["/dtd.tar.gz"]) < 12


def test_a_download_whose_answer_breaks_off_in_a_chunk_is_asked_for_again(raw, served, dtd, monkeypatch):
    import urllib3

    monkeypatch.setattr(_download, "WAIT", 0.001)
    receive, calls = _download._receive, []

    def broken_once(*arguments):
        calls.append(1)
        if len(calls) == 1:
            raise urllib3.exceptions.ProtocolError("Connection broken")
        return receive(*arguments)

    monkeypatch.setattr(_download, "_receive", broken_once)
    dtd.fetch(raw, quiet)
    assert files_below(raw / "dtd") == WHOLE


def test_no_server_at_all(raw, dtd, served, monkeypatch):
    monkeypatch.setattr(_download, "WAIT", 0.001)
    gone = OfficialFiles(name="gone", expects=("x",), archives=(Archive(url="http://127.0.0.1:1/x.zip"),))
    with pytest.raises(DabsError, match="cannot be downloaded: ConnectionError"):
        gone.fetch(raw, quiet)


@pytest.mark.parametrize("kind", ["tar", "zip"])
@pytest.mark.parametrize(
    ("members", "links"),
    [({"../out.txt": b"1"}, {}), ({"a/../../out.txt": b"1"}, {}), ({}, {"dtd": "/etc"}), ({}, {"dtd/x": "../../.."})],
)
def test_members_that_land_elsewhere_are_refused(raw, served, kind, members, links):
    content = {"tar": tar_of, "zip": zip_of}[kind]({"good.txt": b"", **members}, links)
    served.files["/evil"] = content
    evil = OfficialFiles(name="evil", expects=("good.txt",), archives=(Archive(url=f"{served.url}/evil"),))
    with pytest.raises(DabsError, match="not safe to unpack"):
        evil.fetch(raw, quiet)
    assert files_below(raw) == {"evil/evil"}
    assert {p.name for p in raw.iterdir()} <= {"evil", ".evil.lock"}


def test_a_damaged_archive_is_named_and_nothing_of_it_is_there(raw, served):
    served.files["/a.tar.gz"] = tar_of({"first.txt": b"1", "noise": NOISE})[:-100_000]
    cut = OfficialFiles(name="cut", expects=("first.txt",), archives=(Archive(url=f"{served.url}/a.tar.gz"),))
    with pytest.raises(DabsError, match=r"a\.tar\.gz cannot be unpacked"):
        cut.fetch(raw, quiet)
    assert not (raw / "cut" / "first.txt").exists()


TEXT = "".join(random.Random(1).choices("abcdefgh ", k=200_000)).encode()


def deflated(kind: str) -> bytes:
    """An archive of TEXT, compressed."""
    if kind == "tar.gz":
        return tar_of({"words": TEXT})
    with zipfile.ZipFile(buffer := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("words", TEXT)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
@pytest.mark.parametrize("place", [35, 5_000, 60_000, -8])  # no deflate stream; it ends; other text; gzip's checksum
def test_an_archive_whose_bytes_have_changed_is_refused(tmp_path, kind, place):
    content = bytearray(deflated(kind))
    content[place : place + 40 if place > 0 else None] = b"\xff" * (40 if place > 0 else -place)
    (tmp_path / f"a.{kind}").write_bytes(content)
    with pytest.raises(DabsError, match=rf"a\.{kind} (cannot be unpacked|holds a member that is not safe)"):
        unpack(tmp_path / f"a.{kind}", tmp_path / "out")
    assert not files_below(tmp_path / "out")


def test_an_archive_inside_an_archive(raw, served):
    served.files["/outer.zip"] = zip_of({"sub/inner.zip": zip_of({"Protocol/subject101.dat": b"1 2"}), "readme": b""})
    archive = Archive(url=f"{served.url}/outer.zip", inner="sub/inner.zip")
    nested = OfficialFiles(name="nested", expects=("sub/Protocol/subject101.dat",), archives=(archive,))
    nested.fetch(raw, quiet)
    assert files_below(raw / "nested") == {"sub/Protocol/subject101.dat", "readme", ".done/outer.zip.json"}


def test_several_at_once_merge_into_one_folder_and_none_is_fetched_twice(raw, served, monkeypatch):
    monkeypatch.setattr(_download, "WAIT", 0.001)
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


def test_disk_space_is_checked_before(raw, served, dtd):
    huge = OfficialFiles(name="huge", expects=("x",), archives=(Archive(url=f"{served.url}/x.zip", size=1 << 60),))
    with pytest.raises(DabsError, match=r"needs 2305843009\.21 GB"):
        huge.fetch(raw, quiet)
    assert served.seen["/x.zip"] == []


@pytest.fixture
def small_disk(tmp_path):
    """A tmpfs of 8 MiB; skips where it cannot be mounted."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_gets_full_while_downloading(raw, served, dtd, small_disk, monkeypatch):
    filler = small_disk / "filler"
    filler.write_bytes(bytes(6 << 20))
    monkeypatch.setenv("DABS_DATA_DIR", str(small_disk))
    monkeypatch.setattr(
        "dabs.domains.sources.official.check_space", lambda folder, needed: None
    )  # as for unknown sizes
    with pytest.raises(DabsError, match="is full"):
        dtd.fetch(raw, quiet)
    assert (small_disk / "dtd" / "dtd.tar.gz.part").stat().st_size > 0
    filler.unlink()
    dtd.fetch(raw, quiet)
    assert served.seen["/dtd.tar.gz"][1].startswith("bytes=")
    assert (small_disk / "dtd/dtd/images/a/a_0001.jpg").read_bytes() == NOISE


def test_a_disk_that_gets_full_while_unpacking(raw, served, dtd, small_disk, monkeypatch):
    filler = small_disk / "filler"
    filler.write_bytes(bytes(4 << 20))
    monkeypatch.setenv("DABS_DATA_DIR", str(small_disk))
    monkeypatch.setattr("dabs.domains.sources.official.check_space", lambda folder, needed: None)
    with pytest.raises(DabsError, match="is full"):
        dtd.fetch(raw, quiet)
    assert files_below(small_disk / "dtd") == {"dtd.tar.gz"}
    filler.unlink()
    dtd.fetch(raw, quiet)
    assert files_below(small_disk / "dtd") == WHOLE


def test_ctrl_c_and_again(raw, served, dtd):
    code = (
        "import sys; from dabs.domains.sources.official import *\n"
        "a = Archive(url=sys.argv[1], checksum=sys.argv[2])\n"
        "f = OfficialFiles(name='dtd', expects=('dtd/labels/train1.txt', 'dtd/images/*/*.jpg'), archives=(a,))\n"
        "f.fetch(None, print)"
    )
    command = [sys.executable, "-c", code, dtd.archives[0].url, dtd.archives[0].checksum]
    served.hold.set()
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert served.halfway.wait(60)
    part = raw / "dtd" / "dtd.tar.gz.part"
    until = time.monotonic() + 20
    while not (part.exists() and part.stat().st_size) and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    served.hold.clear()
    served.released.set()
    assert "KeyboardInterrupt" in process.communicate(timeout=60)[1]
    assert process.returncode != 0
    kept = part.stat().st_size
    assert kept > 0
    assert dtd.missing(raw / "dtd")
    dtd.fetch(raw, quiet)
    assert served.seen["/dtd.tar.gz"][-1] == f"bytes={kept}-"
    assert files_below(raw / "dtd") == WHOLE


def test_a_killed_unpacking_is_not_taken_for_a_whole_one(raw, dtd, monkeypatch):
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
    """What the archive of `dtd` holds."""
    for name, content in {"dtd/labels/train1.txt": b"", "dtd/images/a/a_0001.jpg": NOISE}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)


def test_files_put_there_by_hand_after_a_dead_link_are_taken(raw, served, dtd):
    del served.files["/dtd.tar.gz"]
    with pytest.raises(DabsError, match=r"answers 404 .*or what is in it into .*raw/dtd\)") as caught:
        dtd.fetch(raw, quiet)
    assert ".begun" not in str(caught.value)
    put_by_hand(raw / "dtd")
    assert dtd.fetch(raw, quiet) == raw / "dtd"


def test_files_put_there_by_hand_after_an_interrupted_unpacking_need_a_word(raw, served, dtd, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("dabs.domains.sources.unpack._merge", stopped)
        with pytest.raises(KeyboardInterrupt):
            dtd.fetch(raw, quiet)
    del served.files["/dtd.tar.gz"]
    (raw / "dtd/dtd.tar.gz").unlink()
    put_by_hand(raw / "dtd")
    with pytest.raises(DabsError, match=r"answers 404 (?s:.*)files here yourself, delete .*raw/dtd/\.begun\."):
        dtd.fetch(raw, quiet)
    shutil.rmtree(raw / "dtd/.begun")
    assert dtd.fetch(raw, quiet) == raw / "dtd"


@pytest.fixture
def pair(served) -> tuple[OfficialFiles, OfficialFiles]:
    """A large source and a small one that share a folder and an archive, as LibriSpeech and its dev-clean do."""
    archives = []
    for name in ("dev", "train"):
        served.files[f"/{name}.zip"] = zip_of({f"set/{name}/x.flac": NOISE})
        archives.append(Archive(url=f"{served.url}/{name}.zip", size=len(NOISE), gives=(f"set/{name}/*.flac",)))
    small = OfficialFiles(name="shared", expects=archives[0].gives, archives=(archives[0],))
    return OfficialFiles(name="shared", expects=given(tuple(archives)), archives=tuple(archives)), small


def test_what_another_source_has_fetched_is_not_fetched_again(raw, served, pair):
    large, small = pair
    small.fetch(raw, quiet)
    large.fetch(raw, quiet)
    small.fetch(raw, quiet)
    assert {path: len(seen) for path, seen in served.seen.items()} == {"/dev.zip": 1, "/train.zip": 1}
    shutil.rmtree(raw / "shared/set/dev")
    large.fetch(raw, quiet)
    assert {path: len(seen) for path, seen in served.seen.items()} == {"/dev.zip": 2, "/train.zip": 1}


def test_what_the_user_has_is_not_downloaded(raw, served, pair):
    large, _ = pair
    (raw / "shared/set/train").mkdir(parents=True)
    (raw / "shared/set/train/mine.flac").write_bytes(b"mine")
    large.fetch(raw, quiet)
    assert not served.seen["/train.zip"]
    assert files_below(raw / "shared/set") == {"train/mine.flac", "dev/x.flac"}


def test_an_unfinished_archive_of_a_large_source_does_not_stop_a_small_one(raw, served, pair, monkeypatch):
    large, small = pair
    monkeypatch.setattr(_download, "WAIT", 0.001)
    served.status["/train.zip"] = [404]
    with pytest.raises(DabsError, match="404"):
        large.fetch(raw, quiet)
    large.archives[1].begun(raw / "shared").parent.mkdir(exist_ok=True)
    large.archives[1].begun(raw / "shared").touch()  # as a kill while it is moved in would leave
    small.fetch(raw, quiet)
    seen = len(served.seen["/dev.zip"])
    assert small.fetch(raw, quiet) == raw / "shared"
    assert len(served.seen["/dev.zip"]) == seen
    large.fetch(raw, quiet)
    assert not (raw / "shared/.begun").exists()


@pytest.mark.parametrize("name", ["dtd.tar.gz", "dtd.tar.gz.part"])
def test_space_that_an_earlier_attempt_took_is_not_asked_for_again(raw, dtd, monkeypatch, name):
    archive, asked = dtd.archives[0], []
    monkeypatch.setattr("dabs.domains.sources.official.check_space", lambda folder, needed: asked.append(needed))
    (raw / "dtd").mkdir(parents=True)
    (raw / "dtd" / name).write_bytes(bytes(1_000_000))
    with suppress(DabsError):  # these bytes are not the archive's
        dtd.fetch(raw, quiet)
    assert asked == [2 * archive.size - 1_000_000]
