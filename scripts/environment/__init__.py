"""Set-up of the virtual environment in ``.venv/``: whatever is missing is done, what is done is not done again.

Standard library only, and readable by any Python 3.8 or later, so that an unsuitable Python gets a clear message
instead of a syntax error.
"""
