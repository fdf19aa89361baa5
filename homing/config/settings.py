"""The settings of a node: one frozen struct per section of ``homing.toml``.

This is the one source of truth: the reader checks by these types, ``homing init`` and the reference page
are printed from them. A new section is a new struct and a field in ``Settings``; a new key is one field.
"""

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from homing.config.link import LinkSettings
from homing.config.section import Section, Wait, about


class NodeSettings(Section, frozen=True, kw_only=True):
    """The running gateway itself and where it keeps what it knows."""

    id: Annotated[int, about("Number of this node; every node of one store has its own.", ge=0, le=1023)] = 0
    data_dir: Annotated[Path, about("Directory of the node's data; made at the first start.")] = Path(
        "homing-data"
    )
    store: Annotated[
        str,
        about(
            '"sqlite" keeps everything in data_dir; a URL like "postgresql://user:password@host/homing" '
            "keeps it in PostgreSQL.",
            pattern=r"^(sqlite|(sqlite|postgresql)(\+[a-z0-9_]+)?://.*)\Z",
            secret=True,
        ),
    ] = "sqlite"
    drain_s: Annotated[
        float, about("After SIGTERM, time to finish what is in flight before the node ends.", ge=0)
    ] = 30.0
    migrate: Annotated[
        bool, about("Bring an older store up to date at the start, as `homing migrate` does.")
    ] = False
    event_retention_d: Annotated[
        int, about("How long events that are done stay to be seen and replayed.", ge=1)
    ] = 90

    @property
    def store_url(self) -> str:
        """The store as a URL: what ``sqlite`` stands for, else as written."""
        return f"sqlite:///{self.data_dir / 'homing.db'}" if self.store == "sqlite" else self.store


class HttpSettings(Section, frozen=True, kw_only=True):
    """The listeners that customers and operators speak HTTP to."""

    listen: Annotated[str, about('Address and port for plain HTTP; "" = no plain listener.')] = (
        "127.0.0.1:8080"
    )
    listen_tls: Annotated[
        str, about("Address and port for HTTPS.", sample="127.0.0.1:8443", unset="no HTTPS listener")
    ] = ""
    tls_certificate: Annotated[
        Path | None,
        about(
            "Certificate chain for HTTPS (PEM); read again on SIGHUP.",
            sample="tls/homing.crt",
            unset="none",
            must_exist=True,
        ),
    ] = None
    tls_key: Annotated[
        Path | None,
        about(
            "Private key of the certificate (PEM); read again on SIGHUP.",
            sample="tls/homing.key",
            unset="none",
            must_exist=True,
        ),
    ] = None
    trusted_proxies: Annotated[
        tuple[str, ...],
        about(
            "Addresses or networks whose X-Forwarded-For is believed.",
            sample=["10.0.0.0/8"],
            unset="nobody's is",
        ),
    ] = ()
    max_body_bytes: Annotated[int, about("Longer request bodies are refused with 413.", ge=1024)] = 1_048_576
    max_connections: Annotated[int, about("Connections open at once, over both listeners.", ge=1)] = 1000
    idle_timeout_s: Annotated[int, about("A connection with nothing to say is closed after this.", ge=1)] = 60


class Pop3Settings(Section, frozen=True, kw_only=True):
    """The mailbox by POP3: events as mails, for any mail program."""

    listen: Annotated[
        str,
        about("Address and port for POP3, STLS included.", sample="127.0.0.1:8110", unset="no POP3 listener"),
    ] = ""
    listen_tls: Annotated[
        str,
        about("Address and port for POP3 over TLS.", sample="127.0.0.1:8995", unset="no POP3S listener"),
    ] = ""
    tls_certificate: Annotated[
        Path | None,
        about(
            "Certificate chain (PEM); read again on SIGHUP.",
            sample="tls/homing.crt",
            unset="that of [http]",
            must_exist=True,
        ),
    ] = None
    tls_key: Annotated[
        Path | None,
        about(
            "Private key of the certificate (PEM); read again on SIGHUP.",
            sample="tls/homing.key",
            unset="that of [http]",
            must_exist=True,
        ),
    ] = None
    require_tls: Annotated[bool, about("Refuse passwords before TLS has begun.")] = False
    max_connections: Annotated[int, about("Connections open at once, over both listeners.", ge=1)] = 1000
    max_connections_per_address: Annotated[
        int, about("Connections open at once from one client address.", ge=1)
    ] = 250
    idle_timeout_s: Annotated[
        int, about("A session with nothing to say is closed after this, without deleting.", ge=600)
    ] = 600


class MailboxSettings(Section, frozen=True, kw_only=True):
    """The pull side of an account, read by SOAP, POP3 and REST."""

    poll_interval_s: Annotated[
        int,
        about("A customer may look for news so often, and ask for one tracking id; 0 = at any time.", ge=0),
    ] = 120
    retention_d: Annotated[
        int, about("How long events stay in the mailbox, read or not; not above event_retention_d.", ge=1)
    ] = 30
    max_session: Annotated[
        int,
        about("Mails that one POP3 session lists, the oldest first; the next one the rest.", ge=300),
    ] = 10000
    domain: Annotated[
        str,
        about(
            "Domain of the addresses of numbers in mails.",
            sample="sms.example.net",
            pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?\Z",
        ),
    ] = "homing.invalid"


class SmtpSettings(Section, frozen=True, kw_only=True, rename={"sender": "from"}):
    """The relay that mails to e-mail endpoints leave through."""

    host: Annotated[
        str, about("Name or address of the relay.", sample="mail.example.net", unset="no e-mail endpoints")
    ] = ""
    port: Annotated[int, about("Its port: 25, 587 with starttls, 465 with tls.", ge=1, le=65535)] = 25
    tls: Annotated[
        Literal["none", "starttls", "tls"],
        about("Whether the connection is secured, and from when on.", sample="starttls"),
    ] = "none"
    user: Annotated[str, about("User at the relay.", sample="homing", unset="no login")] = ""
    password: Annotated[str, about("Password at the relay.", sample="s3cret", unset="none", secret=True)] = ""
    sender: Annotated[
        str,
        about(
            "Address that mails are sent from, and that errors return to.",
            sample="homing@example.net",
            unset="homing@ the domain of [mailbox]",
        ),
    ] = ""
    ca_file: Annotated[
        Path | None,
        about(
            "Certificates (PEM) to verify the relay by.",
            sample="tls/relay-ca.pem",
            unset="the system's",
            must_exist=True,
        ),
    ] = None
    connections: Annotated[int, about("Connections to the relay at once.", ge=1, le=100)] = 4


class PushSettings(Section, frozen=True, kw_only=True):
    """Towards customers: how events are pushed to their endpoints."""

    source_address: Annotated[
        str,
        about(
            "Local address that pushes leave from; customers' firewalls may know it.",
            sample="192.0.2.10",
            unset="the system chooses",
        ),
    ] = ""
    allow_private_networks: Annotated[
        bool, about("Allow endpoints at private and loopback addresses: for laptops and tests.")
    ] = False
    ca_file: Annotated[
        Path | None,
        about(
            "Certificates (PEM) to verify endpoints by.",
            sample="tls/customers-ca.pem",
            unset="the system's",
            must_exist=True,
        ),
    ] = None
    expect_s: Annotated[float, about("An answer slower than this is counted and shown as slow.", gt=0)] = 10.0
    give_up_s: Annotated[float, about("An attempt without a whole answer ends after this.", gt=0)] = 60.0
    lease_s: Annotated[
        float,
        about(
            "A delivery that a crashed node was working on falls due again after this; above give_up_s.", gt=0
        ),
    ] = 75.0
    mx_retry_s: Annotated[
        tuple[Wait, ...],
        about("Waits between attempts in mx and mx-mms; one attempt more than waits, then a dead letter."),
    ] = (30, 60, 120, 240, 480, 960, 1920, 3840, 7680)
    json_retry_s: Annotated[
        tuple[Wait, ...],
        about("Waits between attempts in the json format; one attempt more than waits, then a dead letter."),
    ] = (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
    upside_retry_s: Annotated[
        tuple[Wait, ...],
        about("The same in the upside format; one attempt more than waits, then a dead letter."),
    ] = (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
    email_retry_s: Annotated[
        tuple[Wait, ...],
        about("The same for mails; one attempt more than waits, then a dead letter."),
    ] = (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
    dead_retention_d: Annotated[int, about("How long dead letters stay to be replayed.", ge=1)] = 30
    max_answer_bytes: Annotated[int, about("What is read of an endpoint's answer at most.", ge=512)] = 65536
    max_in_memory: Annotated[int, about("Deliveries held in memory; the others wait in the store.", ge=1)] = (
        20000
    )
    max_in_memory_per_endpoint: Annotated[
        int, about("Deliveries held in memory for one endpoint; the others wait in the store.", ge=1)
    ] = 2000


class SubmitSettings(Section, frozen=True, kw_only=True):
    """Limits of what customers submit."""

    max_bulk: Annotated[int, about("Recipients in one bulk submission.", ge=1)] = 10000
    login_failures_per_min: Annotated[
        int, about("Wrong passwords per account and per client address before both are made to wait.", ge=1)
    ] = 10


class CreditsSettings(Section, frozen=True, kw_only=True):
    """What submissions cost accounts that have a credit line."""

    price: Annotated[float, about("Credits for a segment, where no prefix says otherwise.", ge=0)] = 1.0
    prices: Annotated[
        dict[str, Annotated[float, msgspec.Meta(ge=0)]],
        about(
            "The same by the beginning of the recipient's number; the longest that fits wins.",
            sample={"44": 0.8},
            allowed="a table of prefixes, each with a price",
            unset="price for all",
        ),
    ] = msgspec.field(default_factory=dict)
    mms_price: Annotated[float, about("Credits for an MMS, whatever is in it.", ge=0)] = 1.0


class MmsSettings(Section, frozen=True, kw_only=True):
    """Contents of MMS: where they are kept, for how long, and how large they may be."""

    store: Annotated[
        str,
        about(
            '"local" keeps contents in a directory; a URL like "s3://bucket/prefix" where S3 is spoken.',
            pattern=r"^(local|s3://[a-z0-9][a-z0-9.-]{1,62}(/[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}){0,8}/?)\Z",
            allowed='"local" or a URL like "s3://bucket/prefix"',
        ),
    ] = "local"
    directory: Annotated[
        Path | None,
        about(
            "Directory of contents, which nodes of one store share; with S3 of those on their way only.",
            sample="mms",
            unset="mms in data_dir",
        ),
    ] = None
    s3_endpoint: Annotated[
        str,
        about(
            "Address of the S3 service.",
            pattern=r"^(https?://[^\s@]+)?\Z",
            sample="https://s3.example.net",
            unset="that of AWS",
        ),
    ] = ""
    s3_region: Annotated[str, about("Region of the bucket.", pattern=r"^[a-z0-9-]{1,40}\Z")] = "us-east-1"
    s3_access_key_id: Annotated[
        str, about("Name of the access key.", sample="homing", unset="that of the environment")
    ] = ""
    s3_secret_access_key: Annotated[
        str, about("The access key.", sample="s3cret", unset="that of the environment", secret=True)
    ] = ""
    retention_d: Annotated[
        float, about("How long a content can be retrieved; a day more after a late push.", ge=1)
    ] = 7.0
    max_message_bytes: Annotated[
        int, about("A larger MMS is refused, in each direction.", ge=1024, le=1 << 30)
    ] = 10_485_760
    max_part_bytes: Annotated[int, about("The same for one part of it.", ge=1024, le=1 << 30)] = 10_485_760
    fetch_s: Annotated[float, about("Time to fetch a content from the url of a SendMMS.", ge=1, le=300)] = (
        30.0
    )
    public_url: Annotated[
        str,
        about(
            "How customers reach this gateway, for the links of parts in json pushes.",
            pattern=r"^(https?://[^\s@?#]+)?\Z",
            sample="https://gateway.example.net",
            unset="the address of [http] listen",
        ),
    ] = ""
    link_s: Annotated[int, about("How long such a link may be used.", ge=60, le=604_800)] = 3600


class IntakeSettings(Section, frozen=True, kw_only=True):
    """Patience with what the network says."""

    reassembly_s: Annotated[
        float, about("Wait for missing parts of a long message before it goes out marked partial.", gt=0)
    ] = 1800.0
    parked_receipt_h: Annotated[
        float, about("A receipt that matches no submission yet is kept this long.", gt=0)
    ] = 72.0
    unmatched_alarm_share: Annotated[
        float, about("Raise an alarm when more than this share of receipts stays unmatched.", ge=0, le=1)
    ] = 0.05


class LogSettings(Section, frozen=True, kw_only=True):
    """What the node writes to stderr."""

    level: Annotated[Literal["debug", "info", "warning", "error"], about("Least level that is written.")] = (
        "info"
    )
    format: Annotated[
        Literal["console", "json"], about("For people (console) or for machines (json, one object a line).")
    ] = "console"


class SimulatorSettings(Section, frozen=True, kw_only=True):
    """The built-in network simulator, which links of kind "simulator" are connected to."""

    listen: Annotated[
        str,
        about(
            "Address and port of its SMPP listener.",
            sample="127.0.0.1:2775",
            unset="an unused port on loopback",
        ),
    ] = ""
    latency_ms: Annotated[int, about("Time it takes to answer a submit_sm.", ge=0)] = 10
    report_delay_ms: Annotated[int, about("Time from its answer to the delivery receipt.", ge=0)] = 500


DEFAULT_LINKS: tuple[LinkSettings, ...] = (
    LinkSettings(name="sim", kind="simulator"),
    LinkSettings(name="mms", kind="mm7", submit_url="simulator", addresses=("127.0.0.1", "::1")),
)
"""The links of a node whose configuration has none: one for SMS, one for MMS, both to simulators."""


class Settings(Section, frozen=True, kw_only=True):
    """Everything a node is told. ``Settings()`` is a node on a laptop, with simulators as its links."""

    node: NodeSettings = NodeSettings()
    http: HttpSettings = HttpSettings()
    pop3: Pop3Settings = Pop3Settings()
    mailbox: MailboxSettings = MailboxSettings()
    smtp: SmtpSettings = SmtpSettings()
    push: PushSettings = PushSettings()
    submit: SubmitSettings = SubmitSettings()
    credits: CreditsSettings = CreditsSettings()
    mms: MmsSettings = MmsSettings()
    intake: IntakeSettings = IntakeSettings()
    log: LogSettings = LogSettings()
    simulator: SimulatorSettings = SimulatorSettings()
    link: tuple[LinkSettings, ...] = DEFAULT_LINKS


SECTIONS: dict[str, type[Section]] = {
    field.name: field.type for field in msgspec.structs.fields(Settings) if field.name != "link"
} | {"link": LinkSettings}
"""Section name -> its struct, in the order of the file. ``link`` is the one that may stand several times."""
