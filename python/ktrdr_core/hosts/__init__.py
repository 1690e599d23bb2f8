"""Host services: small HTTP servers that stand between the core and a provider."""
