"""The command, the socket, the signals."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
from contextlib import closing, suppress
from urllib.parse import urlsplit

import pytest

from automtl.cli.app import main
from automtl.errors import UserError
from automtl.serving.run import bind, check_address

# the service, slow enough to be stopped while it scores
PROGRAM = """
import sys, time
from automtl.cli.app import main
from automtl.serving import scorer

score_rows = scorer.score_rows

def slowly(bundle, inputs):
    if inputs.ids_NC.shape[0] == 2:
        print("scoring", file=sys.stderr, flush=True)
        time.sleep(1)
    return score_rows(bundle, inputs)

scorer.score_rows = slowly
try:
    main(sys.argv[1:])
finally:
    heavy = {"pandas", "ray", "optuna", "torch", "sklearn", "plotly"}  # the bundle has a graph
    print("loaded", *heavy & sys.modules.keys(), file=sys.stderr)
"""


def ask(address, body):
    """Over a connection of its own."""
    with closing(http.client.HTTPConnection(address.hostname, address.port, timeout=60)) as asking:
        headers = {"Content-Type": "application/json"}
        asking.request("POST", "/score", json.dumps(body), headers)
        answer = asking.getresponse()
        return answer.status, json.loads(answer.read())


def test_it_scores_until_sigterm_and_finishes_what_is_running(shop, inputs):
    arguments = ["serve", str(shop / "knee"), "--port", "0", "--max-body-mb", "0.01"]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        address = urlsplit(process.stdout.readline().strip())
        assert address.hostname == "127.0.0.1"
        status, answer = ask(address, {"rows": inputs})
        assert (status, len(answer["scores"])) == (200, 5)
        status, answer = ask(address, {"rows": [{"user_id": None}]})
        assert (status, "is not there" in answer["error"]["message"]) == (422, True)
        status, answer = ask(address, {"rows": inputs * 100})
        assert (status, "--max-body-mb" in answer["error"]["message"]) == (413, True)
        _hostile(address)

        finished = []
        asking = threading.Thread(
            target=lambda: finished.append(ask(address, {"rows": inputs[:2]}))
        )
        asking.start()
        said = [process.stderr.readline()]
        while said[-1] and "scoring" not in said[-1]:
            said.append(process.stderr.readline())
        process.send_signal(signal.SIGTERM)
        asking.join(timeout=60)
        assert [status for status, _ in finished] == [200]
        assert process.wait(timeout=60) == 0
        said += process.stderr.readlines()
        assert said[0].startswith("no authentication: whoever reaches this address")
        assert said[-2:] == ["stopped\n", "loaded\n"]
        assert not any("Traceback" in line or "user_id" in line for line in said)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def _hostile(address):
    """What is not even HTTP, or ends in the middle."""
    for sent in (
        b"\x00\xff" * 1000,
        b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: 100\r\n\r\n{",
        b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ):
        raw = socket.create_connection((address.hostname, address.port), timeout=60)
        with raw, suppress(ConnectionError):  # it may be cut off before it is done
            raw.sendall(sent)
            raw.shutdown(socket.SHUT_WR)
            while raw.recv(1 << 16):
                pass
    assert ask(address, {"rows": []}) == (200, {"scores": []})


# ---- addresses -----------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.com"])
def test_an_address_that_others_reach_needs_a_flag(host):
    with pytest.raises(UserError, match=rf"--host {host}: others can reach .* --allow-remote"):
        check_address(host, allow_remote=False)
    check_address(host, allow_remote=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "localhost"])
def test_loopback_needs_none(host):
    check_address(host, allow_remote=False)
    bind(host, 0).close()


def test_a_port_that_is_taken_is_said():
    with bind("127.0.0.1", 0) as bound:
        port = bound.getsockname()[1]
        with pytest.raises(UserError, match=rf"--port {port}: cannot be served on \(Address"):
            bind("127.0.0.1", port)


# ---- the command ---------------------------------------------------------------------------


def test_the_command_says_what_it_refuses(shop, capsys):
    for arguments, rule in [
        (["--host", "0.0.0.0"], "--allow-remote"),
        (["--port", "0"], "not an exported model"),
    ]:
        with pytest.raises(SystemExit) as end:
            main(["serve", str(shop), *arguments])
        assert end.value.code == 2
        assert rule in capsys.readouterr().err


def test_help_says_that_nobody_is_asked_who_he_is(capsys):
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    assert "no authentication of its own" in capsys.readouterr().out
