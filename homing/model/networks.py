"""Network codes: the words of the MX interface for mobile networks, with country and MCC and MNC.

The codes are those of mx §13. An official list was never published, so another code may be used, and is only
warned of. MCC and MNC are those that public lists of ITU-T E.212 give to the network of that name
today; an empty column is a network that is gone, or that never had one of its own. Where a network has become
another one, its numbers stand with the one whose name they carry now.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

FORM: Final = "[A-Z0-9]{1,40}"
"""A network code, as a pattern."""
CARRIER_CODE_FORM: Final = "[0-9]{5,6}"
"""MCC and MNC in one word, as a pattern."""
_MCCMNC: Final = re.compile(r"([0-9]{3})[-: ]?([0-9]{2,3})(?![0-9])")
"""Digits as networks write them: 23410, 234-10, 234:10."""


class Network(NamedTuple):
    """One line of the table."""

    code: str
    country: str
    """ISO 3166-1, two letters."""
    name: str
    carrier_codes: tuple[str, ...]
    """MCC and MNC in one word, 5 or 6 digits."""


_TABLE: Final = """
TELSTRAAU          AU  Telstra                          50501 50511 50571 50572
BELLCA             CA  Bell Mobility                    302610 302640 302690
FIDOCA             CA  Fido                             302370
MTSCA              CA  Bell MTS                         302655 302660
ROGERSCA           CA  Rogers Wireless                  302320 302720 302721 302820 302920
SASKTELCA          CA  SaskTel                          302680 302681 302750 302780 302781
TELUSCA            CA  Telus Mobility                   302220 302221 302222 302361 302653 302657 302860
VIDEOTRONCA        CA  Videotron                        302500 302510 302520
VIRGINCA           CA  Virgin Mobile Canada
WINDCA             CA  Wind Mobile, now Freedom Mobile  302490 302491
BTCELLNETUK        GB  BT Cellnet, now O2               23402 23410 23411
THREEUK            GB  Three                            23420 23594
TMOBILEUK          GB  T-Mobile, now EE                 23430 23431 23432
O2IE               IE  O2, now Three
THREEIE            IE  Three                            27202 27205 27217
ACSUS              US  Alaska Communications            310050 310190
ALLTELUS           US  Alltel                           310054
ALLWESTUS          US  All West
APPALACHIANUS      US  Appalachian Wireless             310750 312120 312130 312910
ARCHWIRELESSUS     US  Arch Wireless
ATTUS              US  AT&T                             310030 310070 310080 310090 310150 310170 310280 310380 310410 310560 310670 310680 310950 311070 311090 311180 311190 312090 312680 313210
BLUEGRASSUS        US  Bluegrass Cellular
BOOSTUS            US  Boost Mobile
CELLCOMUS          US  Cellcom                          310510 310600 310620 311840 311850
CELLULARSOUTHUS    US  Cellular South, now C Spire      311230 311630
CENTENNIALUS       US  Centennial Wireless
CENTRALUS          US  Central Wireless
CHOICEUS           US  Choice Wireless                  310630 311040 311320 311550 312370
CINBELLUS          US  Cincinnati Bell                  310420
CINGULARUS         US  Cingular, now AT&T
COXUS              US  Cox                              311930
CRICKETUS          US  Cricket
CTCUS              US  CTC
DOBSONUS           US  Dobson
EAGLEUS            US  Eagle
ECITUS             US  ECIT
EDGEUS             US  Edge Wireless
ELEMENTUS          US  Element Mobile
FARMERSMUTUALUS    US  Farmers Mutual
GCIUS              US  GCI                              310430 311370
GENERALCOMUS       US  General Communication
GOLDENSTATEUS      US  Golden State Cellular
GOLDSTARUS         US  Gold Star
IMMIXUS            US  Immix Wireless
INLANDUS           US  Inland Cellular                  310580 313820
IOWAWIRELESSUS     US  Iowa Wireless
IVCUS              US  Illinois Valley Cellular         311340
METROCALLUS        US  Metrocall
METROPCSUS         US  MetroPCS, now Metro by T-Mobile  311660
MIDWESTUS          US  Midwest Wireless
NEXTECHUS          US  Nex-Tech Wireless                311100 312420
NEXTELUS           US  Nextel                           316010
NORTHCOASTUS       US  North Coast
NTELOSUS           US  nTelos                           312660
NUCLANATURITAUS    US  Nucla-Naturita, NNTC             313040
PACBELLUS          US  Pacific Bell
PLATEAUUS          US  Plateau Wireless                 310100
POCKETUS           US  Pocket Communications
REVOLUS            US  Revol Wireless                   312140
RURALCELUS         US  Rural Cellular
SOUTHCANAANUS      US  South Canaan
SOUTHCENTRALUTAHUS US  South Central Utah
SOUTHWESTBELLUS    US  Southwestern Bell
SPRINTUS           US  Sprint                           312240
SUNCOMUS           US  SunCom
SYRINGAUS          US  Syringa Wireless
THUMBUS            US  Thumb Cellular                   311050 311830
TMOBILEUS          US  T-Mobile                         310120 310160 310200 310210 310220 310230 310240 310250 310260 310270 310310 310490 310530 310660 310770 310800 310830 311260 311490 311870 311880 311882 311940 312190 312250 312530
TRITONPCSUS        US  Triton PCS
UNITABASINUS       US  Uintah Basin, as some spell it
UNITAHBASINUS      US  Uintah Basin, now Strata         310960 311860 312290
UNITEDWIRELESSUS   US  United Wireless                  311650
USCELLULARUS       US  U.S. Cellular                    310066 310730 311220 311580
VERIZONUS          US  Verizon                          310004 310005 310006 310010 310012 310013 310350 310590 310820 310890 310910 311012 311110 311270 311280 311390 311440 311480 311590 311800 311810 312770
VIAEROUS           US  Viaero Wireless                  310450 310740
VIRGINUS           US  Virgin Mobile USA                310053
WCENTRALUS         US  West Central Wireless            310180 311000
WESTERNWUS         US  Western Wireless
"""  # noqa: E501


def _read(table: str) -> tuple[Network, ...]:
    found = []
    for line in table.strip().splitlines():
        code, country, name, numbers = line[:18].strip(), line[19:21], line[23:56].strip(), line[56:].split()
        found.append(Network(code, country, name, tuple(numbers)))
    return tuple(found)


NETWORKS: Final[tuple[Network, ...]] = _read(_TABLE)
"""By country and code."""
CODES: Final = frozenset(network.code for network in NETWORKS)
_BY_CARRIER_CODE: Final[Mapping[str, str]] = {
    number: network.code for network in NETWORKS for number in network.carrier_codes
}


def is_network_code(text: str) -> bool:
    """Whether a word has the form of a network code: upper-case letters and digits."""
    return re.fullmatch(FORM, text) is not None


def is_carrier_code(text: str) -> bool:
    """Whether a word has the form of MCC and MNC."""
    return re.fullmatch(CARRIER_CODE_FORM, text) is not None


def doubt_about(code: str | None) -> str | None:
    """What to warn of when somebody sets this code; None = nothing."""
    if code is None or code in CODES:
        return None
    return f"{code} is not in the table of networks; it is used as it stands"


def network_of(carrier_code: str | None) -> str | None:
    """The code of the network with this MCC and MNC, when the table knows it."""
    return None if carrier_code is None else _BY_CARRIER_CODE.get(carrier_code)


def read_carrier_code(text: str) -> str | None:
    """MCC and MNC as a network says them, as one word of digits; None when there are none."""
    found = _MCCMNC.match(text.strip())
    return None if found is None else found[1] + found[2]
