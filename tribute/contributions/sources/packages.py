"""The open-source packages installed beside Tribute as contributors: where they lie, and who they are."""

import sysconfig
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from platform import python_version

from tribute.contributions.intake.submissions import Submission
from tribute.contributions.sources.docs_topics import PACKAGES, PYTHON, Package
from tribute.contributions.sources.jsonl import write_jsonl
from tribute.errors import ContributionError

HOME_PAGES = ("homepage", "home", "home-page", "repository", "source", "source code", "github", "code")


def chosen_packages(names: Sequence[str]) -> list[Package]:
    """The packages with these ids, or all that are installed. Raises ContributionError for one that is not there."""
    known = {package.id: package for package in PACKAGES}
    for name in names:
        if name not in known:
            raise ContributionError(f"the docs source does not know package {name!r}; it knows {', '.join(known)}")
        if not is_installed(known[name]):
            raise ContributionError(f"package {name} is not installed; install it or leave it out of the source")
    chosen = [package for package in PACKAGES if (package.id in names if names else is_installed(package))]
    if not chosen:
        raise ContributionError("none of the packages of the docs source is installed; install Tribute anew")
    return chosen


def is_installed(package: Package) -> bool:
    """Whether the package can be read here."""
    return package.id == PYTHON or any(True for _ in metadata.distributions(name=package.id))


def package_root(package: Package) -> Path:
    """The folder that a package's module paths start from."""
    if package.id == PYTHON:
        return Path(sysconfig.get_path("stdlib"))
    return Path(str(metadata.distribution(package.id).locate_file(package.folder))).resolve()


def submit(folder: Path, package: Package, dataset: str, rows: Sequence[Mapping[str, object]]) -> Submission:
    """Write a package's rows; what to contribute, with its licence, version and home page."""
    file = write_jsonl(folder / f"{package.id}.jsonl", rows)
    if package.id == PYTHON:
        home = "https://www.python.org"
        return Submission(file, PYTHON, dataset, package.licence, "Python", version_of(package), home)
    about = metadata.metadata(package.id)
    licence = licence_of(package)
    return Submission(file, package.id, dataset, licence, about["Name"], version_of(package), _home_page(about))


def licence_of(package: Package) -> str:
    """The SPDX expression that the package declares; for older packages, which declare none, the table's."""
    if package.id == PYTHON:
        return package.licence
    return str((metadata.metadata(package.id).get_all("License-Expression") or [package.licence])[0])


def version_of(package: Package) -> str:
    """The version that is installed."""
    return python_version() if package.id == PYTHON else str(metadata.version(package.id))


def _home_page(distribution: metadata.PackageMetadata) -> str:
    links = [link.split(",", 1) for link in distribution.get_all("Project-URL") or ()]
    urls = {label.strip().lower(): url.strip() for label, url in links}
    named = [urls[label] for label in HOME_PAGES if label in urls]
    return str((distribution.get_all("Home-page") or named or list(urls.values()) or [""])[0])
