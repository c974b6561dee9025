"""The channel to the supervisor: JSON messages, one a line, on the socket that NODE_CHANNEL_FD names."""

import json
import os
import socket


class Channel:
    def __init__(self, loop, on_message, on_close):
        # Processes that the function starts must neither find nor inherit it.
        fd = int(os.environ.pop("NODE_CHANNEL_FD"))
        os.environ.pop("NODE_CHANNEL_SERIALIZATION_MODE", None)
        os.set_inheritable(fd, False)
        self._socket = socket.socket(fileno=fd)
        self._loop = loop
        self._on_message = on_message
        self._on_close = on_close
        self._rest = b""

    def listen(self):
        self._loop.add_reader(self._socket, self._read)

    def send(self, **message):
        try:
            self._socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            self._on_close()

    def _read(self):
        try:
            data = self._socket.recv(65536)
        except OSError:
            data = b""
        if not data:
            self._loop.remove_reader(self._socket)
            self._on_close()
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._on_message(json.loads(line))
