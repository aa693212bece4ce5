"""SOAP channels: envelopes, faults and the description (WSDL) that clients are made from."""
