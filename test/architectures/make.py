"""Real structures of known networks as ONNX files, with random weights whose activations live.

usage: python make.py OUT LIBRARY [NAME ...]      LIBRARY: torchvision, timm or keras

Weights come from each library's own initialisation; statistics of normalisations from a pass over random pictures with
edges and colours, so that no layer is dead. Beside OUT/NAME.onnx lies NAME.json: size and pre-processing.
"""
import json
import os
import sys

import numpy as np

SEED = 0


def pictures(count, size):
    """uint8 [count, size, size, 3]: coloured stripes and squares, each another."""
    random = np.random.default_rng(SEED)
    y, x = np.mgrid[0:size, 0:size].astype('float32')
    made = []
    for _ in range(count):
        angle, width = random.uniform(0, np.pi), random.uniform(4, 40)
        stripes = np.sin((x * np.cos(angle) + y * np.sin(angle)) / width)[..., None]
        colours = random.uniform(0, 255, (2, 3))
        picture = colours[0] + (colours[1] - colours[0]) * (stripes + 1) / 2
        left, top = random.integers(0, size // 2, 2)
        picture[top:top + size // 3, left:left + size // 3] = random.uniform(0, 255, 3)
        made.append(np.clip(picture + random.normal(0, 8, picture.shape), 0, 255))
    return np.stack(made).astype('uint8')


def note(out, name, **facts):
    json.dump(facts, open(os.path.join(out, name + '.json'), 'w'))
    print(f'{name}: {facts}', flush=True)


def export_torch(net, name, size, out, preset='imagenet', **kwargs):
    import torch
    torch.manual_seed(SEED)
    mean, std = (0.5, 0.5) if preset == 'tf' else (np.array([.485, .456, .406]), np.array([.229, .224, .225]))
    x = torch.from_numpy(((pictures(8, size) / 255 - mean) / std).astype('float32').transpose(0, 3, 1, 2).copy())
    for layer in net.modules():
        if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm):
            layer.momentum = None
            layer.reset_running_stats()
    net.train()
    for layer in net.modules():
        if isinstance(layer, (torch.nn.Dropout,)) or type(layer).__name__ == 'DropPath':
            layer.eval()
    with torch.no_grad():
        net(x)
        net.eval()(x)
    torch.onnx.export(net, x[:1], os.path.join(out, name + '.onnx'), opset_version=kwargs.get('opset', 13), input_names=['input'],
                      output_names=['logits'], dynamic_axes={'input': {0: 'N'}, 'logits': {0: 'N'}})
    note(out, name, size=size, preset=preset)


TORCHVISION = ['alexnet', 'vgg16', 'vgg19', 'inception_v3', 'googlenet', 'resnet50', 'resnet101', 'resnet152', 'densenet121',
               'mobilenet_v2', 'mobilenet_v3_large', 'squeezenet1_1', 'efficientnet_b0', 'efficientnet_v2_s', 'convnext_tiny',
               'regnet_y_400mf', 'mnasnet1_0', 'vit_b_16', 'swin_t', 'shufflenet_v2_x1_0']


def torchvision(name, out):
    import torch
    import torchvision.models as zoo
    torch.manual_seed(SEED)
    options = {'init_weights': True, 'aux_logits': False} if name in ('inception_v3', 'googlenet') else {}
    net = getattr(zoo, name)(**options)
    if name == 'vit_b_16':
        torch.nn.init.normal_(net.heads.head.weight, std=0.02)  # torchvision starts it at nothing
    export_torch(net, name, 299 if name == 'inception_v3' else 224, out)


TIMM = ['inception_resnet_v2', 'xception', 'resnetv2_50', 'nasnetalarge', 'mobilenetv1_100', 'convnext_tiny', 'efficientnet_lite0',
        'deit_tiny_patch16_224', 'vit_small_patch14_reg4_dinov2', 'vit_base_patch16_clip_224', 'vit_base_patch16_siglip_224']


def timm(name, out):
    import timm as library
    import torch
    torch.manual_seed(SEED)
    options = {'img_size': 224} if 'dinov2' in name else {}
    net = library.create_model(name, pretrained=False, exportable=True, scriptable=True, **options)
    size = net.default_cfg['input_size'][1] if not options else 224
    for parameter in net.parameters():
        if parameter.ndim > 1 and parameter.std() == 0:
            torch.nn.init.normal_(parameter, std=0.02)
    plain = tuple(round(m, 2) for m in net.default_cfg['mean']) == (0.5, 0.5, 0.5)
    export_torch(net, 'timm_' + name, size, out, preset='tf' if plain else 'imagenet')


# Left out: VGG, for which tf2onnx took more than 22 GB of memory; EfficientNet and ConvNeXt, whose own normalisation it writes
# as further inputs of the file.
KERAS = {'inception_v3': ('InceptionV3', 299, 'tf'),
         'inception_resnet_v2': ('InceptionResNetV2', 299, 'tf'), 'xception': ('Xception', 299, 'tf'),
         'resnet50': ('ResNet50', 224, 'caffe'), 'resnet50_v2': ('ResNet50V2', 224, 'tf'), 'mobilenet': ('MobileNet', 224, 'tf'),
         'mobilenet_v2': ('MobileNetV2', 224, 'tf'), 'mobilenet_v3_large': ('MobileNetV3Large', 224, 'raw'),
         'densenet121': ('DenseNet121', 224, 'imagenet'), 'nasnet_mobile': ('NASNetMobile', 224, 'tf')}


def keras(name, out):
    import keras as library
    import tensorflow as tf
    import tf2onnx
    library.utils.set_random_seed(SEED)
    kind, size, preset = KERAS[name]
    net = getattr(library.applications, kind)(weights=None, classifier_activation='softmax')
    x = pictures(8, size).astype('float32')
    if preset == 'tf':
        x = x / 127.5 - 1
    elif preset == 'imagenet':
        x = (x / 255 - [.485, .456, .406]) / [.229, .224, .225]
    elif preset == 'caffe':
        x = x[..., ::-1] - [103.939, 116.779, 123.68]
    for layer in net.layers:
        if 'BatchNormalization' in type(layer).__name__:
            layer.momentum = 0.0
    net(x.astype('float32'), training=True)
    signature = [tf.TensorSpec((None, size, size, 3), tf.float32, name='input')]
    call = tf.function(lambda image: net(image, training=False), input_signature=signature)
    tf2onnx.convert.from_function(call, input_signature=signature, opset=15, output_path=os.path.join(out, f'keras_{name}.onnx'))
    note(out, 'keras_' + name, size=size, preset=preset)


if __name__ == '__main__':
    out, library, *wanted = sys.argv[1:]
    os.makedirs(out, exist_ok=True)
    make, known = {'torchvision': (torchvision, TORCHVISION), 'timm': (timm, TIMM), 'keras': (keras, list(KERAS))}[library]
    for name in wanted or known:
        try:
            make(name, out)
        except Exception as error:  # the next one may work
            print(f'{name}: FAILED {type(error).__name__} {str(error)[:300]}', flush=True)
