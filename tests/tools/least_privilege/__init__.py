"""Least-privilege IAM policies: from the calls that runs make, and the operations that the code names, to JSON that ships."""
