"""Sigma: rules that customers write, as YAML files of a folder. pySigma parses them; conditions of our own are made of the result, and
the warehouse asks them."""
