"""
New TCP connections at a steady rate, and who answers them, with as few system calls as can be: in an emulated kernel these are what takes time.
  connections.py serve NAME PORT
  connections.py connect PER_SECOND NAME ADDRESS PORT [NAME ADDRESS PORT ...]
Both end with standard input; `connect` then prints what became of its connections as JSON.
"""
import json, select, socket, struct, sys, threading, time

PATIENCE = 8
ABORT = struct.pack('ii', 1, 0)  # No TIME_WAIT, from which virtual servers would have to drain for minutes.
# Two connections from one port to one endpoint, by two addresses of its Service, are one to ip_vs: so each has a port of its own.
FIRST_PORT, LAST_PORT = 33_000, 59_000


def serve(name, port):
    server = socket.create_server(('::', int(port)), family=socket.AF_INET6, backlog=1024, dualstack_ipv6=True)

    def answer():
        while True:
            connection, peer = server.accept()
            try:
                connection.send(f'{name} {peer[0].replace("::ffff:", "")}'.encode())
            except OSError:
                pass
            connection.close()

    threading.Thread(target=answer, daemon=True).start()
    print('ready', flush=True)
    sys.stdin.read()


def ask(address, target, local_port):
    """Who answered and whom it saw."""
    with socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET, socket.SOCK_STREAM) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
        for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
            client.setsockopt(socket.SOL_SOCKET, option, struct.pack('ll', PATIENCE, 0))
        client.bind(('', local_port))
        client.connect((address, target))
        return client.recv(100).decode().split(' ')


def connect(per_second, *words):
    routes = [words[i:i + 3] for i in range(0, len(words), 3)]
    seen, answerers, failed, made, slowest, port, started = set(), {}, {}, 0, 0, FIRST_PORT, time.monotonic()
    while True:
        due = started + made / float(per_second) - time.monotonic()
        if due > 0 or made % 20 == 0:
            if select.select([sys.stdin], [], [], max(0, due))[0]:
                break
        name, address, target = routes[made % len(routes)]
        made += 1
        port = FIRST_PORT if port == LAST_PORT else port + 1
        begun = time.monotonic()
        try:
            answer = ask(address, int(target), port)
            seen.add(answer[1])
            answerers.setdefault(name, set()).add(answer[0])
        except (OSError, IndexError) as error:
            what = f'{name}: {error}'
            failed[what] = failed.get(what, 0) + 1
        slowest = max(slowest, time.monotonic() - begun)
    seconds = time.monotonic() - started
    answered_by = {name: sorted(names) for name, names in answerers.items()}
    print(json.dumps({'connections': made, 'failed': failed, 'seenFrom': sorted(seen), 'answeredBy': answered_by, 'slowestMs': round(slowest * 1000), 'seconds': seconds}))


if __name__ == '__main__':
    {'serve': serve, 'connect': connect}[sys.argv[1]](*sys.argv[2:])
