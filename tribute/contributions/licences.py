"""Is this a licence that SPDX knows?"""

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from tribute.errors import ContributionError


def canonical_licence(expression: str) -> str:
    """The SPDX expression in its canonical spelling. Raises ContributionError where SPDX knows none such."""
    try:
        return canonicalize_license_expression(expression)
    except InvalidLicenseExpression as error:
        raise ContributionError(
            f"unknown licence {expression!r}; expected an SPDX expression such as CC-BY-4.0 or MIT "
            "(https://spdx.org/licenses)"
        ) from error


def check_licence(expression: str, allowed: tuple[str, ...], dataset: str) -> str:
    """The canonical expression, if the dataset takes it (`allowed` empty: any). Raises ContributionError."""
    licence = canonical_licence(expression)
    if allowed and licence not in allowed:
        raise ContributionError(f"licence {licence} is not one that dataset {dataset} takes: {', '.join(allowed)}")
    return licence
