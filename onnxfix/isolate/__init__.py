"""Models made smaller: sub-models by name, and the smallest one that still fails."""
