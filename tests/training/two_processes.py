"""Train several runs as one of two processes, and write the logged steps of all runs to a file."""

import gc
import os
import pickle
import sys
from copy import deepcopy
from pathlib import Path

from tabpo.processes.launch import leave
from tests.training.conftest import build_trainer, with_loss

work = Path(sys.argv[1])
runs, model, examples, start = pickle.loads(work.read_bytes())
steps = []
gc.freeze()  # as in conftest
for loss, settings in runs:
    stage, policy = with_loss(loss, start=start), deepcopy(model)
    trainer = build_trainer(stage, policy, examples, work.parent, processes=2, **{"micro_batch_size": 2, **settings})
    trainer.run(None)
    steps.append(trainer.steps)
if os.environ["RANK"] == "0":
    work.with_suffix(".steps").write_bytes(pickle.dumps(steps))
leave()
