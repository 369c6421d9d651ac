"""The detect stage: closed periods and silences meet their detectors. Pure."""
