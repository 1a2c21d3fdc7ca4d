"""automtl: a search over architectures of multi-task recommender models.

Importing this package imports no torch, ray, optuna or pandas.
"""

__version__ = "0.1.0"

__all__ = ["__version__"]
