"""Accuracy of logistic regression on hashed n-grams, for each table of JSON lines {text, label, split}: a list, as JSON.

Words 1-2 and characters 3-5 within words, 65,536 columns each, presence, each block of length 1; columns weighted by the inverse
document frequency in the training rows, rows of length 1. The penalty is chosen by 3-fold cross-validation.
"""
import json
import sys

import numpy as np
from scipy.sparse import hstack
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegressionCV

GRID = [0.3, 1, 3, 10, 30, 100]


def blocks():
    shared = dict(n_features=2**16, binary=True, norm="l2", alternate_sign=False)
    return [
        HashingVectorizer(analyzer="word", ngram_range=(1, 2), **shared),
        HashingVectorizer(analyzer="char_wb", ngram_range=(3, 5), **shared),
    ]


def accuracy(path):
    with open(path, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    texts = [row["text"] for row in rows]
    labels = np.array([row["label"] for row in rows])
    train = np.array([row["split"] == "train" for row in rows])
    features = hstack([block.transform(texts) for block in blocks()]).tocsr()
    weighted = TfidfTransformer(norm="l2").fit(features[train]).transform(features)
    model = LogisticRegressionCV(Cs=GRID, cv=3, max_iter=1000, n_jobs=2, scoring="accuracy")
    model.fit(weighted[train], labels[train])
    return float((model.predict(weighted[~train]) == labels[~train]).mean())


print(json.dumps([accuracy(path) for path in sys.argv[1:]]))
