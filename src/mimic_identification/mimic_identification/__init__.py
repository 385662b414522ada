"""How joints answer their commands: test motions, fits, verdicts, and files for the twin."""
