"""What the models that learn by gradient share: devices, losses, attention, batches, the training loop, export.

Plain torch, and nothing of recommenders: a model brings a module, its batches and its loss. Importing this package
imports torch, so models import it where they need it.
"""
