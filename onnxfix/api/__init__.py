"""What onnxfix does, one straight line from a file to a typed record for each verb; `onnxfix` gives them to programs.

They stand on all other rooms and print nothing: `cli` parses arguments and calls them, `report` renders their records.
"""
