"""SCTP for a worker, because Node has no such sockets: commands and results as in worker.ts, a line of JSON each."""

import json
import socket
import sys
import threading


def sctp_socket(family):
    return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_SCTP)


def listen(name, port):
    server = sctp_socket(socket.AF_INET6)
    server.bind(("::", port))
    server.listen(64)

    def serve():
        while True:
            connection, peer = server.accept()
            seen_from = peer[0].replace("::ffff:", "")
            connection.sendall(json.dumps({"by": name, "seenFrom": seen_from}).encode())
            connection.close()

    threading.Thread(target=serve, daemon=True).start()


def ask(question):
    address, port = question["address"], question["port"]
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with sctp_socket(family) as client:
        client.settimeout(question["timeoutMs"] / 1000)
        try:
            # An association carries all addresses of its ends, which nobody on the way translates: it must have one only.
            client.bind((source_address(family, address), question.get("sourcePort", 0)))
            client.connect((address, port))
            return json.loads(client.recv(1024))
        except TimeoutError:
            return "DROPPED"
        except ConnectionRefusedError:
            return "REFUSED"
        except OSError as error:
            return {"error": str(error)}


def source_address(family, address):
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((address, 9))
        return probe.getsockname()[0]


def handle(request):
    result = listen(request["name"], request["port"]) if request["op"] == "listen" else ask(request["question"])
    print(json.dumps({"id": request["id"], "result": result}), flush=True)


for line in sys.stdin:
    threading.Thread(target=handle, args=[json.loads(line)], daemon=True).start()
