"""Routes that show what an ASGI server passes on."""

import asyncio
from contextlib import asynccontextmanager

from fastapi import BackgroundTasks, FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

done = []


@asynccontextmanager
async def lifespan(app):
    app.state.started = True
    yield


app = FastAPI(lifespan=lifespan)


class Item(BaseModel):
    name: str
    count: int = 1


@app.get("/hello/{name}")
async def hello(name: str, request: Request):
    return {"hello": name, "query": str(request.query_params), "started": request.app.state.started}


@app.post("/items", status_code=201)
def items(item: Item, tasks: BackgroundTasks):
    tasks.add_task(done.append, item.name)
    return item


@app.get("/done")
def background():
    return done


@app.get("/events")
async def events():
    async def stream():
        for i in range(3):
            yield f"data: {i}\n\n"
            await asyncio.sleep(0.01)

    return StreamingResponse(stream(), media_type="text/event-stream")


@app.get("/boom")
async def boom():
    raise RuntimeError("boom")


@app.websocket("/room")
async def room(socket: WebSocket):
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(f"echo {text}")
