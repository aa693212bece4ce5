"""
Configuration in files: from YAML, JSON and TOML to wanted objects, and back.

    files        documents, includes, and the line that everything is on
    published    how files written for 2.0 and 3.x name kinds and options, as tables
    values       what their values are called here
    references   secrets and variables, which are named in files and kept elsewhere
    wanted       from entries of files to objects of our kinds
    writing      from objects to files
    rendering    plans as people read them

What is done with the wanted objects is the server's: `zato.server.control.planning` and `sets`.
"""
