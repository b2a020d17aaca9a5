"""Frozen MobileNetV2 and logistic regression, as one would write it: `torch-fine-tune.py <weights> <zip>`."""
import os
import pickle
import sys
import tempfile
import zipfile

import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

import mobilenet

torch.set_num_threads(os.cpu_count())
prepare = transforms.Compose(
    [
        transforms.Resize(256),
        transforms.CenterCrop(224),
        transforms.ToTensor(),
        transforms.Normalize([0.5] * 3, [0.5] * 3),
    ]
)
with tempfile.TemporaryDirectory() as folder:
    zipfile.ZipFile(sys.argv[2]).extractall(folder)
    photos = datasets.ImageFolder(folder, prepare)
    network = mobilenet.load(sys.argv[1])
    features, labels = [], []
    with torch.inference_mode():
        for images, classes in DataLoader(photos, batch_size=32, num_workers=int(os.environ.get("LOADERS", "0"))):
            features.append(network.features(images).mean((2, 3)))
            labels.append(classes)
    x, y = torch.cat(features).numpy(), torch.cat(labels).numpy()
train, test, y_train, y_test = train_test_split(x, y, test_size=0.2, stratify=y, random_state=0)
scale = StandardScaler().fit(train)
head = LogisticRegression(C=0.01, max_iter=1000).fit(scale.transform(train), y_train)
print("accuracy", head.score(scale.transform(test), y_test))
pickle.dumps((scale, head))
