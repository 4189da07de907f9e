"""A dataset version's metadata for machines: MLCommons Croissant 1.0, JSON-LD (https://docs.mlcommons.org/croissant)."""

import json
from pathlib import Path
from typing import Any

from tribute.contributions.licences import licence_reference
from tribute.contributions.registry.snapshot import Snapshot
from tribute.contributions.registry.versions import Version
from tribute.contributions.releases.tables import ROWS
from tribute.digests import file_sha256
from tribute.ids import parse_tag

CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
PARTS = {"train": "rows that models may learn from", "evaluation": "sealed rows that models are measured with"}
MEANINGS = {
    "row_id": "contribution and line",
    "contribution_id": "the contribution that the row came with",
    "contributor_id": "pseudonym of who contributed it",
    "text": "the input, or prompt",
    "target": "the label, or response",
    "slice": "the part of the evaluation that the row belongs to",
    "text_sha256": "sha256 of the normalised input",
    "content_sha256": "sha256 of the normalised input and target",
}


def croissant_metadata(at: Snapshot, tag: str, version: Version, folder: Path) -> str:
    """`croissant.json` for a folder that holds the version's tables."""
    dataset, number = parse_tag(tag)
    contributions = at.contributions(dataset)
    licences = sorted({contribution.licence for contribution in contributions})
    people = sorted({item.contributor_id: item.name for item in contributions}.items())
    content = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": dataset,
        "description": f"{version.rows - version.excluded} rows for {at.schema(dataset).task} by "
        f"{version.contributors} contributors; {version.excluded} of {version.rows} rows were left out by screening.",
        "version": number.removeprefix("v"),
        "datePublished": version.released,
        "license": [licence_reference(licence) for licence in licences],
        "creator": [{"@type": "Person", "name": name, "identifier": id_} for id_, name in people],
        "url": f"urn:tribute:{tag}",
        "citeAs": f"{tag}, registry log {at.entries[-1].entry_hash}",
        "distribution": [_file(folder, part) for part in PARTS],
        "recordSet": [_records(part) for part in PARTS],
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _file(folder: Path, part: str) -> dict[str, Any]:
    name = f"{part}.parquet"
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "description": PARTS[part],
        "contentUrl": name,
        "contentSize": f"{(folder / name).stat().st_size} B",
        "encodingFormat": "application/x-parquet",
        "sha256": file_sha256(folder / name),
    }


def _records(part: str) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": part,
        "name": part,
        "description": PARTS[part],
        "key": {"@id": f"{part}/row_id"},
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{part}/{column}",
                "name": column,
                "description": MEANINGS[column],
                "dataType": "sc:Text",
                "source": {"fileObject": {"@id": f"{part}.parquet"}, "extract": {"column": column}},
            }
            for column in ROWS
        ],
    }
