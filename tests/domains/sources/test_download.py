"""Downloads: resumed after interruptions, checked, refused in clear words."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from email.utils import formatdate

import pytest

from dabs.domains.sources import download
from dabs.domains.sources.official import Archive, OfficialFiles
from dabs.errors import DabsError
from tests.helpers.paper.archives import NOISE, files_below, tar_of

WHOLE = {"dtd/images/a/a_0001.jpg", "dtd/labels/train1.txt", ".done/dtd.tar.gz.json"}


def quiet(line: str) -> None:
    pass


def test_a_download_resumes_where_the_connection_was_cut(raw, served, dtd):
    served.cut_after["/dtd.tar.gz"] = [1_500_000, 700_000]
    dtd.fetch(raw, quiet)
    first, *others = served.seen["/dtd.tar.gz"]
    starts = [int(wanted.removeprefix("bytes=").rstrip("-")) for wanted in others]
    assert first == ""
    assert starts == [1_500_000, 2_200_000]  # every byte that arrived is kept
    assert (raw / "dtd/dtd/images/a/a_0001.jpg").read_bytes() == NOISE


def test_a_complete_partial_file_is_not_requested_again(raw, served, dtd, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(download, "_check_and_keep", stopped)
        with pytest.raises(KeyboardInterrupt):
            dtd.fetch(raw, quiet)
    dtd.fetch(raw, quiet)
    assert len(served.seen["/dtd.tar.gz"]) == 1
    assert files_below(raw / "dtd") == WHOLE


def stopped(*arguments):
    raise KeyboardInterrupt


def test_a_server_without_ranges_sends_the_whole_file_again(raw, served, dtd):
    served.ranges, served.cut_after["/dtd.tar.gz"] = False, [1_500_000]
    dtd.fetch(raw, quiet)
    assert files_below(raw / "dtd") == WHOLE


def test_a_file_that_changes_between_two_requests_is_not_mixed(raw, served, dtd, monkeypatch):
    right = served.files["/dtd.tar.gz"]
    served.files["/dtd.tar.gz"] = os.urandom(len(right))
    served.cut_after["/dtd.tar.gz"] = [1_000_000]
    with monkeypatch.context() as patch:
        patch.setattr(download, "MAX_ATTEMPTS", 1)
        patch.setattr(download, "RETRY_DELAY", 0.001)
        patch.setattr(download, "_request_rest", once_then_fail(download._request_rest))
        with pytest.raises(DabsError, match=r"Network is unreachable.*are kept"):
            dtd.fetch(raw, quiet)
    assert (raw / "dtd" / "dtd.tar.gz.part").stat().st_size > 900_000
    served.files["/dtd.tar.gz"] = right
    dtd.fetch(raw, quiet)
    assert (raw / "dtd/dtd/images/a/a_0001.jpg").read_bytes() == NOISE


def test_temporary_files_of_a_killed_download_are_removed(raw, served, dtd):
    (raw / "dtd").mkdir(parents=True)
    left = raw / "dtd" / ".dtd.tar.gz.part.json.0123abcd.tmp"
    left.write_text("{")
    dtd.fetch(raw, quiet)
    assert not left.exists()
    assert files_below(raw / "dtd") == WHOLE


def once_then_fail(receive):
    """Let the first request through; later ones find no network."""
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


def test_a_missing_file_says_what_to_do(raw, served, dtd):
    del served.files["/dtd.tar.gz"]
    with pytest.raises(DabsError, match=r"answered 404 .*put it at"):
        dtd.fetch(raw, quiet)
    assert len(served.seen["/dtd.tar.gz"]) == 1


def test_a_busy_server_is_asked_again(raw, served, dtd, monkeypatch):
    monkeypatch.setattr(download, "RETRY_DELAY", 0.01)
    served.status["/dtd.tar.gz"] = [503, 429]
    dtd.fetch(raw, quiet)
    assert files_below(raw / "dtd") == WHOLE


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_is_left_alone_for_as_long_as_it_asks(raw, served, dtd, monkeypatch, status):
    waits = record_waits(monkeypatch)
    served.status["/dtd.tar.gz"], served.retry_after = [status], "17"
    dtd.fetch(raw, quiet)
    assert max(waits) == 17
    assert files_below(raw / "dtd") == WHOLE


def test_a_pause_until_a_date(raw, served, dtd, monkeypatch):
    waits = record_waits(monkeypatch)
    served.status["/dtd.tar.gz"], served.retry_after = [503], formatdate(time.time() + 60, usegmt=True)
    dtd.fetch(raw, quiet)
    assert 50 < max(waits) <= 60


def test_an_unreadable_pause_is_the_usual_one(raw, served, dtd, monkeypatch):
    waits = record_waits(monkeypatch)
    served.status["/dtd.tar.gz"], served.retry_after = [503], "soon"
    dtd.fetch(raw, quiet)
    assert max(waits) == download.RETRY_DELAY


def test_a_server_that_asks_for_hours_is_given_up(raw, served, dtd):
    served.status["/dtd.tar.gz"], served.retry_after = [429], "7200"
    with pytest.raises(DabsError, match="asks to wait 120 minutes"):
        dtd.fetch(raw, quiet)
    assert len(served.seen["/dtd.tar.gz"]) == 1


def record_waits(monkeypatch):
    """Let no download wait, and return the list that its waits are added to."""
    waits, wait = [], threading.Event.wait

    def record(self, timeout=None):
        if sys._getframe(1).f_code.co_filename != download.__file__:  # progress bars have a thread that waits
            return wait(self, timeout)
        waits.append(timeout or 0)
        return False

    monkeypatch.setattr(threading.Event, "wait", record)
    return waits


@pytest.mark.parametrize("said", ["", "bytes 700-800/9000", "bytes 0-3145727/3145728", "bytes */9000"])
def test_a_part_is_not_completed_with_other_bytes(raw, served, dtd, monkeypatch, said):
    monkeypatch.setattr(download, "RETRY_DELAY", 0.001)
    served.cut_after["/dtd.tar.gz"] = [1_500_000]
    served.content_range["/dtd.tar.gz"] = said
    dtd.fetch(raw, quiet)
    assert served.seen["/dtd.tar.gz"] == ["", "bytes=1500000-", ""]  # then the whole file is asked for
    assert (raw / "dtd/dtd/images/a/a_0001.jpg").read_bytes() == NOISE


def test_a_part_of_a_file_that_has_grown_is_not_completed(raw, served, dtd, monkeypatch):
    monkeypatch.setattr(download, "RETRY_DELAY", 0.001)
    served.cut_after["/dtd.tar.gz"] = [1_500_000]
    served.content_range["/dtd.tar.gz"] = "bytes 1500000-9999999/10000000"
    dtd.fetch(raw, quiet)
    assert served.seen["/dtd.tar.gz"] == ["", "bytes=1500000-", ""]
    assert files_below(raw / "dtd") == WHOLE


def test_a_server_that_sends_less_than_was_asked_for_is_asked_for_the_rest(raw, served, dtd):
    served.cut_after["/dtd.tar.gz"] = [1_500_000]
    served.at_most = 700_000
    dtd.fetch(raw, quiet)
    starts = [int(wanted.removeprefix("bytes=").rstrip("-")) for wanted in served.seen["/dtd.tar.gz"][1:]]
    assert starts == [1_500_000, 2_200_000, 2_900_000]
    assert (raw / "dtd/dtd/images/a/a_0001.jpg").read_bytes() == NOISE


def test_no_host_is_asked_for_more_files_at_once_than_it_allows(raw, served, dtd, monkeypatch):
    monkeypatch.setattr(download, "MAX_PER_HOST", 2)
    names = [f"x{n}.bin" for n in range(6)]
    served.files |= {f"/{name}": NOISE for name in names}
    archives = tuple(Archive(url=f"{served.url}/{name}", unpack=False, provides=(name,)) for name in names)
    many = [OfficialFiles(name=f"set{n}", expects=archives[n].provides, archives=archives[n:][:3]) for n in (0, 3)]
    with ThreadPoolExecutor() as pool:
        for future in [pool.submit(one.fetch, raw, quiet) for one in many]:
            future.result()
    assert served.at_once <= 2
    assert sorted(served.seen) == sorted(served.files.keys() - {"/dtd.tar.gz"})


def test_an_archive_with_a_content_encoding_is_kept_as_sent(raw, served, dtd, monkeypatch):
    monkeypatch.setattr(download, "RETRY_DELAY", 0.001)
    served.encoding["/dtd.tar.gz"] = "x-gzip"
    served.cut_after["/dtd.tar.gz"] = [1_500_000]
    dtd.fetch(raw, quiet)
    assert len(served.seen["/dtd.tar.gz"]) == 2
    assert files_below(raw / "dtd") == WHOLE


def test_a_server_that_keeps_refusing_the_range_is_given_up(raw, served, dtd, monkeypatch):
    monkeypatch.setattr(download, "RETRY_DELAY", 0.001)
    served.cut_after["/dtd.tar.gz"] = [1_500_000] * 40
    served.refuse.add("/dtd.tar.gz")
    with pytest.raises(DabsError, match=r"dtd\.tar\.gz cannot be downloaded"):
        dtd.fetch(raw, quiet)
    assert len(served.seen["/dtd.tar.gz"]) < 12


def test_a_response_that_breaks_off_is_requested_again(raw, served, dtd, monkeypatch):
    import urllib3

    monkeypatch.setattr(download, "RETRY_DELAY", 0.001)
    receive, calls = download._request_rest, []

    def broken_once(*arguments):
        calls.append(1)
        if len(calls) == 1:
            raise urllib3.exceptions.ProtocolError("Connection broken")
        return receive(*arguments)

    monkeypatch.setattr(download, "_request_rest", broken_once)
    dtd.fetch(raw, quiet)
    assert files_below(raw / "dtd") == WHOLE


def test_an_unreachable_server(raw, dtd, served, monkeypatch):
    monkeypatch.setattr(download, "RETRY_DELAY", 0.001)
    gone = OfficialFiles(name="gone", expects=("x",), archives=(Archive(url="http://127.0.0.1:1/x.zip"),))
    with pytest.raises(DabsError, match="cannot be downloaded: ConnectionError"):
        gone.fetch(raw, quiet)


def test_disk_space_is_checked_before_downloading(raw, served, dtd):
    huge = OfficialFiles(name="huge", expects=("x",), archives=(Archive(url=f"{served.url}/x.zip", size=1 << 60),))
    with pytest.raises(DabsError, match=r"needs 2305843009\.21 GB"):
        huge.fetch(raw, quiet)
    assert served.seen["/x.zip"] == []


def test_a_disk_that_fills_up_while_downloading(raw, served, dtd, small_disk, monkeypatch):
    filler = small_disk / "filler"
    filler.write_bytes(bytes(6 << 20))
    monkeypatch.setenv("DABS_DATA_DIR", str(small_disk))
    monkeypatch.setattr(
        "dabs.domains.sources.official.check_disk_space", lambda folder, needed: None
    )  # as for unknown sizes
    with pytest.raises(DabsError, match="is full"):
        dtd.fetch(raw, quiet)
    assert (small_disk / "dtd" / "dtd.tar.gz.part").stat().st_size > 0
    filler.unlink()
    dtd.fetch(raw, quiet)
    assert served.seen["/dtd.tar.gz"][1].startswith("bytes=")
    assert (small_disk / "dtd/dtd/images/a/a_0001.jpg").read_bytes() == NOISE


def test_a_download_resumes_after_ctrl_c(raw, served, dtd):
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


@pytest.mark.parametrize("name", ["dtd.tar.gz", "dtd.tar.gz.part"])
def test_space_taken_by_an_earlier_attempt_is_not_required_again(raw, dtd, monkeypatch, name):
    archive, asked = dtd.archives[0], []
    monkeypatch.setattr("dabs.domains.sources.official.check_disk_space", lambda folder, needed: asked.append(needed))
    (raw / "dtd").mkdir(parents=True)
    (raw / "dtd" / name).write_bytes(bytes(1_000_000))
    with suppress(DabsError):  # these are not the archive's bytes
        dtd.fetch(raw, quiet)
    assert asked == [2 * archive.size - 1_000_000]
