"""What the server is told of things that happen outside of runs, so that deployments may follow: see prefect.yaml."""

from prefect.events import emit_event

from tribute.ids import parse_tag

RELEASED = "tribute.dataset.released"
DATASET = "tribute.dataset."


def tell_of_release(tag: str) -> None:
    """Tell the server that a dataset version was released."""
    name, version = parse_tag(tag)
    resource = {"prefect.resource.id": f"{DATASET}{name}", "prefect.resource.name": name}
    emit_event(RELEASED, resource, payload={"tag": tag, "version": str(version)})
