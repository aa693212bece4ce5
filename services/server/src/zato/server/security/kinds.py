"""All kinds of this package."""

from collections.abc import Mapping

from zato.common.kinds import Kind
from zato.server.security import (
    api_key,
    basic_auth,
    bearer_token,
    jwt,
    jwt_issuer,
    oauth,
    rbac,
    sent_only,
    tech_account,
    tls_channel,
    tls_key_cert,
    wss,
    xpath,
)

KINDS: tuple[Kind, ...] = (
    basic_auth.KIND,
    api_key.KIND,
    jwt.KIND,
    jwt_issuer.KIND,
    oauth.KIND,
    tech_account.KIND,
    tls_channel.KIND,
    wss.KIND,
    xpath.KIND,
    bearer_token.KIND,
    sent_only.NTLM,
    sent_only.AWS,
    sent_only.OPENSTACK,
    tls_key_cert.KIND,
    rbac.ROLE,
    rbac.CLIENT_ROLE,
    rbac.ROLE_PERMISSION,
)

# What clients of earlier releases know the kinds of definitions as.
SEC_TYPES: Mapping[str, str] = {
    basic_auth.KIND.name: "basic_auth",
    api_key.KIND.name: "apikey",
    jwt.KIND.name: "jwt",
    jwt_issuer.KIND.name: "jwt_issuer",
    oauth.KIND.name: "oauth",
    tech_account.KIND.name: "tech_acc",
    tls_channel.KIND.name: "tls_channel_sec",
    wss.KIND.name: "wss",
    xpath.KIND.name: "xpath_sec",
    bearer_token.KIND.name: "bearer_token",
    sent_only.NTLM.name: "ntlm",
    sent_only.AWS.name: "aws",
    sent_only.OPENSTACK.name: "openstack",
    tls_key_cert.KIND.name: "tls_key_cert",
}
