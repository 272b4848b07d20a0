"""What users see that is no refusal of a parser, a file for each room: messages, and symptoms in words.

An entry has `match`, searched without regard to case. It may name an operator (`op` for TensorRT, `onnx_op` and
`opset` for ONNX), a GPU (`sm`) or a name of TensorRT's API (`api`, with its class `api_class`), of which the fact
base then tells; `{cuda:KIND}` in it stands for every error of that kind in cuda_errors.yaml, by name, number and
text. `affects` says which versions; `harmless` entries need no repair, `follows` are said when something else went
wrong before; of those with `last` only the lowest number is told, and none beside entries without it. `rules` and
`command` are as in repairs.yaml; `covers` are entries about the same text, of which this one says more. Sources are
issue threads and the files named.
"""
