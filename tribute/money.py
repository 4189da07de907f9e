"""Amounts of money as integers in minor units. Knows nothing of who is paid.

One minor unit is 10^-exponent of the currency: 1 cent for EUR, 1 yen for JPY, 1 wei for ETH.
Amounts are read from text and written as text; no float is ever between the two.
"""

import re

from tribute.errors import RewardError

_NONE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_TWO = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP
    CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS
    INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN
    MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE
    SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR
    ZMW ZWG
"""
_THREE = "BHD IQD JOD KWD LYD OMR TND"
_FOUR = "CLF UYW"

EXPONENTS: dict[str, int] = {
    **dict.fromkeys(_NONE.split(), 0),
    **dict.fromkeys(_TWO.split(), 2),
    **dict.fromkeys(_THREE.split(), 3),
    **dict.fromkeys(_FOUR.split(), 4),
    "USDC": 6,
    "ETH": 18,
}
"""Currency → digits after the point: ISO 4217 currencies in use, and two that ISO does not list."""

# At most 30 digits before the point: more is a slip of the keyboard, not a pool.
_PLAIN = re.compile(r"(?:0|[1-9][0-9]{0,29})(?:\.([0-9]{1,30}))?")


def exponent(currency: str) -> int:
    """Digits after the point of a currency. Raises RewardError where it is unknown."""
    if currency not in EXPONENTS:
        raise RewardError(
            f"currency {currency!r} is unknown; use an ISO 4217 code in capitals such as EUR, JPY or KWD, "
            "or USDC or ETH"
        )
    return EXPONENTS[currency]


def parse_amount(text: str, currency: str) -> int:
    """A positive amount in minor units: `"1000.00", "EUR"` → 100000. Raises RewardError."""
    return _parsed(text, currency, text, "positive decimal; write it like 1000.00, without sign, exponent")


def parse_signed(text: str, currency: str) -> int:
    """Like `parse_amount`, of an amount that may have a sign: `"-1.50", "EUR"` → -150."""
    plain = text[1:] if text[:1] in ("+", "-") else text
    minor = _parsed(text, currency, plain, "decimal; write it like 1000.00 or -1000.00, without exponent")
    return -minor if text[:1] == "-" else minor


def _parsed(text: str, currency: str, plain: str, expected: str) -> int:
    """`plain` in minor units; messages speak of `text`, as it was given."""
    digits = exponent(currency)
    match = _PLAIN.fullmatch(plain)
    if match is None:
        raise RewardError(f"amount {text!r} is not a plain {expected}, spaces or thousands separators")
    fraction = match[1] or ""
    if len(fraction) > digits:
        raise RewardError(
            f"amount {text!r} has {len(fraction)} decimals, {currency} has {digits}; round it to {digits}"
        )
    minor = int(plain.partition(".")[0] + fraction.ljust(digits, "0"))
    if minor == 0:
        raise RewardError(f"amount {text!r} is zero; give at least one minor unit of {currency}")
    return minor


def format_amount(minor: int, currency: str, *, grouped: bool = False) -> str:
    """The amount in major units: `100000, "EUR"` → `"1000.00"`, or `"1,000.00"` when grouped for people."""
    digits = exponent(currency)
    whole, fraction = divmod(abs(minor), 10**digits)
    sign = "-" if minor < 0 else ""
    text = f"{sign}{whole:,}" if grouped else f"{sign}{whole}"
    return f"{text}.{fraction:0{digits}d}" if digits else text
