"""The Pulumi program: one component per file."""

from pathlib import Path

# Here and not in a module that imports pulumi: commands that deploy nothing need it too.
PROJECT_FOLDER = Path(__file__).resolve().parent.parent
