"""The parts of the suite `backbone`: each measures one thing against a raw loop in the same run."""
