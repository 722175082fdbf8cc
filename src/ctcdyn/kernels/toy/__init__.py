"""The pages of `ctcdyn.kernels.contract`. Generated: python -m ctcdyn.codegen.toy"""
