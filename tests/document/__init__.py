"""What the OpenAPI document promises, held against a whole stack."""
