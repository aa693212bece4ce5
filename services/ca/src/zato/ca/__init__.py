"""The certificate authority of a cluster: enrols its parts, renews and revokes their certificates, rotates itself."""
