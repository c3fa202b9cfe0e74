"""The data of the quality benches: Debian's dataset-fashion-mnist, preprocessed as the fixtures were trained."""

FOLDER = "/usr/share/datasets/fashion-mnist"
TRAIN_IMAGES = f"{FOLDER}/train-images-idx3-ubyte.gz"
TRAIN_LABELS = f"{FOLDER}/train-labels-idx1-ubyte.gz"
DATA = f"""
[data]
source = "idx"
images = "{FOLDER}/t10k-images-idx3-ubyte.gz"
labels = "{FOLDER}/t10k-labels-idx1-ubyte.gz"
[data.preprocess]
scale = 0.00392156862745098
mean = [0.2860]
std = [0.3530]
"""  # of a recipe
