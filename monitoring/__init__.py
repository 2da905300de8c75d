"""The hourly job: how well each model does, by version, hour and slice, from the record."""
