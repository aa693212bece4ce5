"""Definitions that are nothing but credentials for others: the connections that send them know how."""

from zato.common.kinds import Kind
from zato.common.options import option, options


@options
class NTLMOptions:
    """A Windows account that outgoing connections log in with."""

    username: str = option("Name of the account, with its domain: DOMAIN\\user")
    password: str = option("Its password", default="", secret=True)


@options
class AWSOptions:
    """An access key of Amazon Web Services, or of what speaks their protocol."""

    username: str = option("Id of the access key")
    password: str = option("The secret access key", default="", secret=True)


@options
class OpenStackOptions:
    """An account of an OpenStack cloud."""

    username: str = option("Name of the account")
    password: str = option("Its password, or its key", default="", secret=True)


NTLM = Kind("security-ntlm", "NTLM", NTLMOptions)
AWS = Kind("security-aws", "AWS", AWSOptions)
OPENSTACK = Kind("security-openstack", "OpenStack", OpenStackOptions)
