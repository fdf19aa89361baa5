"""The settings of one link, ``[[link]]``: SMPP 3.4 or MM7 towards a network, or the simulator."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from homing.config.section import Octet, Section, about
from homing.model import networks
from homing.model.report import Status


class LinkSettings(Section, frozen=True, kw_only=True):
    """One connection towards a network; write [[link]] once per connection."""

    name: Annotated[
        str,
        about(
            "Name of the link: letters, digits, - and _.", pattern=r"^[A-Za-z0-9_-]{1,64}\Z", sample="smsc"
        ),
    ]
    kind: Annotated[
        Literal["smpp", "mm7", "simulator"],
        about("An SMPP 3.4 connection, MM7 with an MMS relay, or the built-in simulator."),
    ] = "smpp"
    host: Annotated[str, about("Name or address of the SMSC.", sample="smsc.example.net")] = ""
    port: Annotated[int, about("Port of the SMSC.", ge=1, le=65535)] = 2775
    system_id: Annotated[str, about("The name to bind with.", pattern=r"^[ -~]{0,64}\Z", sample="homing")] = (
        ""
    )
    password: Annotated[
        str,
        about("The password to bind with.", pattern=r"^[ -~]{0,64}\Z", secret=True, sample="secret"),
    ] = ""
    system_type: Annotated[
        str, about("The system_type to bind with, if the SMSC wants one.", pattern=r"^[ -~]{0,12}\Z")
    ] = ""
    bind: Annotated[
        Literal["transceiver", "transmitter+receiver"],
        about("One session both ways, or a pair of sessions, one for each way."),
    ] = "transceiver"
    binds: Annotated[
        int,
        about("Sessions to this SMSC, opened by every node; pairs with transmitter+receiver.", ge=1, le=1000),
    ] = 1
    window: Annotated[
        int, about("Submissions under way on one session without an answer.", ge=1, le=10000)
    ] = 10
    enquire_link_s: Annotated[float, about("After this much silence the line is tested.", gt=0)] = 30.0
    response_timeout_s: Annotated[
        float, about("A request unanswered for this long counts as lost and the session is reopened.", gt=0)
    ] = 60.0
    bind_timeout_s: Annotated[float, about("Time for connecting, TLS and the answer to the bind.", gt=0)] = (
        30.0
    )
    reconnect_min_s: Annotated[float, about("First wait before connecting again; it doubles.", gt=0)] = 0.5
    reconnect_max_s: Annotated[float, about("Longest wait before connecting again.", gt=0)] = 30.0
    tls: Annotated[bool, about("Speak TLS to the SMSC.", sample=True)] = False
    tls_verify: Annotated[bool, about("Verify the SMSC's certificate; false only for tests.")] = True
    tls_ca_file: Annotated[
        Path | None,
        about(
            "Certificates (PEM) to verify the SMSC by.",
            sample="tls/smsc-ca.pem",
            unset="the system's",
            must_exist=True,
        ),
    ] = None
    tls_certificate: Annotated[
        Path | None,
        about(
            "Our own certificate (PEM), if the SMSC wants one.",
            sample="tls/link.crt",
            unset="none",
            must_exist=True,
        ),
    ] = None
    tls_key: Annotated[
        Path | None,
        about("Private key of our certificate (PEM).", sample="tls/link.key", unset="none", must_exist=True),
    ] = None
    tls_server_name: Annotated[
        str, about("Name that the certificate must carry.", sample="smsc.example.net", unset="that of host")
    ] = ""
    throughput_per_s: Annotated[
        float, about("Most submissions on this link, over all its sessions.", ge=0, unset="no limit")
    ] = 0.0
    default_alphabet: Annotated[
        Literal["gsm", "latin1", "latin9", "ascii"], about("What data_coding 0 means to this SMSC.")
    ] = "gsm"
    payload: Annotated[
        Literal["short_message", "message_payload"], about("Where the text travels in a submit_sm.")
    ] = "short_message"
    source_ton: Annotated[
        Octet | None, about("Type of number of the sender.", sample=5, unset="the sender's form decides")
    ] = None
    source_npi: Annotated[
        Octet | None, about("Numbering plan of the sender.", sample=0, unset="the sender's form decides")
    ] = None
    dest_ton: Annotated[Octet, about("Type of number of the recipient; 1 = international.")] = 1
    dest_npi: Annotated[Octet, about("Numbering plan of the recipient; 1 = E.164.")] = 1
    service_type: Annotated[
        str,
        about("The service_type of every submit_sm.", pattern=r"^[ -~]{0,5}\Z", sample="CMT", unset="empty"),
    ] = ""
    prefixes: Annotated[
        tuple[str, ...],
        about(
            "Beginnings of the numbers that take this link; the longest match wins.",
            sample=["44"],
            unset="numbers that no other link's prefix fits",
        ),
    ] = ()
    network: Annotated[
        str,
        about(
            "Network code that messages received here carry to customers.",
            pattern=rf"^({networks.FORM})?\Z",
            sample="BTCELLNETUK",
            unset="that of carrier_code, if it is known",
        ),
    ] = ""
    carrier_code: Annotated[
        str,
        about(
            "MCC and MNC of that network, 5 or 6 digits.",
            pattern=rf"^({networks.CARRIER_CODE_FORM})?\Z",
            sample="23415",
            unset="none",
        ),
    ] = ""
    network_tlv: Annotated[
        int,
        about(
            "Tag of the TLV in which this SMSC says MCC and MNC of the sender's network, as digits; "
            "they win over carrier_code and network.",
            ge=0,
            le=0xFFFF,
            sample=0x1403,
            unset="none",
        ),
    ] = 0
    receipt_timezone: Annotated[
        str, about("Time zone of the dates in this SMSC's receipts.", sample="Europe/London")
    ] = "UTC"
    status_overrides: Annotated[
        dict[str, Status],
        about(
            "What words of this network mean, where it differs from the table of statuses; any case.",
            allowed='a table of words, each "BUFFERED", "DELIVERED", "FAILED", "REJECTED" or "UNKNOWN"',
            sample={"0": "DELIVERED"},
            unset="nothing differs",
        ),
    ] = msgspec.field(default_factory=dict)
    no_receipt_after_h: Annotated[
        float, about("A submission that hears nothing for this long ends UNKNOWN.", gt=0)
    ] = 72.0
    user: Annotated[
        str,
        about(
            "User that the relay logs in with, and we at the relay (mm7).",
            pattern=r"^[ -9;-~]{0,64}\Z",
            sample="relay",
            unset="none",
        ),
    ] = ""
    addresses: Annotated[
        tuple[str, ...],
        about(
            "Addresses or networks that the relay may come from (mm7).",
            sample=["192.0.2.0/24"],
            unset="any",
        ),
    ] = ()
    submit_url: Annotated[
        str,
        about(
            'Where the relay takes MMS (mm7); "simulator" = a simulated one in this node.',
            pattern=r"^(simulator|https?://[^\s@#]+)?\Z",
            sample="https://mmsc.example.net/mm7",
            unset="MMS are only received here",
        ),
    ] = ""
    vasp_id: Annotated[
        str, about("VASPID that the relay knows us by (mm7).", pattern=r"^[ -~]{0,64}\Z", sample="homing")
    ] = ""
    vas_id: Annotated[str, about("VASID, if the relay wants one (mm7).", pattern=r"^[ -~]{0,64}\Z")] = ""
    network_element: Annotated[
        str,
        about(
            "Name of the element in which this relay says MCC and MNC of the sender's network (mm7).",
            pattern=r"^[A-Za-z_][A-Za-z0-9._-]{0,63}\Z|^\Z",
            sample="MccMnc",
            unset="none",
        ),
    ] = ""
    mm7_namespace: Annotated[str, about("Namespace of what we send (mm7).", pattern=r"^[!-~]{1,200}\Z")] = (
        "http://www.3gpp.org/ftp/Specs/archive/23_series/23.140/schema/REL-6-MM7-1-4"
    )
    mm7_version: Annotated[str, about("MM7Version of what we send (mm7).", pattern=r"^[0-9.]{1,20}\Z")] = (
        "6.8.0"
    )
    id_scope: Annotated[
        str,
        about(
            "Receipts are matched within one scope: one account at one SMSC. "
            "The same word on two links joins them.",
            sample="homing@smsc.example.net:2775",
            unset="system_id@host:port, or name@mm7",
        ),
    ] = ""

    def __post_init__(self) -> None:
        simulated = self.kind == "simulator"
        force = msgspec.structs.force_setattr
        if simulated and not self.system_id:
            force(self, "system_id", self.name)
        if not self.id_scope:
            place = "simulator" if simulated else f"{self.host}:{self.port}"
            force(self, "id_scope", f"{self.name}@mm7" if self.kind == "mm7" else f"{self.system_id}@{place}")
        force(
            self, "prefixes", tuple(prefix.removeprefix("+").removeprefix("00") for prefix in self.prefixes)
        )
