"""The simulator's export worker: writes a log into a file, serves the file, and calls back; with all that goes wrong there."""

from __future__ import annotations

import asyncio
import http.client
import json
import random
import uuid
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from quayledger.simulator.clock import DAY_US, SECOND_US, from_us, rfc_822
from quayledger.simulator.faults import CONTROL_PATH
from quayledger.simulator.models import Window
from quayledger.simulator.table import Selection

if TYPE_CHECKING:
    from quayledger.simulator.quay import Quay

_BATCH_ROWS = 5_000
_CALL_TIMEOUT_S = 10.0
_S3_FOLDER = "/quay/exportedactionlogs/"
_LOCAL_FOLDER = "/exportedlogs/"


class ExportPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How exports go. `storage`: s3 (signed addresses on the host `localhost`, good for `url_seconds`) or local (an open
    address on the Quay's own host; chunks overwrite each other). `failures`: attempts that end with `statuses` instead of a
    file. `truncate`: share of the file that is kept. `lose`: callbacks that are never sent. `repeat`: how often a callback is
    sent again. `late_seconds`: held back for so long. `namespace`: written into the file instead of the true one. `no_file`:
    success without a file. `redirect_to`: where the file's address redirects. `address`: named by the callback instead of
    the file's. `copies`: how often the rows are written. `whole_local`: local storage without its fault.
    `strict_callbacks`: loopback is refused as a callback's address, too. `before`, `after`: further callbacks around the true
    one, as somebody else could send them: each a set of fields that differ from it."""

    storage: Literal["s3", "local"] = "s3"
    whole_local: bool = False
    poll_seconds: float = 0.02
    retry_seconds: float = 0.1
    attempts: int = 3
    url_seconds: float = 3600.0
    late_seconds: float = 0.0
    failures: int = 0
    statuses: tuple[str, ...] = ("timedout", "failed", "failed")
    truncate: float | None = None
    lose: int = 0
    repeat: int = 0
    namespace: str = ""
    no_file: bool = False
    redirect_to: str = ""
    address: str = ""
    copies: int = 1
    strict_callbacks: bool = False
    before: tuple[dict[str, Any], ...] = ()
    after: tuple[dict[str, Any], ...] = ()


class Job(msgspec.Struct):
    """One export that was accepted. `base_url`: where this Quay is reached."""

    export_id: str
    namespace: str
    repository: str | None
    selection: Selection
    window: Window
    callback_url: str
    callback_email: str
    base_url: str
    attempts: int = 0
    calls: list[dict[str, Any]] = []


class _File(msgspec.Struct, frozen=True):
    body: bytes
    expires_at_us: int | None


class Exports:
    """The queue, the worker, and the files."""

    def __init__(self, seed: int = 0) -> None:
        self.plan = ExportPlan()
        self.jobs: list[Job] = []
        self.files: dict[str, _File] = {}
        self.lost = 0
        self._random = random.Random(seed)
        self._tasks: set[asyncio.Task[None]] = set()

    def queue(self, quay: Quay, job: Job) -> None:
        """Takes a job on; the worker comes to it at its next poll."""
        self.jobs.append(job)
        task = asyncio.get_running_loop().create_task(self._work(quay, job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, quay: Quay, job: Job) -> None:
        """As the queue does: an attempt that ends otherwise than with a 200 comes back later, three times in all."""
        await asyncio.sleep(self.plan.poll_seconds)
        while job.attempts < self.plan.attempts:
            job.attempts += 1
            if await self._attempt(quay, job):
                return
            await asyncio.sleep(self.plan.retry_seconds)

    async def _attempt(self, quay: Quay, job: Job) -> bool:
        """Makes a new file each time; whether the callback was answered with 200."""
        plan = self.plan
        if job.attempts <= plan.failures:
            for status in plan.statuses:
                await self._call(job, status, None)
            return False
        url = self._store(quay, job)
        for forged in plan.before:
            await self._call(job, "success", url, forged)
        await asyncio.sleep(plan.late_seconds)
        if self.lost < plan.lose:
            self.lost += 1
            return True
        answered = [await self._call(job, "success", plan.address or url) for _ in range(1 + plan.repeat)]
        for forged in plan.after:
            await self._call(job, "success", url, forged)
        return answered[0]

    async def _call(self, job: Job, status: str, url: str | None, forged: dict[str, Any] | None = None) -> bool:
        end_us = job.window.end_us
        told = {
            "export_id": job.export_id,
            "start_time": f"{from_us(job.window.start_us):%m/%d/%Y}",
            "end_time": f"{from_us(end_us):%m/%d/%Y}",
            "namespace": job.namespace,
            "repository": job.repository,
            "exported_data_url": url,
            "status": status,
            **(forged or {}),
        }
        answer = 200
        if job.callback_url:
            answer = await asyncio.to_thread(_post, job.callback_url, json.dumps(told).encode())
        job.calls.append({"status": status, "url": url, "answer": answer})
        return answer == 200

    def _store(self, quay: Quay, job: Job) -> str:
        """A new file and its address."""
        plan, key = self.plan, f"{job.export_id}-{uuid.UUID(int=self._random.getrandbits(128), version=4)}"
        chunks = list(_chunks(quay, job, plan, self._random))
        body = b"".join(chunks) if plan.storage == "s3" or plan.whole_local else _overwritten(chunks)
        if plan.truncate is not None:
            body = body[: int(len(body) * plan.truncate)]
        base = job.base_url.rstrip("/")
        if plan.storage == "local":
            path, query, expires = f"{_LOCAL_FOLDER}{key}", "", None
        else:
            path, expires = f"{_S3_FOLDER}{key}", quay.clock.now_us() + round(plan.url_seconds * SECOND_US)
            base = f"http://localhost:{urlsplit(base).port}"
            query = f"?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires={plan.url_seconds:.0f}&X-Amz-Signature={'0' * 64}"
        if not plan.no_file:
            self.files[path] = _File(body, expires)
        return f"{base}{path}{query}"

    def answer(self, path: str, now_us: int) -> Response:
        """What is behind a file's address."""
        file = self.files.get(path)
        if self.plan.redirect_to:
            return RedirectResponse(self.plan.redirect_to, 302)
        if file is None:
            return Response("<Error><Code>NoSuchKey</Code></Error>", 404, media_type="application/xml")
        if file.expires_at_us is not None and file.expires_at_us <= now_us:
            return Response("<Error><Code>AccessDenied</Code></Error>", 403, media_type="application/xml")
        return Response(file.body, media_type="binary/octet-stream")

    def report(self) -> dict[str, Any]:
        """What was asked for and what became of it."""
        return {
            "jobs": [
                {
                    "export_id": job.export_id,
                    "namespace": job.namespace,
                    "repository": job.repository,
                    "email": job.callback_email,
                    "attempts": job.attempts,
                    "calls": job.calls,
                }
                for job in self.jobs
            ]
        }


def _chunks(quay: Quay, job: Job, plan: ExportPlan, rng: random.Random) -> Iterator[bytes]:
    """The file in the chunks that the worker uploads: beginning, rows by the thousand in no order, end. It covers a day more
    than was asked for, and only the newest table."""
    table, asked = quay.logs.tables[0], job.window
    last_us = asked.end_us + DAY_US - 1_000
    details = {
        "start_time": rfc_822(asked.start_us),
        "end_time": rfc_822(last_us),
        "namespace": plan.namespace or job.namespace,
        "repository": job.repository,
    }
    head = '{\n      "export_id": %s,\n      "details": %s,\n      "logs": [\n    '
    yield (head % (json.dumps(job.export_id), json.dumps(details))).encode()
    index = table.index(job.selection)
    numbers = (
        list(index.rows[index.before(asked.start_us) : index.before(min(last_us, asked.now_us + 1))]) * plan.copies
    )
    for first in range(0, len(numbers), _BATCH_ROWS):
        batch = numbers[first : first + _BATCH_ROWS]
        rng.shuffle(batch)
        yield b"".join(quay.renderer.event(table, row, namespace=False) + b"," for row in batch)
    yield b'\n        {"terminator": true}]\n      }'


def _overwritten(chunks: list[bytes]) -> bytes:
    """Each chunk written at the beginning, over the one before."""
    held = bytearray()
    for chunk in chunks:
        held[: len(chunk)] = chunk
    return bytes(held)


def _post(url: str, body: bytes) -> int:
    """The answer's status; 0 where there is none. Redirects are not followed."""
    parts = urlsplit(url)
    kind: Callable[..., http.client.HTTPConnection] = (
        http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    )
    connection = kind(parts.hostname, parts.port, timeout=_CALL_TIMEOUT_S)
    headers = {"User-Agent": "python-requests/2.32.3", "Content-Type": "application/json"}
    try:
        connection.request("POST", f"{parts.path}?{parts.query}".rstrip("?"), body, headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


async def _file(request: Request) -> Response:
    quay: Quay = request.app.state.quay
    return quay.exports.answer(request.url.path, quay.clock.now_us())


async def _control(request: Request) -> Response:
    """`exports`: another plan where one is given ({} is the usual one); gives what became of the exports so far."""
    quay: Quay = request.app.state.quay
    try:
        if body := await request.body():
            quay.exports.plan, quay.exports.lost = msgspec.json.decode(body, type=ExportPlan), 0
    except msgspec.DecodeError as error:
        return JSONResponse({"error": str(error)}, 400)
    return JSONResponse(quay.exports.report())


ROUTES = [
    Route(f"{_S3_FOLDER}{{key}}", _file, methods=["GET"]),
    Route(f"{_LOCAL_FOLDER}{{key}}", _file, methods=["GET"]),
    Route(f"{CONTROL_PATH}exports", _control, methods=["GET", "POST"]),
]
