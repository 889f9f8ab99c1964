"""
Whether a connection to one address and port arrives at another, on one machine:
  reaches.py tcp|sctp LISTEN_ADDRESS LISTEN_PORT ADDRESS PORT
Ends with 0 when it does, and with an error after a second when it does not.
"""
import socket, sys

protocol, listen_address, listen_port, address, port = sys.argv[1:]
family = socket.AF_INET6 if ':' in address else socket.AF_INET
number = {'tcp': socket.IPPROTO_TCP, 'sctp': socket.IPPROTO_SCTP}[protocol]

with socket.socket(family, socket.SOCK_STREAM, number) as server, socket.socket(family, socket.SOCK_STREAM, number) as client:
    server.bind((listen_address, int(listen_port)))
    server.listen()
    client.settimeout(1)
    client.connect((address, int(port)))
