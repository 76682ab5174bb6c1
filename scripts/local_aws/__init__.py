"""AWS on one machine: an emulator, and what makes the Pulumi program's resources in it."""
