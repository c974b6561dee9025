"""How a handler is called. Each function takes an exchange and returns when the handler has settled."""
