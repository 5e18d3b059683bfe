"""How customers can be reached: look-ups with evidence, routes, matching, and the network gateway's choice."""
