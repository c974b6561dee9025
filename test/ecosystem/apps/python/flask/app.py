"""Routes that show what a WSGI server passes on."""

import logging

from flask import Flask, Response, redirect, request, url_for

app = Flask(__name__)


@app.get("/hello/<name>")
def hello(name):
    logging.getLogger("flask-app").warning("said hello to %s", name)
    return {"hello": name, "args": request.args.to_dict(flat=False)}


@app.post("/echo")
def echo():
    return Response(request.get_data(), content_type=request.content_type, status=201)


@app.get("/login")
def login():
    return redirect(url_for("hello", name="you"))


@app.get("/stream")
def stream():
    return Response((f"{i}\n" for i in range(1000)), content_type="text/plain")


@app.get("/boom")
def boom():
    raise RuntimeError("boom")
