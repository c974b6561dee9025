from fastapi import FastAPI

app = FastAPI()


@app.get("/")
def hello(name: str = "world"):
    return {"hello": name}
