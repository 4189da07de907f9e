"""Start Prefect's server, a worker, MLflow, the service and the reports on this machine, until Ctrl-C."""

from typing import Annotated, Any, TypedDict

import typer

from tribute.cli._command import command
from tribute.cli._options import HERE, WorkspaceFolder
from tribute.cli._output import Output


class Stopped(TypedDict):
    addresses: dict[str, str]


def _port(help_: str) -> Any:
    return typer.Option(min=1, max=65535, metavar="PORT", help=help_)


@command
def up(
    workspace: WorkspaceFolder = HERE,
    prefect_port: Annotated[int, _port("Prefect's web page and API.")] = 4200,
    mlflow_port: Annotated[int, _port("MLflow's web page and API.")] = 5000,
    reports_port: Annotated[int, _port("The workspace's reports, read-only.")] = 8321,
    service_port: Annotated[int, _port("The paid models, as `tribute serve`, from the first release on.")] = 8080,
) -> Output[Stopped]:
    import os
    import sys

    from tribute.cli._checkout import checkout
    from tribute.cli._prefect import keep_loopback_off_proxies
    from tribute.cli._services import Ports, commands, environment, only_one
    from tribute.workspace import Workspace

    home, place = Workspace.open(workspace), checkout()
    ports = Ports(prefect_port, mlflow_port, reports_port, service_port)
    services = commands(home, ports, place)
    with only_one(home):
        ports.refuse_taken()
        keep_loopback_off_proxies()
        from tribute.cli._manager import Manager
        from tribute.server.reports import TOKEN

        shell = environment(os.environ, home, ports, place)
        manager = Manager()
        for name, line in services.items():
            manager.add_process(name, line, env=shell, cwd=str(place))
        for name, address in ports.addresses().items():
            shown = address + {"reports": f"/?token={shell[TOKEN]}", "service": "/v1"}.get(name, "")
            print(f"{name}: {shown}", file=sys.stderr)
        print("Ctrl-C stops all of them", file=sys.stderr, flush=True)
        manager.loop()
    return Output({"addresses": ports.addresses()}, ["stopped"])
