"""A load balancer as in front of a deployment: it follows `readyz`, and tries nothing twice."""

import asyncio
import collections
import itertools

CHECK_EVERY = 0.2


async def message(reader, has_body=True):
    """One HTTP message: its first line, its headers, and all of its bytes. None at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as ended:
        if ended.partial:
            raise
        return None
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = [head]
    if "chunked" in headers.get("transfer-encoding", ""):
        while True:
            size = await reader.readuntil(b"\r\n")
            body += [size, await reader.readexactly(int(size, 16) + 2)]
            if int(size, 16) == 0:
                break
    elif has_body:
        body.append(await reader.readexactly(int(headers.get("content-length", 0))))
    return first, headers, b"".join(body)


class Backend:
    def __init__(self, address, ops):
        self.address, self.ops, self.is_ready, self.idle = address, ops, True, []

    async def check(self):
        """One request to `readyz`, on a connection of its own."""
        try:
            reader, writer = await asyncio.open_connection(*self.ops)
            writer.write(b"GET /readyz HTTP/1.1\r\nHost: balancer\r\nConnection: close\r\n\r\n")
            answer = await asyncio.wait_for(message(reader), 2)
            self.is_ready = answer is not None and " 200 " in answer[0] + " "
            writer.close()
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError):
            self.is_ready = False
        if not self.is_ready:
            for _, writer in self.idle:
                writer.close()
            self.idle.clear()

    async def ask(self, request):
        reader, writer = self.idle.pop() if self.idle else await asyncio.open_connection(*self.address)
        try:
            writer.write(request)
            await writer.drain()
            answer = await message(reader)
            if answer is None:
                raise ConnectionResetError("closed instead of a response")
        except BaseException:
            writer.close()
            raise
        if answer[1].get("connection", "").lower() == "close" or not self.is_ready:
            writer.close()
        else:
            self.idle.append((reader, writer))
        return answer


def endpoint(address):
    host, _, port = address.rpartition(":")
    return host, int(port)


class Balancer:
    """`seen` counts responses by status, and connections that broke."""

    def __init__(self):
        self.backends, self.seen, self.turn = {}, collections.Counter(), itertools.count()

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0, limit=1 << 20)
        self.url = "http://127.0.0.1:{}".format(self.server.sockets[0].getsockname()[1])
        self.checks = asyncio.create_task(self.check())
        return self

    def add(self, name, address, ops):
        self.backends[name] = Backend(endpoint(address), endpoint(ops))

    async def check(self):
        while True:
            await asyncio.gather(*(backend.check() for backend in self.backends.values()))
            await asyncio.sleep(CHECK_EVERY)

    async def serve(self, reader, writer):
        try:
            while request := await message(reader):
                answer = await self.forward(request[2])
                writer.write(answer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client is gone, or the test is over
        finally:
            writer.close()

    async def forward(self, request):
        ready = [backend for backend in self.backends.values() if backend.is_ready]
        if not ready:
            self.seen["no process is ready"] += 1
            return b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
        try:
            first, _, answer = await ready[next(self.turn) % len(ready)].ask(request)
        except (OSError, asyncio.IncompleteReadError) as error:
            self.seen[f"broken connection: {type(error).__name__}"] += 1
            return b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"
        self.seen[first.split()[1]] += 1
        return answer
