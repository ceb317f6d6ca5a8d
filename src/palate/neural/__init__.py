"""What the models that learn by gradient share: devices, losses, attention, batches, the training loop, export.

Plain torch, and nothing of recommenders: a model brings a module, its batches and its loss. All files but `choices`
and `told` import torch, so models import them where they need them.
"""
