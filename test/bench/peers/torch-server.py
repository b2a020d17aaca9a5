"""FastAPI around torchvision: `torch-server.py <weights>`."""
import io
import os
import socket
import sys

import torch
import uvicorn
from fastapi import FastAPI, Request
from PIL import Image
from torchvision import transforms

import mobilenet

torch.set_num_threads(os.cpu_count())
model = mobilenet.load(sys.argv[1])
prepare = transforms.Compose(
    [
        transforms.Resize(256),
        transforms.CenterCrop(224),
        transforms.ToTensor(),
        transforms.Normalize([0.5] * 3, [0.5] * 3),
    ]
)
app = FastAPI()


@app.post("/predict")
async def predict(request: Request):
    image = Image.open(io.BytesIO(await request.body())).convert("RGB")
    with torch.inference_mode():
        top = model(prepare(image)[None]).softmax(1)[0].topk(5)
    return [{"label": f"class_{k}", "score": s} for s, k in zip(top.values.tolist(), top.indices.tolist())]


listener = socket.socket()
listener.bind(("127.0.0.1", 0))
print(f"port {listener.getsockname()[1]}", flush=True)
uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[listener])
