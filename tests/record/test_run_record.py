import json
import stat
from pathlib import Path

import pytest

from flwr_chainfl.errors import RunRecordError
from flwr_chainfl.record import TOP_LEVEL_KEYS, RunRecord, read_run


def test_a_run_record_has_exactly_the_documented_keys(tmp_path: Path) -> None:
    record = RunRecord(tmp_path)
    record.write()
    written = json.loads((record.directory / "run.json").read_text())
    assert tuple(written) == TOP_LEVEL_KEYS
    assert TOP_LEVEL_KEYS == ("protocol", "config", "versions", "participants", "rounds", "conservation", "ledger")


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    record = RunRecord(tmp_path)
    record.data["protocol"] = "soft labels ↔ naïve"
    record.data["rounds"].append({"number": 1})
    record.write()
    assert read_run(record.directory) == record.data
    assert read_run(str(tmp_path / "latest")) == record.data


def test_the_versions_are_of_what_runs(tmp_path: Path) -> None:
    versions = RunRecord(tmp_path).data["versions"]
    assert {"python", "flwr-chainfl", "flwr", "numpy", "web3"} <= set(versions)


def test_each_run_has_a_directory_of_its_own_and_latest_is_the_newest(tmp_path: Path) -> None:
    directories = []
    for _ in range(3):
        record = RunRecord(tmp_path)
        directories.append(record.directory)
        assert (tmp_path / "latest").resolve() == record.directory
    assert len(set(directories)) == 3


def test_the_latest_link_is_relative_so_that_the_folder_can_be_moved(tmp_path: Path) -> None:
    record = RunRecord(tmp_path / "runs")
    record.write()
    (tmp_path / "runs").rename(tmp_path / "moved")
    assert read_run(tmp_path / "moved" / "latest") == record.data


def test_a_write_that_fails_leaves_the_last_record_whole(tmp_path: Path) -> None:
    record = RunRecord(tmp_path)
    record.write()
    before = (record.directory / "run.json").read_bytes()
    record.data["rounds"].append(object())
    with pytest.raises(TypeError):
        record.write()
    assert (record.directory / "run.json").read_bytes() == before


def test_a_write_replaces_the_record_in_one_step(tmp_path: Path) -> None:
    record = RunRecord(tmp_path)
    record.write()
    with (record.directory / "run.json").open() as reader:
        record.data["protocol"] = "changed"
        record.write()
        assert json.load(reader)["protocol"] == ""  # whoever reads has the whole old record
    assert [file.name for file in record.directory.iterdir()] == ["run.json"]


def test_a_record_is_no_executable(tmp_path: Path) -> None:
    record = RunRecord(tmp_path)
    record.write()
    assert not (record.directory / "run.json").stat().st_mode & stat.S_IXUSR


def test_a_run_directory_below_a_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunRecordError, match=r"file/runs cannot be written \(Not a directory\); choose another one") as e:
        RunRecord(tmp_path / "file" / "runs")
    assert isinstance(e.value, OSError)


def test_latest_is_never_taken_from_a_folder_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "latest").mkdir()
    with pytest.raises(RunRecordError, match="cannot be written"):
        RunRecord(tmp_path)


def test_a_record_whose_directory_has_gone_cannot_be_written(tmp_path: Path) -> None:
    record = RunRecord(tmp_path)
    record.directory.rmdir()
    with pytest.raises(RunRecordError, match=r"run.json cannot be written \(No such file or directory\)"):
        record.write()


def test_a_directory_without_a_record_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunRecordError, match="run.json cannot be read .*; name the directory of a run"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no JSON"),
        ("\xff", "is no JSON"),
        ("[]", "has other top-level keys"),
        ("{}", "has other top-level keys"),
        (json.dumps({**dict.fromkeys(TOP_LEVEL_KEYS), "extra": 1}), "has other top-level keys"),
    ],
)
def test_what_is_no_run_record_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "run.json").write_text(content, encoding="latin-1")
    with pytest.raises(RunRecordError, match=f"run.json {message}"):
        read_run(tmp_path)
