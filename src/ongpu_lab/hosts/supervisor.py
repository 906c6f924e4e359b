"""The process that holds a lab: `python -m ongpu_lab.hosts.supervisor LAB-DIRECTORY LAB-ID`, started by capsule.start.

It is the lab: its network, mounts and processes are in its namespaces and end with it, by whatever it dies.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from ongpu_lab.errors import LabError
from ongpu_lab.hosts import control, network, relay, ssh, vendor
from ongpu_lab.hosts.assemble import machine
from ongpu_lab.hosts.capsule import private_run
from ongpu_lab.hosts.machine import Machine
from ongpu_lab.hosts.paths import LabDir
from ongpu_lab.hosts.state import State, load

Handler = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


class Supervisor:
    def __init__(self, lab: LabDir, state: State) -> None:
        self.lab = lab
        self.state = state
        self.machines: dict[str, Machine] = {}
        self.site: asyncio.subprocess.Process | None = None

    async def run(self) -> None:
        """Until its lab directory is gone or belongs to a later lab. `down` does not ask, it kills."""
        await asyncio.to_thread(network.build, self.state.layout)
        self.site = await vendor.start(self.lab)
        self.machines = {shape.name: machine(self.lab, self.state, shape) for shape in self.state.layout.hosts}
        shapes = self.state.layout.hosts
        relays = [await relay.serve(self.lab.host(shape.name), ssh.SOCKET, shape.address) for shape in shapes]
        for one in self.machines.values():
            await one.start()
        listener = await asyncio.start_unix_server(self._serve, path=relay.fresh(self.lab.root, control.SOCKET))
        while (now := load(self.lab)) is not None and now.lab_id == self.state.lab_id:
            await asyncio.sleep(1)
        listener.close()
        for server in relays:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            try:
                request = json.loads(await reader.readline())
                answer = await self._answer(request)
            except Exception as error:  # whatever it is, who asked must hear of it
                answer = {"error": str(error) or repr(error)}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        writer.close()

    async def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """`do`: status | settle, or with `host`: start | reboot | reset | kill | disk (`free_bytes`)."""
        do = str(request.get("do"))
        if do == "status":
            return self._status()
        if do == "settle":
            await asyncio.gather(*(one.settled() for one in self.machines.values()))
            return self._status()
        one = self.machines[self.state.layout.host(str(request.get("host"))).name]
        match do:
            case "start":
                await one.start()
            case "reboot":
                await one.reboot()
            case "reset":
                await one.reset()
            case "kill":
                await one.kill()
            case "disk":
                one.leave_free(request.get("free_bytes"))
            case _:
                raise LabError(f"The lab's supervisor knows no `{do}`: it is of another version; take it down first.")
        await one.settled()
        return one.status()

    def _status(self) -> dict[str, Any]:
        site = "not running" if self.site is None or self.site.returncode is not None else "running"
        return {"hosts": [one.status() for one in self.machines.values()], "site": site}


def main() -> int:
    lab = LabDir.at(sys.argv[1])
    state = load(lab)
    if state is None or state.lab_id != sys.argv[2]:
        raise LabError(f"{lab.root} does not hold the lab {sys.argv[2]} any more.")
    private_run()
    asyncio.run(Supervisor(lab, state).run())
    return 0


def reap_until_end() -> int:
    """Be the namespace's first process: adopt and reap orphans, end when the supervisor ends.

    The kernel then kills everything else in the namespace, and with the last process go its mounts and network.
    """
    child = os.fork()
    if child == 0:
        try:
            os._exit(main())
        except LabError as error:
            print(error, file=sys.stderr, flush=True)
        except BaseException:
            import traceback

            traceback.print_exc()
            sys.stderr.flush()
        os._exit(1)
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status) & 0xFF


if __name__ == "__main__":
    sys.exit(reap_until_end())
