"""Read models of the emitted outputs: metrics, alerts, open commands, alpha budget, sentences, number formats. Pure."""
