"""Pretrained vectors: of words from a file, of articles from a file or from a sentence encoder's folder.

    table, found = word_vectors(Path("glove.6B.300d.txt"), words)
    table, found = article_vectors(Path("titles.npy"), ids)                  # ids in titles.txt or titles.parquet
    table, found = article_vectors(Path("all-MiniLM-L6-v2"), ids, texts)     # a folder of transformers

No file here can run code: text, numbers and safetensors are read, never a pickle, and nothing is asked of a network.
"""

from palate.vectors.articles import article_vectors
from palate.vectors.words import word_vectors

__all__ = ["article_vectors", "word_vectors"]
