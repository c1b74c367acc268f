"""Answer messages: one file for each way to run a model.

To add one, write its file with a class that has the methods of `Engine`.
"""
