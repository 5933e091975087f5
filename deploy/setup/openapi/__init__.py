"""The OpenAPI document: one for all services and the gateway, made of what their routes say of themselves."""
