"""A faithful local Sume: real HTTP on loopback, real media, no money. ``server.start`` and ``server.embedded``
open it; a new kind is one entry of ``kinds.KINDS``."""
