"""The same work as `stgmamba.builder.workers`, on the machines of a Ray cluster.

Ray Core, not Ray Data: a video is given up by itself for its time, its memory or a crash, with the reason in words, and
results are files that outlive the run; blocks of rows would add nothing to that. Every video is a task of one core,
which watches a worker process of its own, so the limits mean what they mean on one machine. A task whose machine dies
is given to another.
"""

from __future__ import annotations

import socket
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from stgmamba.builder.workers import Limits, Outcome, run_in_workers
from stgmamba.errors import InputError

Item = TypeVar("Item")

_AHEAD = 2  # tasks given to the cluster for each of its cores, so that none waits for this process
_KNOCK_SECONDS = 10.0  # for the cluster's head to answer
_CHECK_SECONDS = 60.0  # for every machine to say that it sees the data set's folder


def run_on_ray(
    function: Callable[[Item], None], items: Sequence[Item], address: str, limits: Limits, folder: Path
) -> Iterator[Outcome[Item]]:
    """Call a function with each item on a cluster; yields outcomes in the order in which they come.

    Args:
        function: importable by name on every machine; an `InputError` it raises is the item's reason.
        items: that can be pickled; files they name have the same absolute path on every machine.
        address: of the cluster, as ``ray.init`` takes it: ``auto``, ``HOST:PORT``, ``ray://HOST:PORT``; ``local``
            starts one on this machine.
        limits: of each item.
        folder: of the results, which every machine must see.

    Raises:
        InputError: Ray is not installed, no cluster answers, a machine does not see the folder or has another version
            of stgmamba, or the disk is full.
    """
    with _cluster(address) as ray:
        _check_machines(ray, folder)
        # A worker process of Ray that dies with its machine is not the video's fault: as often as it happens, the task
        # begins anew, and finds the stages that were done.
        task = ray.remote(num_cpus=1, max_retries=-1)(_do)
        waiting = list(reversed(items))
        running: dict[Any, Item] = {}
        while waiting or running:
            cores = int(ray.cluster_resources().get("CPU", 1))
            while waiting and len(running) < _AHEAD * cores:
                item = waiting.pop()
                running[task.remote(function, item, limits)] = item
            done, _ = ray.wait(list(running), num_returns=1)
            item = running.pop(done[0])
            reason, fatal, seconds = ray.get(done[0])
            if fatal:
                raise InputError(fatal)
            yield Outcome(item, reason, seconds)


def _do(function: Callable[[Any], None], item: Any, limits: Limits) -> tuple[str, str, float]:
    """What a task does: its reason ("" where all went well), why all work ends ("" where it does not), its seconds."""
    try:
        outcome = next(run_in_workers(function, [item], 1, limits))
    except InputError as error:
        return "", str(error), 0.0
    return outcome.reason, "", outcome.seconds


@contextmanager
def _cluster(address: str) -> Iterator[Any]:
    try:
        import ray
    except ImportError:
        raise InputError("--ray needs Ray; install it: pip install 'stgmamba[cluster]'.") from None
    ours = not ray.is_initialized()
    try:
        if ours:
            _knock(address)
            ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().split("\n")[0].rstrip(".")
        raise InputError(
            f"--ray {address}: no Ray cluster answers there ({reason}); start one with ray start, or use local."
        ) from error
    try:
        yield ray
    finally:
        if ours:
            ray.shutdown()


def _knock(address: str) -> None:
    """Raise OSError or ValueError where nothing listens at HOST:PORT; Ray itself would try for two minutes."""
    if address not in ("auto", "local"):
        place = urlsplit(address if "://" in address else f"//{address}")
        if place.hostname is None or place.port is None:
            raise ValueError("an address is HOST:PORT")
        socket.create_connection((place.hostname, place.port), timeout=_KNOCK_SECONDS).close()


def _check_machines(ray: Any, folder: Path) -> None:
    """Ask every machine of the cluster for its version of stgmamba, and whether it sees a new file in the folder."""
    token = folder / f".{uuid.uuid4().hex}.part"
    token.touch()
    look = ray.remote(num_cpus=0, max_retries=-1)(_look)
    machines = {node["NodeID"]: node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]}
    strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
    try:
        answers = [look.options(scheduling_strategy=strategy(node, soft=True)).remote(token) for node in machines]
        for machine, answer in zip(machines.values(), answers, strict=True):
            try:
                found, seen = ray.get(answer, timeout=_CHECK_SECONDS)
            except ray.exceptions.GetTimeoutError:
                raise InputError(f"{machine}: does not answer; look at it with ray status.") from None
            except ray.exceptions.RayError as error:
                raise InputError(
                    f"{machine}: cannot run stgmamba ({str(error).strip().splitlines()[-1]}); install it there."
                ) from error
            if found != version("stgmamba"):
                raise InputError(
                    f"{machine}: has stgmamba {found}, here is {version('stgmamba')}; install the same on all."
                )
            if not seen:
                raise InputError(
                    f"{folder}: {machine} does not see this folder; use one that all share under the same path."
                )
    finally:
        token.unlink(missing_ok=True)


def _look(token: Path) -> tuple[str, bool]:
    return version("stgmamba"), token.exists()
