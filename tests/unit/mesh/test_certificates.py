"""What a process keeps of its identity, for readers that may look at any moment."""

import stat
from pathlib import Path

import pytest

from mesh import certificates
from mesh.certificates import Files


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """A folder that is not there yet."""
    return Files(tmp_path / "identity")


def folder_of(file: Path) -> str:
    """Say where a file really is."""
    return file.resolve().parent.name


def test_key_and_certificate_are_replaced_in_one_step(files: Files) -> None:
    """One link leads to both; the pair from before stays for who is just reading it, and no other does."""
    seen = []
    for turn in range(4):
        files.keep(certificates.new_key(), b"chain %d" % turn)
        assert files.certificate.read_bytes() == b"chain %d" % turn
        assert folder_of(files.key) == folder_of(files.certificate)
        seen.append(folder_of(files.key))
    assert {each.name for each in files.folder.glob("pair-*")} == set(seen[-2:])


def test_files_of_an_earlier_version_become_links(files: Files) -> None:
    """They were written one after the other, without a pair."""
    files.folder.mkdir()
    for file in (files.key, files.certificate):
        file.write_text("old")
    files.keep(certificates.new_key(), b"new")
    assert files.certificate.read_bytes() == b"new"
    assert folder_of(files.key) == folder_of(files.certificate)


def test_the_key_is_its_owners_alone(files: Files) -> None:
    """As are the folders on the way."""
    files.keep(certificates.new_key(), b"chain")
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (files.folder, files.key.resolve().parent, files.key)]
    assert modes == [certificates.PRIVATE_FOLDER, certificates.PRIVATE_FOLDER, certificates.PRIVATE_FILE]
