"""The networks that Scarp serves: definition, training, evaluation and export.

The package ends where an ``.onnx`` file and its manifest begin: the server reads nothing else.
"""
