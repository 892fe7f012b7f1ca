"""Runs ministack 1.5.33 with some faults fixed, under its own interpreter: `python ministack_patched.py`.

Without the fixes the app would fail where it works on AWS, or `make run` would lose data that it promises to keep. Each
fix states what ministack does wrong. Nothing else is changed, and the version is pinned; when it changes, check whether
this file is still needed.

With PERSIST_STATE=1 the state is in one file, `STATE_FILE` in STATE_DIR, written every `SAVE_EVERY` seconds while
something changes, and on SIGTERM. Each save replaces the whole file and holds all services as of one moment, events in
flight included: a start after `kill -9` continues from there.
"""

import asyncio
import copy
import gc
import hashlib
import importlib
import io
import json
import os
import queue
import shutil
import signal
import tempfile
import threading
import time
import traceback
import uuid
import warnings
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

app: Any = importlib.import_module("ministack.app")
concurrency: Any = importlib.import_module("ministack.core.concurrency")
persistence: Any = importlib.import_module("ministack.core.persistence")
responses: Any = importlib.import_module("ministack.core.responses")
runtime: Any = importlib.import_module("ministack.core.lambda_runtime")
events: Any = importlib.import_module("ministack.services.eventbridge")
functions: Any = importlib.import_module("ministack.services.lambda_svc")
queues: Any = importlib.import_module("ministack.services.sqs")
tables: Any = importlib.import_module("ministack.services.dynamodb")

STATE_FILE = "state.json"
SAVE_EVERY = 2.0
SAVE_WITHIN = 30.0
UNREADABLE_STATE = 3
"""The exit code if the saved state cannot be read."""

PROCESSES = 28
"""Maximum number of function processes, idle ones included.

More than the edge proxy's concurrent calls (10) plus all background work (2 scheduled calls, 2 batches of each of 6
queues, 1 of a stream): HTTP never waits for a timer.
"""
CALLS_AT_ONCE = 2
BATCHES_AT_ONCE = 2

_serve = app.app
_send_response = app._send_response  # noqa: SLF001


# Answers and addresses


async def _send_response_that_may_be_empty(send: Any, status: int, headers: Any, body: Any, **options: Any) -> None:
    """ministack answers 500 to a function's `"body": null`, which is valid for a 204."""
    await _send_response(send, status, headers, b"" if body is None else body, **options)


def _keep_queues_under_one_address() -> None:
    """ministack stores queues under addresses that contain its port.

    After a restart on another port it would deliver none of their messages to a function. Callers see the current port.
    """
    queues.DEFAULT_PORT = "4566"
    queues._CANONICAL_NETLOC = f"{queues.DEFAULT_HOST}:{queues.DEFAULT_PORT}"  # noqa: SLF001


# Function processes

_free = threading.Condition(runtime._lock)  # noqa: SLF001
_unpacking = threading.Lock()
_CODE = Path(persistence.STATE_DIR if persistence.PERSIST_STATE else tempfile.gettempdir()) / "code"
"""Unpacked once, for all processes and later starts."""
_whole: set[Path] = set()
_EMPTY_ZIP = b"PK\5\6" + bytes(18)
_release_worker = runtime.release_worker


class _WorkerOfSharedCode(runtime.Worker):  # type: ignore[misc]  # ministack has no types
    """ministack unpacks a function's code, some 40 MB, for each of its processes; here they share one copy."""

    def __init__(self, name: str, config: Any, code: bytes) -> None:
        settings = config.get("Environment") or {}
        variables = {**settings.get("Variables", {}), "PYTHONPATH": str(_unpacked(code))}
        super().__init__(name, {**config, "Environment": {**settings, "Variables": variables}}, _EMPTY_ZIP)


def _unpacked(code: bytes) -> Path:
    folder = _CODE / hashlib.sha256(code).hexdigest()
    with _unpacking, zipfile.ZipFile(io.BytesIO(code)) as archive:
        if folder not in _whole and not _is_whole(folder, archive):
            scratch = folder.with_suffix(".new")
            for each in (folder, scratch):
                shutil.rmtree(each, ignore_errors=True)
            archive.extractall(scratch)
            scratch.rename(folder)
        _whole.add(folder)
    return folder


def _is_whole(folder: Path, archive: zipfile.ZipFile) -> bool:
    """Check the unpacked files: after a power cut they may exist without their content."""
    try:
        files = [each for each in archive.infolist() if not each.is_dir()]
        return all((folder / each.filename).stat().st_size == each.file_size for each in files)
    except OSError:
        return False


def _remove_old_code() -> None:
    """Remove code of versions that no saved function has any more."""
    current = {blob.stem for blob in Path(functions.CODE_BLOB_DIR).glob("*.zip")}
    for folder in _CODE.glob("*"):
        if folder.name not in current:
            shutil.rmtree(folder, ignore_errors=True)


def _worker_class_for(config: Any) -> Any:
    if str(config.get("Runtime", "")).startswith("python"):
        return _WorkerOfSharedCode
    return runtime.ProvidedWorker if str(config.get("Runtime", "")).startswith("provided") else runtime.Worker


def _acquire_one_of_few_workers(
    name: str, config: Any, code: bytes, qualifier: str = "$LATEST", max_concurrency: int | None = None
) -> tuple[Any, str]:
    """ministack starts one process for each concurrent call, without a limit.

    Here a function that needs another process ends the one that has been idle longest, or waits for one to become idle.
    A function that was called by another never waits: its caller may hold the process that it would wait for.
    """
    del max_concurrency  # not used by this app
    key = runtime._worker_key(name, config, qualifier)  # noqa: SLF001
    retired = []
    with _free:
        while True:
            pool = runtime._workers.setdefault(key, [])  # noqa: SLF001
            worker = next((each for each in pool if not each.in_use), None)
            if worker:
                how = "reused"
                break
            everyone = [each for workers in runtime._workers.values() for each in workers]  # noqa: SLF001
            idle = [each for each in everyone if not each.in_use]
            if len(everyone) >= PROCESSES and idle:
                retired.append(min(idle, key=lambda each: each.last_used))
                for workers in runtime._workers.values():  # noqa: SLF001
                    workers[:] = [each for each in workers if each is not retired[-1]]
            elif len(everyone) >= PROCESSES and functions._invoke_depth.get() <= 1:  # noqa: SLF001
                _free.wait(1)
            else:
                worker, how = _worker_class_for(config)(name, config, code), "spawn"
                pool.append(worker)
                break
        worker.in_use, worker.last_used = True, time.time()
    runtime.kill_workers(retired)
    return worker, how


def _release_worker_to_next_waiter(worker: Any) -> None:
    _release_worker(worker)
    with _free:
        _free.notify_all()


# Scheduled calls

_calls: dict[str, list[str]] = {}
"""Account, region, function and payload of each unfinished call, oldest first."""
_next_calls: queue.SimpleQueue[str] = queue.SimpleQueue()


def _queue_call(function: str, payload: str) -> None:
    """ministack starts a thread, and so a process, for each scheduled call, and loses unfinished ones at its end."""
    _keep_call([responses.get_account_id(), responses.get_region(), function, payload])


def _keep_call(call: list[str]) -> None:
    name = str(uuid.uuid4())
    _calls[name] = call
    _next_calls.put(name)
    _note_change()


def _make_calls() -> None:
    while True:
        name = _next_calls.get()
        account, region, reference, payload = _calls[name]
        responses.set_request_account_id(account)
        responses.set_request_region(region)
        try:
            function, config, _ = functions._get_func_record_for_ref(reference)  # noqa: SLF001
            if function and config:
                record = functions._execution_record_for_config(function, config)  # noqa: SLF001
                functions._execute_function_with_config_scope(record, json.loads(payload))  # noqa: SLF001
        except Exception:
            traceback.print_exc()
        finally:
            del _calls[name]
            _note_change()


# Saved state

_kept = Path(persistence.STATE_DIR) / STATE_FILE
_saving = asyncio.Lock()
_changes = 0
_saved = -1
_is_loaded = False
_save_error = ""
_background: set[asyncio.Task[Any]] = set()
_ensure_poller = functions._ensure_poller  # noqa: SLF001
_run_sqs_batch = functions._run_sqs_batch  # noqa: SLF001
_execute_function = functions._execute_function  # noqa: SLF001
_prune_code = functions._prune_orphan_code_blobs  # noqa: SLF001
_functions_state = functions.get_state
_load_functions = functions.load_persisted_state
_load_queues = queues.load_persisted_state
_tables_state = tables.get_state
_load_tables = tables.load_persisted_state


def _note_change() -> None:
    global _changes
    _changes += 1


def _run_batch_and_note_change(*arguments: Any) -> None:
    _run_sqs_batch(*arguments)
    _note_change()


def _state_with_unread_records() -> Any:
    """ministack saves the read positions of table streams, but not their records: unread records are lost."""
    unread: dict[str, Any] = {}
    trimmed: dict[str, int] = {}
    for table, account, region, position in _stream_readers():
        records = tables.stream_records_since(table, position, 1 << 62, account_id=account, region=region)
        key = "\0".join((account, region, table))
        if key not in unread or len(records) > len(unread[key]):
            unread[key], trimmed[key] = records, position
    return {**_tables_state(), "unread_records": unread, "trimmed_records": trimmed}


def _load_tables_with_records(data: Any) -> None:
    _load_tables(data)
    for key, records in data.get("unread_records", {}).items():
        tables._stream_records.set_scoped(*key.split("\0"), records)  # noqa: SLF001
        tables._stream_trimmed.set_scoped(*key.split("\0"), data["trimmed_records"][key])  # noqa: SLF001


def _execute_and_report_failures(function: dict[str, Any], event: Any) -> dict[str, Any]:
    """ministack ignores `batchItemFailures` of a stream's batch, so records that are to be retried would be lost.

    Reported as an error, the whole batch is read again; on AWS only the records from the first failed one on.
    """
    result: dict[str, Any] = _execute_function(function, event)
    body = result.get("body")
    is_stream = isinstance(event, dict) and any("dynamodb" in record for record in event.get("Records", ()))
    if is_stream and isinstance(body, dict) and body.get("batchItemFailures"):
        return result | {"error": True, "body": {"errorType": "BatchItemFailures", "errorMessage": str(body)}}
    return result


def _stream_readers() -> list[tuple[str, str, str, int]]:
    """Table, account, region and position of each function that reads a stream."""
    found = []
    for account, region, mapping in functions._iter_all_esms():  # noqa: SLF001
        table, dynamodb, _ = mapping.get("EventSourceArn", "").partition("/stream/")
        position = functions._dynamodb_stream_positions.get_scoped(account, region, mapping["UUID"])  # noqa: SLF001
        if dynamodb and position is not None:
            found.append((table.rpartition("/")[2], account, region, position))
    return found


def _state_with_calls() -> Any:
    return {**_functions_state(), "calls": list(_calls.values())}


def _load_functions_with_calls(data: Any) -> None:
    _load_functions(data)
    for call in data.get("calls", []):
        _keep_call(call)


def _load_queues_without_workers(data: Any) -> None:
    """ministack keeps messages that were in flight when it ended hidden until their visibility timeout: minutes.

    Their consumers have ended too, so they are visible again at once.
    """
    _load_queues(data)
    for each in queues._queues.all_values():  # noqa: SLF001
        for message in each["messages"]:
            if message.get("receipt_handle"):
                message["visible_at"] = 0


def _load_all_or_nothing() -> None:
    """ministack starts without a service whose state it cannot read, and overwrites that state when it stops."""
    global _is_loaded
    try:
        if _kept.exists():
            _load(json.loads(_kept.read_text(), object_hook=persistence._json_object_hook)["services"])  # noqa: SLF001
        else:  # files of earlier versions: one per service, without stream records
            _load({name: persistence.load_state(name) for name in app._state_map})  # noqa: SLF001
            positions = functions._dynamodb_stream_positions._data  # noqa: SLF001
            positions.update(dict.fromkeys(positions, 0))
    except Exception:
        traceback.print_exc()
        os._exit(UNREADABLE_STATE)
    _is_loaded = True
    _remove_old_code()
    _in_background(_keep_saving())


def _load(states: Any) -> None:
    for name, module in app._state_map.items():  # noqa: SLF001
        if states.get(name):
            app._get_module(module).load_persisted_state(states[name])  # noqa: SLF001


async def _keep_saving() -> None:
    global _save_error
    while True:
        await asyncio.sleep(SAVE_EVERY)
        try:
            if _changes == _saved:
                os.utime(_kept)  # marks the state as saved now
            else:
                await _save(niceness=10)
            _save_error = ""
        except OSError as error:
            _save_error = error.strerror or repr(error)


async def _save(*, niceness: int = 0) -> None:
    """ministack saves only at the end, and only if it ends without an error.

    Here a forked copy writes the file: it has the memory of one moment, and requests need not wait. The moment is
    between two requests, because the fork happens on the thread that serves them. Raises OSError.
    """
    global _saved
    async with _saving:
        changes = _changes
        child = os.fork()
        if not child:
            os.nice(niceness)
            _write_and_exit()
        ended = asyncio.create_task(asyncio.to_thread(os.waitpid, child, 0))
        done, _ = await asyncio.wait({ended}, timeout=SAVE_WITHIN)
        if not done:
            os.kill(child, signal.SIGKILL)
        _, status = await ended
        code = os.waitstatus_to_exitcode(status)
        if code:
            raise OSError(code, os.strerror(code) if code > 0 else "the copy that should write it was killed")
        _saved = changes


def _write_and_exit() -> None:
    """Write the file and exit with 0, or with the number of the error."""
    signal.set_wakeup_fd(-1)  # shared with the parent process
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    code = 1
    try:
        gc.disable()
        setattr(copy, "deepcopy", lambda value, _memo=None: value)  # noqa: B010  # nothing here changes any more
        _write()
        code = 0
    except OSError as error:
        code = error.errno or 1
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(code)


def _write() -> None:
    code: set[str] = set()
    functions._prune_orphan_code_blobs = code.update  # noqa: SLF001  # the file in place may need what is pruned
    states = {name: state() for name, state in app._build_persistence_save_dict().items()}  # noqa: SLF001
    kept = {"services": {name: state for name, state in states.items() if state is not None}}
    text = json.dumps(kept, default=persistence._json_default)  # noqa: SLF001
    _kept.parent.mkdir(parents=True, exist_ok=True)
    scratch = _kept.with_suffix(".new")
    with scratch.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(_kept)
    _prune_code(code)
    for old in _kept.parent.glob("*.json"):
        if old != _kept:
            old.unlink()


# Start, stop, and the status that `make run` reads


async def _app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: _in_background(_leave()))
        _in_background(_work_once_open())
        await _serve(scope, receive, send)
    elif scope["path"] == "/_stack":
        await _answer(send, 200, {"inFlight": _in_flight(), "saveError": _save_error})
    elif scope["path"] == "/_stack/save":
        try:
            await _save()
        except OSError as error:
            await _answer(send, 500, {"saveError": error.strerror})
        else:
            await _answer(send, 200, {})
    else:
        await _serve_counted(scope, receive, send)


_requests = 0


async def _serve_counted(scope: Any, receive: Any, send: Any) -> None:
    global _requests
    of_api = scope["path"].startswith("/_aws/execute-api/")
    _requests += of_api
    try:
        await _serve(scope, receive, send)
    finally:
        _requests -= of_api
        if not of_api and not _only_reads(scope):
            _note_change()


def _only_reads(scope: Any) -> bool:
    target: bytes = dict(scope.get("headers", ())).get(b"x-amz-target", b"").partition(b".")[2]
    return target.startswith((b"BatchGet", b"Describe", b"Get", b"List", b"Query", b"Scan", b"TransactGet"))


def _in_flight() -> dict[str, int]:
    """The number of unfinished requests, events and timers, by kind."""
    now = time.time()
    unread = sum(
        tables.stream_end_position(table, account_id=account, region=region) - position
        for table, account, region, position in _stream_readers()
    )
    sources = {mapping.get("EventSourceArn") for _, _, mapping in functions._iter_all_esms()}  # noqa: SLF001
    waiting = sum(
        message["visible_at"] <= now
        for each in queues._queues.all_values()  # noqa: SLF001
        if each["attributes"].get("QueueArn") in sources
        for message in each["messages"]
    )
    batches = sum(functions._esm_inflight.values())  # noqa: SLF001
    return {"requests": _requests, "events": unread + waiting + batches, "timers": len(_calls)}


async def _answer(send: Any, status: int, body: Any) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


async def _work_once_open() -> None:
    """ministack delivers saved messages to functions before it listens, and the functions' calls fail."""
    await app._wait_for_port(int(app._resolve_port()))  # noqa: SLF001
    functions._ensure_poller = _ensure_poller  # noqa: SLF001
    if functions._esms.has_any():  # noqa: SLF001
        _ensure_poller()
    for number in range(CALLS_AT_ONCE):
        threading.Thread(target=_make_calls, daemon=True, name=f"calls-{number}").start()


async def _leave() -> None:
    """ministack waits for open connections, running functions and its threads before it ends, which takes long.

    They can be cut off once the state is saved, because the state includes their work.
    """
    code = 0
    if _is_loaded and _changes != _saved:
        try:
            await _save()
        except OSError as error:
            print(f"The state could not be saved: {error}", flush=True)
            code = 1
    os._exit(code)


def _in_background(work: Any) -> None:
    task = asyncio.get_running_loop().create_task(work)
    _background.add(task)  # keeps a reference, otherwise the task may be garbage-collected before it ends
    task.add_done_callback(_background.discard)


def _apply_patches() -> None:
    # Python warns of a fork in a process with threads, because the copy may hold a lock that another thread held. The
    # copy uses no object with such a lock, and is killed if it hangs.
    warnings.filterwarnings("ignore", message=".*multi-threaded.*fork", category=DeprecationWarning)
    _keep_queues_under_one_address()
    app.app = _app
    app._send_response = _send_response_that_may_be_empty  # noqa: SLF001
    app._load_persisted_state = _load_all_or_nothing  # noqa: SLF001
    runtime._worker_class_for = _worker_class_for  # noqa: SLF001
    for module in (runtime, functions):
        module.acquire_worker = _acquire_one_of_few_workers
        module.release_worker = _release_worker_to_next_waiter
    functions._ESM_SQS_DEFAULT_CONCURRENCY = BATCHES_AT_ONCE  # noqa: SLF001
    functions._run_sqs_batch = _run_batch_and_note_change  # noqa: SLF001
    functions._execute_function = _execute_and_report_failures  # noqa: SLF001
    functions._ensure_poller = lambda: None  # noqa: SLF001
    functions.get_state = _state_with_calls
    functions.load_persisted_state = _load_functions_with_calls
    events._dispatch_to_lambda = _queue_call  # noqa: SLF001
    queues.load_persisted_state = _load_queues_without_workers
    tables.get_state = _state_with_unread_records
    tables.load_persisted_state = _load_tables_with_records


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        _apply_patches()
        app.main()
