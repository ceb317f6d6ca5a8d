"""What every model passes: `conformance.Conformance`, and one subclass for each model."""
