"""The Pulumi program: one component per file."""
