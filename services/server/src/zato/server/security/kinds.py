"""All kinds of this package."""

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
