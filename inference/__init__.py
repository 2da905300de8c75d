"""Asks a server of the Open Inference Protocol: Triton, MLServer, KServe, or anybody's own.

Source: https://github.com/kserve/open-inference-protocol
"""
