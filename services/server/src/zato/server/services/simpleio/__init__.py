"""
SimpleIO: what a service takes and what it returns, declared on its class. docs/simpleio.md is the reference.

All of it happens when a file is deployed; a request meets nothing but two functions, made then:

    scope.py, declaration.py, options.py         what the class declares, in whichever spelling
    element.py, scalars.py, containers.py        the elements, and what becomes of their values;
    naming.py, elements.py                       what plain names stand for; all names that services import
    fields.py, parsing.py                        from a request to `self.request.input`
    payload.py, output.py                        from `self.response.payload` to what is sent
    xml.py, xml_output.py, csv_rows.py           the same in these formats
    binding.py, source.py                        hands the functions to the invoker; says in which line a mistake is
"""
