"""
Use models in the TensorFlow that runs this script; it imports nothing of the project.

    python predict.py JOBS

JOBS is a JSON list of objects: *model*, an HDF5 file or the folder of a SavedModel;
*saved_model*, a folder to save it to before anything else, if that is wanted;
*examples*, an .npz with `x` and `y`; *batch* and *epochs*, the latter 0 for models that
are not compiled; *output*, an .npz to write.
The output holds the predictions before training (`predicted_0`, ... per output), the
weights after training, in the order of arrays in the file (`weight_0`, ...), and the
history (`history_<name>`).
"""

import json
import sys

import numpy as np
import tensorflow as tf

with open(sys.argv[1]) as file:  # noqa: PTH123
    jobs = json.load(file)

for job in jobs:
    tf.keras.backend.clear_session()
    examples = np.load(job["examples"])
    model = tf.keras.models.load_model(job["model"])
    if "saved_model" in job:
        model.save(job["saved_model"])
    outputs = model.predict(examples["x"], batch_size=job["batch"])
    history = {}
    if job["epochs"]:
        history = model.fit(
            examples["x"],
            examples["y"],
            batch_size=job["batch"],
            epochs=job["epochs"],
            shuffle=False,
            verbose=0,
        ).history
    weights = [
        weight.numpy()
        for layer in model.layers
        for weight in layer.trainable_weights + layer.non_trainable_weights
    ]
    np.savez(
        job["output"],
        **{
            f"predicted_{i}": output
            for i, output in enumerate(
                outputs if isinstance(outputs, list) else [outputs]
            )
        },
        **{f"weight_{i}": weight for i, weight in enumerate(weights)},
        **{f"history_{name}": values for name, values in history.items()},
    )
