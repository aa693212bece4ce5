"""
SimpleIO: what a service takes and what it returns, declared on its class.

`declaration.py` reads the declaration, `parsing.py` and `output.py` make functions of it, `binding.py` hands them to
the invoker. All of it happens at deployment; a request meets nothing but these functions. docs/simpleio.md is the reference.
"""
