"""Values of the domain. This package imports nothing of ours; everything else may import it."""
