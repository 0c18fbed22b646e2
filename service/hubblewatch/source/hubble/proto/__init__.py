"""Hubble's messages, reduced to what is read. Made from the .proto files beside by ``make proto``.

The wire carries Cilium's package names; as Python modules they stay below this package.
"""
