"""IBANs with right check digits, of any country and any account number."""


def make_iban(country: str, account: str) -> str:
    """The IBAN of an account (A-Z and 0-9) in a country, whatever length that gives."""
    number = "".join(str(int(character, 36)) for character in f"{account}{country}00")
    return f"{country}{98 - int(number) % 97:02d}{account}"
