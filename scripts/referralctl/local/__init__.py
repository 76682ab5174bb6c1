"""The whole system on one machine: an emulator of AWS, and the unmodified Pulumi program applied to it."""
