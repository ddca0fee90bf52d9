"""Erosion: how fast does fine-tuning wear away a chat model's safety alignment, and what holds?"""

__version__ = "0.1.0"
