"""Reading file, environment and secrets; every kind of problem with its line, and all of them at once."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homing.config import ConfigError, LinkSettings, Problem, Settings, check, find_file, host_and_port, load
from homing.model.report import Status

MM7 = '[[link]]\nname = "mms"\nkind = "mm7"\nuser = "relay"\npassword = "s3cret"\n'
SMSC = '[[link]]\nname = "smsc"\nhost = "smsc.example.net"\nsystem_id = "us"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "homing.toml"


def problems(
    file: Path, text: str, environ: dict[str, str] | None = None
) -> list[tuple[int | None, str, str]]:
    """Line, key, and text with hint of everything that is wrong with this text."""
    file.write_text(text)
    found = check(file, environ or {})
    assert all(problem.file in (str(file), "environment") for problem in found)
    return [(problem.line, problem.key, f"{problem.text} ({problem.hint})") for problem in found]


def only(file: Path, text: str, environ: dict[str, str] | None = None) -> tuple[int | None, str, str]:
    (problem,) = problems(file, text, environ)
    return problem


def read(file: Path, text: str, environ: dict[str, str] | None = None) -> Settings:
    file.write_text(text)
    return load(file, environ or {})


def test_without_a_file_a_newcomer_has_what_he_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = load(None, {})
    assert found.node.data_dir == tmp_path / "homing-data"
    assert found.node.store_url == f"sqlite:///{tmp_path}/homing-data/homing.db"
    assert found.http.listen == "127.0.0.1:8080"
    assert [(link.name, link.kind) for link in found.link] == [("sim", "simulator"), ("mms", "mm7")]
    assert found.link == Settings().link
    assert (found.link[1].submit_url, found.link[1].addresses) == ("simulator", ("127.0.0.1", "::1"))
    assert found.push.lease_s > found.push.give_up_s > found.push.expect_s
    assert len(found.push.mx_retry_s) == len(found.push.json_retry_s) == 9  # ten attempts


def test_an_empty_file_means_the_defaults_beside_it(file: Path) -> None:
    found = read(file, "")
    assert found.link == Settings().link
    assert found.node.data_dir == file.parent / "homing-data"


def test_an_empty_list_of_links_is_none(file: Path) -> None:
    assert read(file, "link = []").link == ()


def test_a_whole_link(file: Path) -> None:
    text = (
        SMSC
        + 'prefixes = ["44", "+353", "001"]\nthroughput_per_s = 50\n'
        + '[link.status_overrides]\n"0" = "DELIVERED"\n'
    )
    (link,) = read(file, text).link
    assert link.kind == "smpp"
    assert link.id_scope == "us@smsc.example.net:2775"
    assert link.prefixes == ("44", "353", "1")
    assert link.throughput_per_s == 50
    assert link.status_overrides == {"0": Status.DELIVERED}
    assert link.tls_verify
    assert link.source_ton is None


def test_a_simulated_link_has_an_account_of_its_own() -> None:
    assert LinkSettings(name="sim", kind="simulator").id_scope == "sim@simulator"
    assert LinkSettings(name="x", kind="simulator", system_id="y", id_scope="z").id_scope == "z"


def test_paths_are_relative_to_the_file_wherever_they_were_written(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file.parent / "ca.pem").write_text("PEM")
    monkeypatch.chdir("/")
    found = read(file, '[push]\nca_file = "ca.pem"', {"HOMING_NODE__DATA_DIR": "data"})
    assert found.push.ca_file == file.parent / "ca.pem"
    assert found.node.data_dir == file.parent / "data"
    assert read(file, '[node]\ndata_dir = "/var/x"').node.data_dir == Path("/var/x")


def test_a_path_that_is_empty_is_none(file: Path) -> None:
    assert read(file, '[push]\nca_file = ""').push.ca_file is None
    assert "a path" in only(file, '[node]\ndata_dir = ""')[2]


@pytest.mark.parametrize(
    ("store", "expected"),
    [
        ("sqlite:///x.db", "sqlite:///{}/x.db"),
        ("sqlite:////x.db", "sqlite:////x.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("postgresql+psycopg://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
    ],
)
def test_a_store_url_is_kept_but_for_a_relative_file(file: Path, store: str, expected: str) -> None:
    assert read(file, f'[node]\nstore = "{store}"').node.store_url == expected.format(file.parent)


# -- environment


def test_the_environment_overrides_the_file(file: Path) -> None:
    found = read(
        file,
        '[http]\nlisten = "127.0.0.1:1"\n[[link]]\nname = "my-smsc"\nhost = "h"\nsystem_id = "us"\nbinds = 1',
        {
            "HOMING_HTTP__LISTEN": "127.0.0.1:2",
            "HOMING_HTTP__TRUSTED_PROXIES": "10.0.0.0/8, 192.0.2.1",
            "HOMING_NODE__ID": "7",
            "HOMING_NODE__MIGRATE": "true",
            "HOMING_PUSH__MX_RETRY_S": "1,2.5",
            "HOMING_PUSH__JSON_RETRY_S": "[3, 4]",
            "HOMING_LINK__MY_SMSC__BINDS": "4",
            "HOMING_LINK__MY_SMSC__PASSWORD": "123",
            "HOMING_LINK__MY_SMSC__SOURCE_TON": "5",
            "HOMING_LINK__MY_SMSC__STATUS_OVERRIDES": '{ "0" = "FAILED" }',
            "HOMING_CONFIG": "elsewhere",
            "HOMING_PORT_8080_TCP": "tcp://10.0.0.1",
            "HOMINGX__Y": "1",
        },
    )
    assert found.http.listen == "127.0.0.1:2"
    assert found.http.trusted_proxies == ("10.0.0.0/8", "192.0.2.1")
    assert (found.node.id, found.node.migrate) == (7, True)
    assert (found.push.mx_retry_s, found.push.json_retry_s) == ((1, 2.5), (3, 4))
    (link,) = found.link
    assert (link.binds, link.password, link.source_ton) == (4, "123", 5)
    assert link.status_overrides == {"0": Status.FAILED}


def test_the_environment_reaches_the_default_link() -> None:
    assert load(None, {"HOMING_LINK__SIM__WINDOW": "50"}).link[0].window == 50


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("HOMING_HTTP__LISTNE", "x", "did you mean listen?"),
        ("HOMING_HTPP__LISTEN", "x", "did you mean [http]?"),
        ("HOMING_HTTP__A__LISTEN", "x", "one double underscore"),
        ("HOMING_LINK__SMSX__PORT", "1", "HOMING_LINK__SMSC__"),
        ("HOMING_LINK__PORT", "1", "names no link"),
        ("HOMING_NODE__ID", "1024", "from 0 to 1023, got '1024'"),
        ("HOMING_NODE__MIGRATE", "perhaps", "true or false"),
        ("HOMING_LINK__SMSC__STATUS_OVERRIDES", "a=b", "a table of words"),
        ("HOMING_PUSH__MX_RETRY_S", "[1]\nx = 2", "a list"),
        ("HOMING_PUSH__MX_RETRY_S", "[" * 100_000, "a list"),
        ("HOMING_LINK__SMSC__SYSTEM_ID", "", "is missing"),
    ],
)
def test_what_is_wrong_in_the_environment_is_said_by_its_name(
    file: Path, variable: str, value: str, said: str
) -> None:
    line, key, text = only(file, SMSC, {variable: value})
    assert (line, key) == (None, variable)
    assert said in text


# -- secrets


def test_a_secret_from_a_file_loses_its_line_end_only(file: Path) -> None:
    (file.parent / "pw").write_text(" s3 cret \r\n")
    assert read(file, SMSC + 'password_file = "pw"').link[0].password == " s3 cret "
    (file.parent / "url").write_text("postgresql://u:p@h/d\n")
    assert read(file, "", {"HOMING_NODE__STORE_FILE": "url"}).node.store == "postgresql://u:p@h/d"


def test_the_environment_wins_over_either_way_of_writing_a_secret(file: Path) -> None:
    (file.parent / "pw").write_text("from-file")
    by_file = SMSC + 'password_file = "pw"'
    by_value = SMSC + 'password = "written"'
    assert read(file, by_file, {"HOMING_LINK__SMSC__PASSWORD": "env"}).link[0].password == "env"
    assert read(file, by_value, {"HOMING_LINK__SMSC__PASSWORD_FILE": "pw"}).link[0].password == "from-file"


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "No such file"), (b"", "empty"), (b"\n", "empty"), (b"\xffs3cret", "not UTF-8")],
)
def test_a_secret_file_that_cannot_be_read(file: Path, content: bytes | None, said: str) -> None:
    if content is not None:
        (file.parent / "pw").write_bytes(content)
    line, key, text = only(file, SMSC + 'password_file = "pw"')
    assert (line, key) == (5, "link.smsc.password_file")
    assert said in text


def test_a_secret_and_its_file_side_by_side_are_refused(file: Path) -> None:
    (file.parent / "pw").write_text("a")
    line, key, text = only(file, SMSC + 'password = "b"\npassword_file = "pw"')
    assert (line, key) == (6, "link.smsc.password_file")
    assert "beside" in text


def test_secrets_are_in_no_repr(file: Path) -> None:
    found = read(file, '[node]\nstore = "postgresql://u:s3cret@h/d"\n' + SMSC + 'password = "s3cret"\n')
    assert found.link[0].password == "s3cret"
    for text in (repr(found), str(found), f"{found.link[0]} {found.node!r}", str(found.__rich_repr__())):
        assert "s3cret" not in text
    assert "password='***'" in repr(found)
    assert "store='sqlite'" in repr(Settings())


@pytest.mark.parametrize(
    "text",
    [
        SMSC + 'password = "s3cret\\u0001"',
        SMSC + 'password = ["s3cret"]',
        SMSC + 'password = "s3cret"\npassword_file = 5',
        '[node]\nstore = "mysql://u:s3cret@h/d"',
        '[node]\nstore = "s3cret',
        SMSC + "password = s3cret",
    ],
)
def test_secrets_are_in_no_error(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(file, {"HOMING_LINK__X__PASSWORD": "s3cret"})
    assert "s3cret" not in str(caught.value) + repr(caught.value) + repr(caught.value.problems)


# -- problems


def test_everything_wrong_is_said_at_once_in_the_order_of_the_file(file: Path) -> None:
    text = (
        '[node]\nid = "one"\nnoode = 1\n[htpp]\nlisten = "x"\n[push]\ngive_up_s = 80\n'
        '[[link]]\nname = "a"\nbinds = 0\n'
        '[[link]]\nport = 0\nhost = "h"\nsystem_id = "s"\n'
    )
    found = problems(file, text, {"HOMING_LOG__LEVEL": "inof"})
    assert [(line, key) for line, key, _ in found] == [
        (2, "node.id"),
        (3, "node.noode"),
        (4, "htpp"),
        (6, "push.lease_s"),
        (8, "link.a.host"),
        (8, "link.a.system_id"),
        (10, "link.a.binds"),
        (11, "link.name"),
        (12, "link.port"),
        (None, "HOMING_LOG__LEVEL"),
    ]
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    assert len(caught.value.problems) == 9
    assert str(caught.value).splitlines()[0] == (
        f"{file}:2: node.id: expected a whole number from 0 to 1023, got 'one'"
        " (Number of this node; every node of one store has its own.)"
    )


@pytest.mark.parametrize(
    ("text", "line", "key", "said"),
    [
        ("[node]\n\nidd = 1", 3, "node.idd", "did you mean id?"),
        ("[node]\nlease_s = 1", 2, "node.lease_s", "it belongs under [push]"),
        ("[node]\nqqq = 1", 2, "node.qqq", "configuration.md"),
        ("lease_s = 1", 1, "lease_s", "write it under [push]"),
        ("[zzz]", 1, "zzz", "sections are [node], [http]"),
        ("node = 5", 1, "node", "write [node] above its keys"),
        ('[link]\nname = "x"', 1, "link", "write [[link]] with two brackets"),
        ("link = [1]", 1, "link", "two brackets"),
        ("[http]\nlisten = 8080", 2, "http.listen", "expected a text, got 8080"),
        ('[http]\nlisten = "8080"', 2, "http.listen", "address:port"),
        ('[http]\nlisten = "::1:8080"', 2, "http.listen", "brackets"),
        ('[http]\nlisten = "h:65536"', 2, "http.listen", "0 to 65535"),
        ('[http]\ntrusted_proxies = ["10.0.0.0/33"]', 2, "http.trusted_proxies", "no address and no network"),
        ('[http]\nlisten_tls = "h:1"', 2, "http.listen_tls", "set tls_certificate and tls_key"),
        ('[http]\ntls_certificate = "homing.toml"', 2, "http.tls_certificate", "set tls_key"),
        ('[http]\ntls_key = "homing.toml"', 2, "http.tls_key", "set tls_certificate"),
        ("[node]\nmigrate = 1", 2, "node.migrate", "expected true or false, got 1"),
        ("[node]\nid = true", 2, "node.id", "got true"),
        ("[node]\nid = -1", 2, "node.id", "from 0 to 1023"),
        ("[node]\ndrain_s = inf", 2, "node.drain_s", "a number of at least 0"),
        ("[node]\ndrain_s = nan", 2, "node.drain_s", "a number"),
        ("[node]\ndrain_s = " + "9" * 400, 2, "node.drain_s", "…"),
        ("[node]\nid = 1979-05-27", 2, "node.id", "whole number"),
        ('[node]\nstore = "redis://x"', 2, "node.store", "not of the right form"),
        ('[mms]\nstore = "s3:bucket"', 2, "mms.store", 'expected "local" or a URL like'),
        ('[mms]\nstore = "s3://bucket/a//b"', 2, "mms.store", "expected"),
        ('[mms]\nstore = "s3://bucket/../b"', 2, "mms.store", "expected"),
        ('[mms]\nstore = "s3://key:secret@bucket"', 2, "mms.store", "expected"),
        ('[mms]\ns3_endpoint = "https://key:secret@host"', 2, "mms.s3_endpoint", "form"),
        ('[mms]\ns3_access_key_id = "a"', 1, "mms.s3_secret_access_key", "a key has a name and a secret"),
        ("[push]\nlease_s = 60", 2, "push.lease_s", "must exceed give_up_s, 60 s, but is 60 s"),
        ("[push]\nexpect_s = 61", 2, "push.expect_s", "must not exceed"),
        ("[push]\nmax_in_memory = 10", 1, "push.max_in_memory_per_endpoint", "must not exceed"),
        ("[push]\nmx_retry_s = [1, 0]", 2, "push.mx_retry_s", "a list, each a number above 0"),
        ("[push]\nmx_retry_s = [inf]", 2, "push.mx_retry_s", "a list"),
        ('[push]\nsource_address = "host"', 2, "push.source_address", "no IP address"),
        ('[push]\nca_file = "none.pem"', 2, "push.ca_file", "No such file"),
        ('[push]\nca_file = "x\\u0000y"', 2, "push.ca_file", "a path"),
        ('[log]\nlevel = "warn"', 2, "log.level", 'did you mean "warning"?'),
        ('[simulator]\nlisten = "x"', 2, "simulator.listen", "address:port"),
        (SMSC + "binds = 0", 5, "link.smsc.binds", "from 1 to 1000"),
        (SMSC + 'kind = "smmp"', 5, "link.smsc.kind", 'did you mean "smpp"?'),
        (SMSC + 'prefixes = ["4a"]', 5, "link.smsc.prefixes", "digits only"),
        (SMSC + 'receipt_timezone = "Europe/Londno"', 5, "link.smsc.receipt_timezone", "no time zone"),
        (SMSC + 'receipt_timezone = "Europe"', 5, "link.smsc.receipt_timezone", "no time zone"),
        (SMSC + 'receipt_timezone = "../x"', 5, "link.smsc.receipt_timezone", "no time zone"),
        (SMSC + 'status_overrides = {"0" = "OK"}', 5, "link.smsc.status_overrides", '"UNKNOWN"'),
        (SMSC + 'status_overrides = {"0" = "SENT"}', 5, "link.smsc.status_overrides", "cannot mean SENT"),
        (SMSC + "reconnect_min_s = 31", 1, "link.smsc.reconnect_max_s", "less than reconnect_min_s"),
        (SMSC + 'tls_ca_file = "homing.toml"', 5, "link.smsc.tls_ca_file", "set tls = true"),
        (SMSC + 'tls = true\ntls_key = "homing.toml"', 6, "link.smsc.tls_key", "set tls_certificate"),
        (SMSC + 'carrier_code = "234-15"', 5, "link.smsc.carrier_code", "of another form"),
        ('[[link]]\nname = "mms"\nkind = "mm7"', 1, "link.mms.user", "anybody could send MMS here"),
        (MM7.replace("password", "#"), 1, "link.mms.password", "is missing"),
        (MM7.replace("user", "#") + 'addresses = ["::1"]', 1, "link.mms.user", "is missing"),
        (MM7 + 'addresses = ["192.0.2.0/33"]', 6, "link.mms.addresses", "no address and no network"),
        (MM7 + 'submit_url = "ftp://x/"', 6, "link.mms.submit_url", "of another form"),
        (MM7 + 'submit_url = "http://x:0/"', 6, "link.mms.submit_url", "its host or port"),
        (MM7 + 'submit_url = "http://x:y/"', 6, "link.mms.submit_url", "its host or port"),
        (MM7 + 'submit_url = "http:///mm7"', 6, "link.mms.submit_url", "its host or port"),
        (MM7 + 'submit_url = "http://ex!mple/"', 6, "link.mms.submit_url", "its host or port"),
        (
            MM7 + 'submit_url = "http://x/"\ntls_ca_file = "homing.toml"',
            7,
            "link.mms.tls_ca_file",
            "https://",
        ),
        (
            MM7 + 'submit_url = "https://x/"\ntls_server_name = "y"',
            7,
            "link.mms.tls_server_name",
            "submit_url",
        ),
        ('[[link]]\nname = "a b"\nkind = "simulator"', 2, "link.name", "letters, digits"),
        ('[[link]]\nname = "a\\n"\nkind = "simulator"', 2, "link.name", "letters, digits"),
        ('[[link]]\nkind = "simulator"', 1, "link.name", "a name of its own"),
    ],
)
def test_each_problem_has_its_line_its_key_and_a_hint(
    file: Path, text: str, line: int, key: str, said: str
) -> None:
    found = only(file, text)
    assert found[:2] == (line, key)
    assert said in found[2]


def test_names_of_links_differ_in_more_than_case(file: Path) -> None:
    line, key, text = only(file, SMSC + SMSC.replace("smsc", "SMSC", 1))
    assert (line, key) == (6, "link.SMSC.name")
    assert "line 1" in text


def test_a_bad_value_causes_no_second_problem(file: Path) -> None:
    assert only(file, "[push]\nlease_s = 10\ngive_up_s = 'x'")[1] == "push.give_up_s"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[node]\nid = \n", 2),
        ("[node]\nid = yes\n", 2),
        ("[node]\n\nid = 1\nid = 2\n", 4),
        ("[node]\n[http\n", 2),
        ('a = """\n\n\n', 3),
        ("a = 1 b = 2", 1),
    ],
)
def test_what_is_not_toml_is_said_with_its_line(file: Path, text: str, line: int) -> None:
    found = only(file, text)
    assert found[0] == line
    assert "is not TOML: " in found[2]
    assert "(at " not in found[2]


def test_octets_that_are_no_text_and_files_that_are_none(file: Path) -> None:
    file.write_bytes(b"[node]\n# \xff\n")
    assert check(file, {}) == [Problem(str(file), 2, "", "is not UTF-8 here", "save the file as UTF-8")]
    file.write_text("a = " + "[" * 100_000)
    assert [problem.text for problem in check(file, {})] == ["is nested too deeply"]
    file.write_text("[node]\nid = " + "9" * 5000)
    assert len(check(file, {})) == 1
    missing = file.with_name("none.toml")
    assert str(check(missing, {})[0]).startswith(f"{missing}: cannot be read: No such file or directory")
    assert "Is a directory" in check(file.parent, {})[0].text


def test_windows_line_ends_and_a_byte_order_mark_are_survived(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf[node]\r\nid = 3\r\n")
    assert load(file, {}).node.id == 3


@settings(max_examples=150)
@given(
    st.sampled_from(
        [
            "SECTION__KEY",
            "NODE__ID",
            "NODE__DATA_DIR",
            "HTTP__LISTEN",
            "PUSH__MX_RETRY_S",
            "PUSH__CA_FILE",
            "LINK__SIM__PASSWORD_FILE",
            "LINK__SIM__STATUS_OVERRIDES",
            "LINK__SIM__RECEIPT_TIMEZONE",
        ]
    ),
    st.text(max_size=12),
)
def test_any_environment_is_read_or_refused(name: str, value: str) -> None:
    for problem in check(None, {f"HOMING_{name}": value}):
        assert problem.text


@settings(max_examples=100)
@given(text=st.text(max_size=60) | st.text("[]link.ode=\n\"'{}1 ", max_size=60))
def test_any_file_is_read_or_refused(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.getbasetemp() / "any.toml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    for problem in check(file, {}):
        assert problem.text


# -- which file; addresses


def test_which_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_file(None, {}) is None
    Path("homing.toml").write_text("")
    assert find_file(None, {}) == Path("homing.toml")
    assert find_file(None, {"HOMING_CONFIG": "other.toml"}) == Path("other.toml")
    assert find_file(Path("x.toml"), {"HOMING_CONFIG": "other.toml"}) == Path("x.toml")
    assert (
        load(find_file(None, {}), os.environ | {"HOMING_CONFIG": ""}).node.data_dir
        == tmp_path / "homing-data"
    )


def test_addresses_to_listen_at() -> None:
    assert host_and_port("127.0.0.1:8080") == ("127.0.0.1", 8080)
    assert host_and_port("[::1]:0") == ("::1", 0)
    assert host_and_port("localhost:1") == ("localhost", 1)
    for wrong in ("", "8080", ":8080", "h:", "h:x", "h:-1", "h:65536", "::1:80", "[x]:80", "a b:1", "h:١"):
        with pytest.raises(ValueError):  # noqa: PT011
            host_and_port(wrong)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[pop3]\nlisten_tls = "127.0.0.1:8995"\n', "pop3.listen_tls"),
        ('[pop3]\nlisten = "127.0.0.1:8110"\nrequire_tls = true\n', "pop3.require_tls"),
        ("[node]\nevent_retention_d = 10\n", "mailbox.retention_d"),
        ("[mms]\nretention_d = 91\n", "mms.retention_d"),
        ('[smtp]\nhost = "mail"\nfrom = "nobody"\n', "smtp.from"),
        ('[smtp]\npassword = "x"\n', "smtp.password"),
    ],
)
def test_what_is_wrong_between_sections(tmp_path: Path, text: str, key: str) -> None:
    file = tmp_path / "homing.toml"
    file.write_text(text)
    assert [problem.key for problem in check(file, {})] == [key]


@pytest.mark.parametrize("store", ["local", "s3://bucket", "s3://a.b-c/", "s3://bucket/a/b_c/D.e"])
def test_a_content_store_is_local_or_a_bucket(tmp_path: Path, store: str) -> None:
    file = tmp_path / "homing.toml"
    file.write_text(f'[mms]\nstore = "{store}"\n')
    assert load(file, {}).mms.store == store


def test_a_key_may_be_a_word_of_the_language(tmp_path: Path) -> None:
    file = tmp_path / "homing.toml"
    file.write_text('[smtp]\nfrom = "homing@example.net"\n')
    assert load(file, {}).smtp.sender == "homing@example.net"
    assert load(file, {"HOMING_SMTP__FROM": "other@example.net"}).smtp.sender == "other@example.net"


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('prices = {"44" = 0.12345}', "credits.prices"),
        ('prices = {"x" = 1}', "credits.prices"),
        ('prices = {"44" = -1}', "credits.prices"),
        ("price = 1e9", "credits.price"),
    ],
)
def test_prices_are_amounts_for_prefixes(tmp_path: Path, line: str, key: str) -> None:
    file = tmp_path / "homing.toml"
    file.write_text(f"[credits]\n{line}\n")
    assert [problem.key for problem in check(file, {})] == [key]
    file.write_text('[credits]\nprice = 2\nprices = {"44" = 0.8}\n')
    assert load(file, {}).credits.prices == {"44": 0.8}
