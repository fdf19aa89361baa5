"""``homing serve`` before it serves: a wrong configuration stops the start, with every line and key."""

from pathlib import Path

import pytest

from tests.cli.test_program import run


@pytest.mark.parametrize("command", [("serve",), ("serve", "--json"), ("serve", "--migrate")])
def test_a_wrong_configuration_stops_the_start(tmp_path: Path, command: tuple[str, ...]) -> None:
    text = '[http]\nlisten = "8080"\n\n[push]\nlease_s = 60\ngive_up_s = 60\nlease = 1\n'
    (tmp_path / "homing.toml").write_text(text)
    ran = run(tmp_path, *command)
    assert (ran.returncode, ran.stdout) == (1, "")
    lines = ran.stderr.splitlines()
    for where in ("homing.toml:2: http.listen", "homing.toml:5: push.lease_s", "homing.toml:7: push.lease"):
        assert [line for line in lines if where in line], (where, ran.stderr)
    assert all(line.startswith("error: ") for line in lines)
    assert not (tmp_path / "homing-data").exists()


def test_a_secret_that_a_file_lacks_is_named(tmp_path: Path) -> None:
    (tmp_path / "homing.toml").write_text(
        '[[link]]\nname = "smsc"\nkind = "smpp"\nhost = "h"\nsystem_id = "s"\npassword_file = "gone"\n'
    )
    ran = run(tmp_path, "serve")
    assert ran.returncode == 1
    assert ran.stderr.startswith("error: homing.toml:6: link.smsc.password_file: cannot be read")
