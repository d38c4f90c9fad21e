"""The medical certificate: hers to use, given into her hand."""
